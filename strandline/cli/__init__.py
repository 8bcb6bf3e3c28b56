"""`strandline`, the command line: the same core that Airflow's operators call. Exit codes: 0 done, 1 data or run failed,
2 usage or configuration, 130 interrupted.
"""

from strandline.cli.app import app

__all__ = ["app"]
