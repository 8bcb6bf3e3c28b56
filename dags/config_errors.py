"""Shows what is wrong with `config/` as an Airflow import error, each with path:line:column and a hint; defines no DAG."""

from __future__ import annotations

import os
from pathlib import Path

from strandline.errors import ConfigError
from strandline.render import check

CONFIG = Path(os.environ.get("STRANDLINE_CONFIG") or Path(__file__).resolve().parents[1] / "config")

if errors := [problem for problem in check(CONFIG).problems if problem.level == "error"]:
    raise ConfigError(errors)
