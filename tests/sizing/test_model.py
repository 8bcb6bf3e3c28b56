"""The formulas, against cases computed by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from strandline.sizing.figures import figures
from strandline.sizing.load import DAY, Load
from strandline.sizing.machine import cluster, cores_needed, largest, needs, task_memory
from strandline.sizing.orchestration import orchestration, start_rate
from strandline.sizing.requests import busiest, requests
from strandline.sizing.sizing import size
from strandline.sizing.storage import layers
from strandline.sizing.work import cpu_of_a_stream, steps, task_starts
from tests.sizing.flat import flat

HUNDRED = Load(events=2e6, streams=2, event_bytes=100)
"""A million events of 100 bytes a day in each of two streams; the flat figures were measured with 100 bytes."""


def cpu(step: str, load: Load, values: dict[str, float]) -> float:
    return cpu_of_a_stream(step, load, flat(values))


def test_a_landing_costs_its_runs_and_its_events() -> None:
    assert cpu("land", HUNDRED, {"cpu.land.run": 0.1, "cpu.land.million": 6}) == pytest.approx(288 * 0.1 + 6)


def test_an_event_of_twice_the_bytes_costs_twice_but_a_run_does_not() -> None:
    wide = Load(events=2e6, streams=2, event_bytes=200)
    assert cpu("land", wide, {"cpu.land.run": 0.1, "cpu.land.million": 6}) == pytest.approx(288 * 0.1 + 12)


def test_intervals_of_an_hour_make_24_runs_a_day() -> None:
    hourly = Load(events=2e6, streams=2, event_bytes=100, interval=3600)
    assert cpu("land", hourly, {"cpu.land.run": 0.1}) == pytest.approx(2.4)


def test_every_merge_looks_at_the_keys_of_the_day() -> None:
    assert cpu("merge", HUNDRED, {"cpu.merge.million_of_day": 0.5}) == pytest.approx(144 * 0.5)
    assert cpu("merge", HUNDRED.of(4e6), {"cpu.merge.million_of_day": 0.5}) == pytest.approx(144 * 0.5 * 2)


def test_bronze_opens_every_micro_batch_of_the_day_and_others_all_that_are_kept() -> None:
    assert cpu("bronze", HUNDRED, {"cpu.bronze.micro_batch": 0.01}) == pytest.approx(2.88)
    assert cpu("audit", HUNDRED, {"cpu.audit.micro_batch": 0.01}) == pytest.approx((365 + 6) / 7 * 2.88)
    assert cpu("maintain", HUNDRED, {"cpu.maintain.micro_batch": 0.01}) == pytest.approx(14 * 2.88)


def test_the_audit_reads_all_that_the_lake_keeps_or_what_is_new() -> None:
    kept = {"realtime": 14.0, "quarantine": 90.0, "lake": 100.0}
    nightly = Load(events=2e6, streams=2, event_bytes=100, kept=kept, audit_every=DAY)
    assert cpu("audit", nightly, {"cpu.audit.run": 3, "cpu.audit.million": 50}) == pytest.approx(3 + 100 * 50)
    weekly = Load(events=2e6, streams=2, event_bytes=100, kept=kept, audit_every=7 * DAY)
    assert cpu("audit", weekly, {"cpu.audit.run": 3, "cpu.audit.million": 50}) == pytest.approx(3 + (100 + 6) * 50 / 7)
    never = Load(events=2e6, streams=2, event_bytes=100, kept=kept, audit_every=None)
    assert cpu("audit", never, {"cpu.audit.run": 3, "cpu.audit.million": 50}) == pytest.approx(3 + 50)


def test_all_streams_together_cost_their_number_times_one() -> None:
    found = {step.name: step for step in steps(HUNDRED, flat({"cpu.land.million": 6}))}
    assert found["land"].cpu_s == pytest.approx(12)
    assert found["land"].runs == 2 * 288


def test_a_stream_starts_869_tasks_a_day() -> None:
    assert task_starts(HUNDRED) == 2 * (2 * 288 + 2 * 144 + 5)
    values = {"airflow.start.tasks": 0.6, "airflow.start.scheduler": 0.1, "airflow.start.api": 0.2, "airflow.start.rest": 0.1}
    found = {step.name: step for step in steps(HUNDRED, flat(values))}
    assert found["task starts"].cpu_s == pytest.approx(869 * 2 * 1.0)


def test_parsing_takes_no_more_than_one_core() -> None:
    found = {step.name: step.cpu_s for step in steps(Load(events=1e6, streams=1000), flat({"airflow.parse.stream": 0.01}))}
    assert found["parsing"] == pytest.approx(DAY * 10 / 30)
    found = {step.name: step.cpu_s for step in steps(Load(events=1e6, streams=10_000), flat({"airflow.parse.stream": 0.01}))}
    assert found["parsing"] == pytest.approx(DAY)


def test_a_machine_is_enough_up_to_the_batch_that_fills_its_window() -> None:
    # silver alone: 36 CPU s a million; half of 2 cores for one hour are 3,600 CPU s: 100 million events in many streams
    load = Load(events=1, streams=100, event_bytes=100, batch_window=3600)
    found = largest(load, 2, flat({"cpu.silver.million": 36}))
    assert found.most_events == pytest.approx(1e8, rel=1e-3)
    assert found.held_by == "CPU while the batch runs"


def test_what_goes_on_all_day_leaves_the_batch_less() -> None:
    # half of the usable core is taken by landing at the most events: 0.25 cores all day and 0.25 of an hour
    values = {"cpu.silver.million": 36.0, "cpu.land.million": 36.0 * 24}
    load = Load(events=1, streams=100, event_bytes=100, batch_window=3600)
    alone = largest(load, 1, flat({"cpu.silver.million": 36.0})).most_events
    assert largest(load, 1, flat(values)).most_events == pytest.approx(alone / 2, rel=1e-3)


def test_one_stream_cannot_use_more_cores_than_a_task_does() -> None:
    load = Load(events=1, streams=1, event_bytes=100, batch_window=3600)
    by_two = largest(load, 8, flat({"cpu.silver.million": 36}))
    by_more = largest(load, 16, flat({"cpu.silver.million": 36}))
    assert by_two.most_events == by_more.most_events == pytest.approx(2e8, rel=1e-3)
    assert by_more.held_by == "one stream's batch within its window"


def test_a_merge_must_be_through_before_the_next() -> None:
    # 600 s on 2 cores are 1,200 CPU s, at 10 a million of the day: 120 million events
    load = Load(events=1, streams=1, event_bytes=100)
    found = largest(load, 64, flat({"cpu.merge.million_of_day": 10}))
    assert found.most_events == pytest.approx(1.2e8, rel=1e-3)
    assert found.held_by == "one stream's merge before the next"


def test_an_audit_must_be_through_before_the_next() -> None:
    # 50 CPU s a million and 365 days, on 2 cores: 172,800 CPU s a day; all once a week: 53 days on average
    values = {"cpu.audit.million": 50.0}
    nightly = largest(Load(events=1, streams=1, event_bytes=100, audit_every=DAY), 64, flat(values))
    weekly = largest(Load(events=1, streams=1, event_bytes=100, audit_every=7 * DAY), 64, flat(values))
    assert nightly.most_events == pytest.approx(172_800 / (50 * 365) * 1e6, rel=1e-3)
    assert nightly.held_by == "one stream's audit before the next"
    assert weekly.most_events == pytest.approx(172_800 / (50 * (365 + 6) / 7) * 1e6, rel=1e-3)


def test_too_many_streams_are_too_much_at_any_number_of_events() -> None:
    busy = flat({"airflow.start.scheduler": 1.0})  # 30 a minute, and 6,034 are due
    found = largest(Load(events=1e6, streams=10_000), 1000, busy)
    assert found.most_events == 0
    assert found.held_by == "task starts a minute"
    assert cores_needed(Load(events=1e6, streams=100_000), busy, most=8) is None


def test_the_memory_of_a_step_follows_the_stream_s_day() -> None:
    found = flat({"memory.task.fixed": 0.5, "memory.task.million_of_day": 0.2})
    assert task_memory(HUNDRED, found) == pytest.approx(0.7)
    assert task_memory(HUNDRED.of(20e6), found) == pytest.approx(0.5 + 2.0)


def test_perfect_executors_share_the_work_and_real_ones_take_more() -> None:
    # 3,600 CPU s a million in one hour: one core a million, of 2 usable an executor
    load = Load(events=16e6, streams=1, event_bytes=100, batch_window=3600, engine="spark")
    assert cluster(load, flat({"cpu.silver.million": 3600})).executors == 8
    worse = flat({"cpu.silver.million": 3600, "spark.doubling": 2**0.75})
    assert cluster(load, worse).executors == 16  # 16 of them are 16 ** 0.75 = 8 times as fast as one
    assert cluster(load, worse).memory_gb == 16 * 16


def test_streams_do_not_hold_each_other_up() -> None:
    one = flat({"cpu.silver.million": 3600, "spark.doubling": 2**0.75})
    load = Load(events=16e6, streams=16, event_bytes=100, batch_window=3600, engine="spark")
    assert cluster(load, one).executors == 8


def test_requests_are_runs_times_what_was_counted() -> None:
    found = {
        asked.step: asked for asked in requests(HUNDRED, flat(requests={"land": {"put": 3, "get": 4}, "gold": {"get": 44}}))
    }
    assert dict(found["land"].kinds) == {"put": 2 * 288 * 3, "list": 0, "get": 2 * 288 * 4, "head": 0}
    assert found["gold"].all == 2 * 44


def test_what_opens_each_micro_batch_asks_for_each() -> None:
    found = {
        asked.step: asked
        for asked in requests(HUNDRED, flat(dict.fromkeys(("requests.silver.micro_batch", "requests.audit.micro_batch"), 3.0)))
    }
    assert found["silver"].kinds["get"] == 2 * 288 * 3
    assert found["audit"].kinds["get"] == pytest.approx(2 * 288 * (365 + 6) / 7 * 3)


def test_bytes_make_requests_beyond_eight_megabytes() -> None:
    found = {asked.step: asked for asked in requests(HUNDRED, flat({"bytes.realtime.event": 400.0}))}
    assert found["land"].kinds["put"] == pytest.approx(2e6 * 400 / 8e6)
    assert found["bronze"].kinds["get"] == pytest.approx(2e6 * 400 / 8e6)


def test_the_busiest_second_is_that_of_a_full_interval() -> None:
    found = busiest(HUNDRED, flat(requests={"generate": {"put": 1}, "land": {"put": 3, "get": 6}}))
    assert found == {"prefix_put": 4 / 60, "prefix_get": 6 / 60, "bucket_put": 8 / 60, "bucket_get": 12 / 60}


def test_a_layer_grows_by_its_events_and_its_micro_batches() -> None:
    values = {"bytes.realtime.event": 200.0, "bytes.realtime.micro_batch": 1e6, "bytes.silver.event": 80.0}
    values["bytes.gold.day"] = 5e7
    found = {layer.name: layer for layer in layers(HUNDRED, flat(values))}
    assert found["realtime"].gb_a_day == pytest.approx((2e6 * 200 + 2 * 288 * 1e6) / 1e9)
    assert found["realtime"].gb_kept == pytest.approx(14 * found["realtime"].gb_a_day)
    assert found["silver"].gb_kept == pytest.approx(365 * 2e6 * 80 / 1e9)
    assert found["gold"].gb_a_day == pytest.approx(0.1)


def test_the_source_s_own_files_are_no_part_of_the_lake() -> None:
    found = size(HUNDRED, flat({"bytes.gzip.event": 90.0}))
    assert {layer.name: layer.gb_a_day for layer in found.layers}["gzip"] == pytest.approx(0.18)
    assert found.storage_gb == 0


def test_the_month_s_bill_is_requests_and_what_is_kept() -> None:
    values = {"bytes.silver.event": 80.0, "bytes.request": 1e18}
    priced = flat(values, {"land": {"put": 1, "get": 2}}, {"put": 0.005, "get": 0.0004, "storage": 0.02})
    found = size(HUNDRED, priced)
    puts, gets = 2 * 288, 2 * 288 * 2
    assert found.requests_usd == pytest.approx(365 / 12 * (puts / 1000 * 0.005 + gets / 1000 * 0.0004))
    assert found.storage_usd == pytest.approx(0.02 * 365 * 2e6 * 80 / 1e9)


def test_starts_a_minute_are_bound_by_cores_and_by_the_scheduler() -> None:
    found = flat({"airflow.start.tasks": 0.8, "airflow.start.scheduler": 0.1, "airflow.start.api": 0.1})
    assert start_rate(2, found) == pytest.approx(60)
    assert start_rate(100, found) == pytest.approx(300)


def test_what_gives_first_is_what_is_used_most() -> None:
    slow = flat({"airflow.loop.task": 0.01})
    found = orchestration(Load(events=1e6, streams=1000), 64, slow)
    assert found.first.name == "a loop over the batch DAG's run"
    assert found.first.share == pytest.approx(5000 * 0.01 / 5)
    assert found.tasks_a_day == 869_000


def test_the_serving_dag_runs_as_many_tasks_at_once_as_their_length_makes() -> None:
    # 600 streams whose merge takes 8 s, and two starts of 1 s, every 600 s: ten at once on average, of 16
    found = orchestration(Load(events=1e6, streams=600), 64, flat({"cpu.merge.run": 8.0, "airflow.start.tasks": 1.0}))
    at_once = next(limit for limit in found.limits if limit.name == "tasks of the serving DAG at once")
    assert at_once.needs == pytest.approx(10)
    assert at_once.share == pytest.approx(10 / 16)


@pytest.mark.parametrize("streams", [1, 5, 1000])
def test_more_events_never_cost_less(streams: int) -> None:
    own = figures()
    found = [size(Load(events=10.0**n, streams=streams), own) for n in range(3, 12)]
    for less, more in pairwise(found):
        assert more.cpu_s >= less.cpu_s
        assert more.storage_gb >= less.storage_gb
        assert more.requests_usd >= less.requests_usd
        assert more.memory_gb >= less.memory_gb or more.cores is None
        assert more.cluster.executors >= less.cluster.executors
        assert (more.cores or 10_000) >= (less.cores or 10_000)


def test_more_cores_never_do_less() -> None:
    found = size(Load(events=1e6), figures()).machines
    assert [machine.most_events for machine in found] == sorted(machine.most_events for machine in found)


def test_what_is_told_to_be_enough_is_enough_and_one_core_less_is_not() -> None:
    own, load = figures(), Load(events=2e7, streams=20)
    cores = cores_needed(load, own)
    assert cores is not None
    assert cores > 1
    assert max(need.used for need in needs(load, cores, own)) <= 1
    assert max(need.used for need in needs(load, cores - 1, own)) > 1
