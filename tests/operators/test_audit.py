"""The audit operator: everything at first and when it is due, in between what is new; a difference fails the task by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from deltalake import DeltaTable

from operators.audit import AuditOperator
from strandline.lake import paths
from tests.stages.contract_changes import Lakes


def operator(folder: Path, whole_every: str | None) -> AuditOperator:
    return AuditOperator(
        task_id="audit", stream="readings", config=str(folder / "config"), lake=str(folder / "lake"), whole_every=whole_every
    )


def test_it_stands_on_the_last_one_that_agreed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    lakes = Lakes(tmp_path_factory.mktemp("lakes"))
    lakes.copy(tmp_path / "lake", count=1, batches=1)
    (tmp_path / "config" / "streams").mkdir(parents=True)
    (tmp_path / "config" / "streams" / "readings.yaml").write_text(lakes.stream.path.read_text())
    context: Any = {}
    first = operator(tmp_path, "7d").execute(context)
    assert (first["since"], first["lines"] > 0, first["differences"]) == ("ever", True, 0)
    second = operator(tmp_path, "7d").execute(context)
    assert second["since"] != "ever"
    assert second["lines"] == 0
    assert operator(tmp_path, None).execute(context)["since"] == "ever"
    DeltaTable(str(tmp_path / "lake" / paths.silver("readings"))).update(
        predicate="reading_id IS NOT NULL", new_values={"count": 77}
    )
    with pytest.raises(AirflowFailException, match="the audit of readings disagrees"):
        operator(tmp_path, "7d").execute(context)
