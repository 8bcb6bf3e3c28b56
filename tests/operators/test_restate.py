"""The batch DAG's parameter `restate`: silver judges again before it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from operators.silver import SilverOperator
from tests.stages.contract_changes import STRICTER, WIDER, Lakes, changed


def operator(folder: Path, restate: str | None) -> SilverOperator:
    return SilverOperator(
        task_id="silver", stream="readings", config=str(folder / "config"), lake=str(folder / "lake"), restate=restate
    )


def test_silver_restates_what_the_parameter_asks_for(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    lakes = Lakes(tmp_path_factory.mktemp("lakes"))
    lakes.copy(tmp_path / "lake", count=1, batches=1)
    (tmp_path / "config" / "streams").mkdir(parents=True)
    now = changed(lakes.stream, WIDER, STRICTER)
    (tmp_path / "config" / "streams" / "readings.yaml").write_text(now.path.read_text())
    context: Any = {}
    assert "restated_days" not in operator(tmp_path, "").execute(context)
    assert operator(tmp_path, "replay").execute(context)["restated_good"] > 0
    assert operator(tmp_path, "rebuild").execute(context)["restated_days"] > 0
    assert operator(tmp_path, "rebuild").execute(context)["restated_days"] == 0
    with pytest.raises(AirflowFailException, match="restate is rebuild, replay or empty"):
        operator(tmp_path, "rewrite").execute(context)
