"""DuckDB by hand, with what Strandline keeps: every line's exact bytes and origin beside its values, a reason with every
refused line, silver in order of time. The day is one batch: nothing is landed by interval, committed, checked or synced.
"""

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
BOUNDS = {"status_code": "BETWEEN 100 AND 599", "latitude": "BETWEEN -90 AND 90", "longitude": "BETWEEN -180 AND 180"}
BOUNDS |= dict.fromkeys(("duration_ms", "quantity", "amount"), ">= 0")
PARQUET = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"


def main(folder: Path, out: Path) -> None:
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET memory_limit = '4GB'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET temp_directory = '{out}/spill'")
    lines = (
        f"read_csv('{folder}/*.ndjson.gz', columns = {{raw: 'VARCHAR'}}, header = false, auto_detect = false, delim = '\x01', "
        "quote = '', escape = '', max_line_size = 4194304, filename = 'source')"
    )
    paths = ", ".join(f"'$.{name}'" for name in NAMES)
    values = ", ".join(f"given[{place}] AS {name}" for place, name in enumerate(NAMES, start=1))
    connection.execute(
        f"""COPY (SELECT source, raw, {values} FROM (SELECT source, raw,
            CASE WHEN json_valid(raw) AND json_type(raw) = 'OBJECT' THEN json_extract_string(raw, [{paths}]) END AS given
        FROM {lines})) TO '{out}/bronze.parquet' {PARQUET}"""
    )
    typed = ", ".join(f"TRY_CAST({n} AS {TYPES[n]}) AS {n}, {n} AS {n}_text" if n in TYPES else n for n in NAMES)
    reasons = [f"WHEN {name} IS NULL THEN 'missing {name}'" for name in ("event_id", "user_id", "event_type")]
    reasons += [f"WHEN {name}_text IS NOT NULL AND {name} IS NULL THEN 'type of {name}'" for name in TYPES]
    reasons += ["WHEN event_time IS NULL THEN 'missing event_time'"]
    reasons += ["WHEN event_type NOT IN ('view', 'search', 'add_to_cart', 'checkout', 'purchase', 'refund') THEN 'choice'"]
    reasons += [f"WHEN NOT ({name} {bound}) THEN 'range of {name}'" for name, bound in BOUNDS.items()]
    reasons += ["WHEN event_type = 'purchase' AND (amount > 0) IS NOT TRUE THEN 'rule'"]
    connection.execute(
        f"""CREATE TEMP TABLE judged AS SELECT * REPLACE (CASE WHEN reason IS NOT NULL THEN raw END AS raw)
        FROM (SELECT {", ".join(NAMES)}, source, raw, CASE {" ".join(reasons)} END AS reason
        FROM (SELECT source, raw, {typed} FROM '{out}/bronze.parquet'))"""
    )
    connection.execute(f"COPY (FROM judged WHERE reason IS NOT NULL) TO '{out}/quarantine.parquet' {PARQUET}")
    connection.execute(
        f"""COPY (SELECT * EXCLUDE (raw, reason) FROM judged WHERE reason IS NULL QUALIFY row_number() OVER
        (PARTITION BY event_id, event_time::DATE) = 1 ORDER BY event_time) TO '{out}/silver.parquet' {PARQUET}"""
    )
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
    bad, good = connection.sql("SELECT count(reason), count(*) - count(reason) FROM judged").fetchall()[0]
    kept = connection.sql(f"SELECT count(*) FROM '{out}/silver.parquet'").fetchall()[0][0]
    print(json.dumps({"quarantined": bad, "duplicates": good - kept}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
