"""The name that a worker of Airflow goes by here. Several run on one machine, whose own name would tell none apart."""

from __future__ import annotations

import os
import socket

VARIABLE = "STRANDLINE_HOSTNAME"


def name() -> str:
    """What `VARIABLE` says, else the machine's name; Airflow calls this as `[core] hostname_callable`."""
    return os.environ.get(VARIABLE) or socket.gethostname()
