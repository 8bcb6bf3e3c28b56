"""pandas with orjson and Parquet: a file at a time, categories and typed columns early, Parquet between the layers."""

import gzip
import json
import sys
from pathlib import Path

import orjson
import pandas as pd

NAMES = [
    "event_id", "event_time", "event_type", "user_id", "session_id", "country", "device", "os", "browser", "app_version",
    "client_ip", "page", "referrer", "status_code", "duration_ms", "quantity", "amount", "latitude", "longitude", "is_new",
]  # fmt: skip
EVENT_TYPES = ["view", "search", "add_to_cart", "checkout", "purchase", "refund"]
NUMBERS = {"status_code": (100, 599), "duration_ms": (0, None), "quantity": (0, None), "amount": (0, None)}
NUMBERS |= {"latitude": (-90, 90), "longitude": (-180, 180)}
CATEGORIES = ["event_type", "country", "device", "os", "browser", "app_version", "referrer"]


def read(path: Path) -> tuple[pd.DataFrame, int]:
    """The events of a file, and how many lines were none."""
    rows, unreadable = [], 0
    for line in gzip.decompress(path.read_bytes()).splitlines():
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            unreadable += 1
            continue
        if isinstance(event, dict):
            rows.append(event)
        else:
            unreadable += 1
    return pd.DataFrame(rows, columns=NAMES), unreadable


def typed(events: pd.DataFrame) -> pd.Series:
    """Whether each event is good; the columns are typed in place."""
    events["event_time"] = pd.to_datetime(events["event_time"], errors="coerce", utc=True, format="ISO8601")
    good = events[["event_id", "event_time", "user_id"]].notna().all(axis=1) & events["event_type"].isin(EVENT_TYPES)
    for name, (low, high) in NUMBERS.items():
        number = pd.to_numeric(events[name], errors="coerce")
        good &= (number.notna() | events[name].isna()) & ~(number < low)
        if high is not None:
            good &= ~(number > high)
        events[name] = number
    for name in CATEGORIES:
        events[name] = events[name].astype("category")
    return good & ~((events["event_type"] == "purchase") & ~(events["amount"] > 0))


def main(folder: Path, out: Path) -> None:
    kept, refused, unreadable = [], [], 0
    (out / "bronze").mkdir()
    for path in sorted(folder.glob("*.ndjson.gz")):
        events, none = read(path)
        unreadable += none
        events.astype(str).to_parquet(out / "bronze" / f"{path.stem}.parquet", compression="zstd", index=False)
        good = typed(events)
        kept.append(events[good])
        refused.append(events[~good])
    bad = pd.concat(refused)
    bad.to_parquet(out / "quarantine.parquet", compression="zstd", index=False)
    silver = pd.concat(kept, ignore_index=True)
    for name in CATEGORIES:
        silver[name] = silver[name].astype("category")
    clean = len(silver)
    silver["date"] = silver["event_time"].dt.floor("D")
    silver = silver.drop_duplicates(["event_id", "date"], keep="last")
    silver.to_parquet(out / "silver.parquet", compression="zstd", index=False)

    silver["failure"] = silver["status_code"] >= 500
    hourly = silver.groupby([silver["event_time"].dt.floor("h").rename("window_start"), "event_type", "country"], observed=True)
    sales = hourly.agg(
        events=("event_id", "size"), failures=("failure", "sum"), revenue=("amount", "sum"), users=("user_id", "nunique")
    )
    sales["p95_ms"] = hourly["duration_ms"].quantile(0.95)
    sales["fail_rate"] = sales["failures"] / sales["events"]
    sales.reset_index().to_parquet(out / "sales_hourly.parquet")
    often = silver.groupby([silver["event_time"].dt.floor("5min").rename("window_start"), "device"], observed=True)
    devices = often.agg(
        events=("event_id", "size"),
        items=("quantity", "sum"),
        avg_ms=("duration_ms", "mean"),
        slowest_ms=("duration_ms", "max"),
    )
    devices.reset_index().to_parquet(out / "devices_5m.parquet")
    print(json.dumps({"quarantined": len(bad) + unreadable, "duplicates": clean - len(silver)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
