"""Airflow reads its home when it is imported: a temporary one, before any test module of this folder imports it."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-"))
