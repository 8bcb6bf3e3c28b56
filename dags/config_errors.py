"""Shows what is wrong with `config/` as an Airflow import error, each with path:line:column and a hint; defines no DAG."""

from __future__ import annotations

import os
from pathlib import Path

from operators.runtime import checked_streams
from strandline.errors import ConfigError
from strandline.render import problems

CONFIG = Path(os.environ.get("STRANDLINE_CONFIG") or Path(__file__).resolve().parents[1] / "config")

if errors := [problem for problem in problems(CONFIG, checked_streams()) if problem.level == "error"]:
    raise ConfigError(errors)
