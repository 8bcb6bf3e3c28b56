"""The answer for a load: everything that the other modules compute, with what it costs a month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from strandline.sizing.figures import Figures
from strandline.sizing.load import Load
from strandline.sizing.machine import CORES, Cluster, Machine, Need, cluster, cores_needed, largest, memory, needs
from strandline.sizing.orchestration import Orchestration, orchestration
from strandline.sizing.requests import Asked, busiest, requests
from strandline.sizing.storage import DAYS_A_MONTH, Layer, layers
from strandline.sizing.work import Step, steps


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a load needs. CPU in seconds a day; bytes in GB (10⁹); dollars a month at the list prices of `figures`.

    `cores`: the least of one machine that is enough, None when 1,024 are not; `needs`: how much of it is used. `machines`: how
    far machines of 1 to 16 cores go. `cluster`: what Spark would need in place of it. `airflow` is on `cores`, or on the
    workers beside the cluster.
    """

    load: Load
    figures: Figures
    steps: Sequence[Step]
    cores: int | None
    needs: Sequence[Need]
    memory_gb: float
    machines: Sequence[Machine]
    cluster: Cluster
    requests: Sequence[Asked]
    busiest: Mapping[str, float]
    layers: Sequence[Layer]
    airflow: Orchestration

    @property
    def cpu_s(self) -> float:
        """CPU seconds a day, all in all, with the embedded engine."""
        return sum(step.cpu_s for step in self.steps)

    @property
    def requests_usd(self) -> float:
        """Dollars a month for requests."""
        prices = self.figures.prices
        return DAYS_A_MONTH * sum(count / 1000 * prices[kind] for asked in self.requests for kind, count in asked.kinds.items())

    @property
    def storage_gb(self) -> float:
        """GB in the lake once as much goes as comes."""
        return sum(layer.gb_kept for layer in self.layers)

    @property
    def storage_usd(self) -> float:
        """Dollars a month for storage, once as much goes as comes."""
        return self.storage_gb * self.figures.prices["storage"]

    def as_dict(self) -> dict[str, Any]:
        """All of it for machines, with every figure used and its source."""
        return {
            "load": asdict(self.load),
            "cpu_seconds_a_day": {"steps": [asdict(step) for step in self.steps], "all": self.cpu_s},
            "one_machine": {
                "cores": self.cores,
                "needs": {need.name: need.used for need in self.needs},
                "memory_gb": self.memory_gb,
                "largest": [asdict(machine) for machine in self.machines],
            },
            "cluster": {**asdict(self.cluster), "cores": self.cluster.cores, "memory_gb": self.cluster.memory_gb},
            "requests_a_day": {
                "steps": {asked.step: {**asked.kinds, "all": asked.all} for asked in self.requests},
                "all": sum(asked.all for asked in self.requests),
                "busiest_second": dict(self.busiest),
            },
            "storage_gb": {
                "layers": {layer.name: {**asdict(layer), "gb_kept": layer.gb_kept} for layer in self.layers},
                "kept": self.storage_gb,
            },
            "usd_a_month": {"requests": self.requests_usd, "storage": self.storage_usd},
            "airflow": {
                **asdict(self.airflow),
                "limits": [{**asdict(limit), "share": limit.share} for limit in self.airflow.limits],
                "first": self.airflow.first.name,
            },
            "figures": {
                "measured": {name: asdict(figure) for name, figure in sorted(self.figures.figures.items())},
                "requests": {"a_run": dict(self.figures.requests), "source": asdict(self.figures.requests_source)},
                "prices": {"usd": dict(self.figures.prices), "source": asdict(self.figures.prices_source)},
            },
        }


def size(load: Load, figures: Figures) -> Sizing:
    """What the load needs."""
    cores = cores_needed(load, figures)
    spark = cluster(load, figures)
    here = spark.worker_cores if load.engine == "spark" else cores or CORES[-1]
    return Sizing(
        load=load,
        figures=figures,
        steps=steps(load, figures),
        cores=cores,
        needs=needs(load, cores or CORES[-1], figures),
        memory_gb=memory(load, here, figures),
        machines=tuple(largest(load, each, figures) for each in CORES),
        cluster=spark,
        requests=requests(load, figures),
        busiest=busiest(load, figures),
        layers=layers(load, figures),
        airflow=orchestration(load, here, figures),
    )
