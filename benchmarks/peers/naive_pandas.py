"""pandas and CSV, as a first script would be: every line through json.loads, every layer a CSV file that the next one reads."""

import gzip
import json
import sys
from pathlib import Path

import pandas as pd

NAMES = [
    "event_id", "event_time", "event_type", "user_id", "session_id", "country", "device", "os", "browser", "app_version",
    "client_ip", "page", "referrer", "status_code", "duration_ms", "quantity", "amount", "latitude", "longitude", "is_new",
]  # fmt: skip
EVENT_TYPES = ["view", "search", "add_to_cart", "checkout", "purchase", "refund"]
NUMBERS = {"status_code": (100, 599), "duration_ms": (0, None), "quantity": (0, None), "amount": (0, None)}
NUMBERS |= {"latitude": (-90, 90), "longitude": (-180, 180)}


def main(folder: Path, out: Path) -> None:
    rows, unreadable = [], []
    for path in sorted(folder.glob("*.ndjson.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                try:
                    event = json.loads(line)
                except json.JSONDecodeError:
                    event = None
                if isinstance(event, dict):
                    rows.append(event)
                else:
                    unreadable.append({"line": line})
    pd.DataFrame(rows, columns=NAMES).to_csv(out / "bronze.csv", index=False)

    events = pd.read_csv(out / "bronze.csv", low_memory=False)
    events["event_time"] = pd.to_datetime(events["event_time"], errors="coerce", utc=True, format="ISO8601")
    good = events[["event_id", "event_time", "user_id"]].notna().all(axis=1) & events["event_type"].isin(EVENT_TYPES)
    for name, (low, high) in NUMBERS.items():
        number = pd.to_numeric(events[name], errors="coerce")
        good &= number.notna() | events[name].isna()
        good &= ~((number < low) | (number > high if high is not None else False))
        events[name] = number
    good &= ~((events["event_type"] == "purchase") & ~(events["amount"] > 0))
    bad = pd.concat([events[~good], pd.DataFrame(unreadable)])
    bad.to_csv(out / "quarantine.csv", index=False)
    kept = events[good]
    kept = kept.assign(date=kept["event_time"].dt.date).drop_duplicates(["event_id", "date"], keep="last")
    kept.to_csv(out / "silver.csv", index=False)

    silver = pd.read_csv(out / "silver.csv", low_memory=False)
    silver["event_time"] = pd.to_datetime(silver["event_time"], utc=True, format="ISO8601")
    silver["failure"] = silver["status_code"] >= 500
    hourly = silver.groupby([silver["event_time"].dt.floor("h").rename("window_start"), "event_type", "country"])
    sales = hourly.agg(
        events=("event_id", "size"),
        failures=("failure", "sum"),
        revenue=("amount", "sum"),
        p95_ms=("duration_ms", lambda values: values.quantile(0.95)),
        users=("user_id", "nunique"),
    ).reset_index()
    sales["fail_rate"] = sales["failures"] / sales["events"]
    sales.to_csv(out / "sales_hourly.csv", index=False)
    often = silver.groupby([silver["event_time"].dt.floor("5min").rename("window_start"), "device"])
    devices = often.agg(
        events=("event_id", "size"),
        items=("quantity", "sum"),
        avg_ms=("duration_ms", "mean"),
        slowest_ms=("duration_ms", "max"),
    )
    devices.reset_index().to_csv(out / "devices_5m.csv", index=False)
    print(json.dumps({"quarantined": len(bad), "duplicates": int(good.sum()) - len(kept)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
