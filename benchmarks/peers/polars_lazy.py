"""Polars: raw lines, one JSON decode to text columns, lazy from there on; files in groups, so that memory stays bounded."""

import json
import sys
from pathlib import Path

import polars as pl

NAMES = [
    "event_id", "event_time", "event_type", "user_id", "session_id", "country", "device", "os", "browser", "app_version",
    "client_ip", "page", "referrer", "status_code", "duration_ms", "quantity", "amount", "latitude", "longitude", "is_new",
]  # fmt: skip
EVENT_TYPES = ["view", "search", "add_to_cart", "checkout", "purchase", "refund"]
TYPES: dict[str, type[pl.DataType]] = {"status_code": pl.Int64, "quantity": pl.Int64}
TYPES |= dict.fromkeys(("duration_ms", "amount", "latitude", "longitude"), pl.Float64)
LIMITS = {"status_code": (100, 599), "duration_ms": (0, None), "quantity": (0, None), "amount": (0, None)}
LIMITS |= {"latitude": (-90, 90), "longitude": (-180, 180)}
GROUP = 48


def judged() -> pl.Expr:
    """Whether a typed row is good; `<name>_text` is what stood in the line."""
    good = pl.all_horizontal(pl.col("event_id", "event_time", "user_id").is_not_null()) & pl.col("event_type").is_in(
        EVENT_TYPES
    )
    for name in TYPES:
        good &= pl.col(name).is_not_null() | pl.col(f"{name}_text").is_null()
    for name, (low, high) in LIMITS.items():
        good &= ~(pl.col(name) < low).fill_null(False)
        if high is not None:
            good &= ~(pl.col(name) > high).fill_null(False)
    return good & ~((pl.col("event_type") == "purchase") & ~(pl.col("amount") > 0).fill_null(False))


def main(folder: Path, out: Path) -> None:
    paths = sorted(folder.glob("*.ndjson.gz"))
    quarantined, good_rows = 0, 0
    for part in ("bronze", "quarantine", "clean"):
        (out / part).mkdir()
    for number, start in enumerate(range(0, len(paths), GROUP)):
        lines = pl.scan_csv(
            paths[start : start + GROUP], has_header=False, separator="\x01", quote_char=None, schema={"line": pl.String}
        ).collect()
        shaped = pl.col("line").str.starts_with("{") & pl.col("line").str.ends_with("}")
        unreadable = lines.filter(~shaped)
        events = lines.filter(shaped).select(pl.col("line").str.json_decode(pl.Struct(dict.fromkeys(NAMES, pl.String))))
        events = events.unnest("line")
        events.write_parquet(out / "bronze" / f"{number}.parquet", compression="zstd", compression_level=1)
        text = events.lazy().with_columns(
            pl.col("event_time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.3fZ", strict=False, time_zone="UTC"),
            *(pl.col(name).alias(f"{name}_text") for name in TYPES),
            *(pl.col(name).cast(kind, strict=False) for name, kind in TYPES.items()),
            pl.col("is_new") == "true",
        )
        typed = text.with_columns(judged().alias("good")).collect()
        good = typed.filter("good").select(NAMES)
        bad = typed.filter(~pl.col("good")).select(NAMES)
        pl.concat([bad, unreadable], how="diagonal").write_parquet(out / "quarantine" / f"{number}.parquet", compression="zstd")
        good.write_parquet(out / "clean" / f"{number}.parquet", compression="lz4")
        quarantined += len(bad) + len(unreadable)
        good_rows += len(good)
    clean = pl.scan_parquet(out / "clean" / "*.parquet").with_columns(pl.col("event_time").dt.date().alias("date"))
    silver = clean.unique(["event_id", "date"], keep="last").collect()
    silver.write_parquet(out / "silver.parquet", compression="zstd", compression_level=1)
    lazy = silver.lazy()
    failures = (pl.col("status_code") >= 500).sum()
    sales = lazy.group_by(pl.col("event_time").dt.truncate("1h").alias("window_start"), "event_type", "country").agg(
        pl.len().alias("events"),
        failures.alias("failures"),
        (failures / pl.len()).alias("fail_rate"),
        pl.col("amount").sum().alias("revenue"),
        pl.col("duration_ms").quantile(0.95, "linear").alias("p95_ms"),
        pl.col("user_id").n_unique().alias("users"),
    )
    sales.collect().write_parquet(out / "sales_hourly.parquet")
    devices = lazy.group_by(pl.col("event_time").dt.truncate("5m").alias("window_start"), "device").agg(
        pl.len().alias("events"),
        pl.col("quantity").sum().alias("items"),
        pl.col("duration_ms").mean().alias("avg_ms"),
        pl.col("duration_ms").max().alias("slowest_ms"),
    )
    devices.collect().write_parquet(out / "devices_5m.parquet")
    print(json.dumps({"quarantined": quarantined, "duplicates": good_rows - len(silver)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
