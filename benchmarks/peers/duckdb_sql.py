"""DuckDB by hand: read_json to text columns straight from the gzip files, TRY_CAST, one window for the duplicates."""

import json
import sys
from pathlib import Path

import duckdb

NAMES = [
    "event_id", "event_time", "event_type", "user_id", "session_id", "country", "device", "os", "browser", "app_version",
    "client_ip", "page", "referrer", "status_code", "duration_ms", "quantity", "amount", "latitude", "longitude", "is_new",
]  # fmt: skip
TYPES = {"event_time": "TIMESTAMP", "status_code": "BIGINT", "quantity": "BIGINT", "is_new": "BOOLEAN"}
TYPES |= dict.fromkeys(("duration_ms", "amount", "latitude", "longitude"), "DOUBLE")
TYPED = ", ".join(f"TRY_CAST({n} AS {TYPES[n]}) AS {n}, {n} AS {n}_text" if n in TYPES else n for n in NAMES)
PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"


def connected(out: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB as both scripts use it."""
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET memory_limit = '4GB'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET temp_directory = '{out}/spill'")
    return connection


def main(folder: Path, out: Path) -> None:
    connection = connected(out)
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in NAMES)
    source = f"read_json('{folder}/*.ndjson.gz', format = 'newline_delimited', ignore_errors = true, columns = {{{columns}}})"
    connection.execute(f"COPY (FROM {source}) TO '{out}/bronze.parquet' {PARQUET}")
    lossless = " AND ".join(f"({n}_text IS NULL OR {n} IS NOT NULL)" for n in TYPES)
    connection.execute(
        f"""CREATE TEMP TABLE judged AS SELECT {", ".join(NAMES)}, COALESCE(
            event_id IS NOT NULL AND event_time IS NOT NULL AND user_id IS NOT NULL
            AND event_type IN ('view', 'search', 'add_to_cart', 'checkout', 'purchase', 'refund') AND {lossless}
            AND (status_code BETWEEN 100 AND 599 OR status_code IS NULL)
            AND (duration_ms >= 0 OR duration_ms IS NULL) AND (quantity >= 0 OR quantity IS NULL)
            AND (amount >= 0 OR amount IS NULL) AND (abs(latitude) <= 90 OR latitude IS NULL)
            AND (abs(longitude) <= 180 OR longitude IS NULL)
            AND (event_type <> 'purchase' OR amount > 0), false) AS good
        FROM (SELECT {TYPED} FROM '{out}/bronze.parquet')"""
    )
    connection.execute(f"COPY (SELECT * EXCLUDE good FROM judged WHERE NOT good) TO '{out}/quarantine.parquet' {PARQUET}")
    connection.execute(
        f"COPY (SELECT * EXCLUDE good FROM judged WHERE good QUALIFY row_number() OVER "
        f"(PARTITION BY event_id, event_time::DATE) = 1) TO '{out}/silver.parquet' {PARQUET}"
    )
    write_gold(connection, out)
    bad, good = connection.sql("SELECT count(*) FILTER (NOT good), count(*) FILTER (good) FROM judged").fetchall()[0]
    kept = connection.sql(f"SELECT count(*) FROM '{out}/silver.parquet'").fetchall()[0][0]
    print(json.dumps({"quarantined": bad, "duplicates": good - kept}))


def write_gold(connection: duckdb.DuckDBPyConnection, out: Path) -> None:
    """The two gold tables, from silver."""
    connection.execute(
        f"""COPY (SELECT date_trunc('hour', event_time) AS window_start, event_type, country, count(*) AS events,
        count(*) FILTER (status_code >= 500) AS failures, count(*) FILTER (status_code >= 500) / count(*) AS fail_rate,
        sum(amount) AS revenue, quantile_cont(duration_ms, 0.95) AS p95_ms, count(DISTINCT user_id) AS users
        FROM '{out}/silver.parquet' GROUP BY ALL) TO '{out}/sales_hourly.parquet'"""
    )
    connection.execute(
        f"""COPY (SELECT time_bucket(INTERVAL '5 minutes', event_time) AS window_start, device, count(*) AS events,
        sum(quantity)::BIGINT AS items, avg(duration_ms) AS avg_ms, max(duration_ms) AS slowest_ms
        FROM '{out}/silver.parquet' GROUP BY ALL) TO '{out}/devices_5m.parquet'"""
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
