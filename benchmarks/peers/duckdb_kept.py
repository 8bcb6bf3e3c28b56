"""DuckDB by hand, with what Strandline keeps: every line's exact bytes and origin beside its values, a reason with every
refused line, silver in order of time. The day is one batch: nothing is landed by interval, committed, checked or synced.
"""

import json
import sys
from pathlib import Path

from benchmarks.peers.duckdb_sql import NAMES, PARQUET, TYPED, TYPES, connected, write_gold

BOUNDS = {"status_code": "BETWEEN 100 AND 599", "latitude": "BETWEEN -90 AND 90", "longitude": "BETWEEN -180 AND 180"}
BOUNDS |= dict.fromkeys(("duration_ms", "quantity", "amount"), ">= 0")


def main(folder: Path, out: Path) -> None:
    connection = connected(out)
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
    reasons = [f"WHEN {name} IS NULL THEN 'missing {name}'" for name in ("event_id", "user_id", "event_type")]
    reasons += [f"WHEN {name}_text IS NOT NULL AND {name} IS NULL THEN 'type of {name}'" for name in TYPES]
    reasons += ["WHEN event_time IS NULL THEN 'missing event_time'"]
    reasons += ["WHEN event_type NOT IN ('view', 'search', 'add_to_cart', 'checkout', 'purchase', 'refund') THEN 'choice'"]
    reasons += [f"WHEN NOT ({name} {bound}) THEN 'range of {name}'" for name, bound in BOUNDS.items()]
    reasons += ["WHEN event_type = 'purchase' AND (amount > 0) IS NOT TRUE THEN 'rule'"]
    connection.execute(
        f"""CREATE TEMP TABLE judged AS SELECT * REPLACE (CASE WHEN reason IS NOT NULL THEN raw END AS raw)
        FROM (SELECT {", ".join(NAMES)}, source, raw, CASE {" ".join(reasons)} END AS reason
        FROM (SELECT source, raw, {TYPED} FROM '{out}/bronze.parquet'))"""
    )
    connection.execute(f"COPY (FROM judged WHERE reason IS NOT NULL) TO '{out}/quarantine.parquet' {PARQUET}")
    connection.execute(
        f"""COPY (SELECT * EXCLUDE (raw, reason) FROM judged WHERE reason IS NULL QUALIFY row_number() OVER
        (PARTITION BY event_id, event_time::DATE) = 1 ORDER BY event_time) TO '{out}/silver.parquet' {PARQUET}"""
    )
    write_gold(connection, out)
    bad, good = connection.sql("SELECT count(reason), count(*) - count(reason) FROM judged").fetchall()[0]
    kept = connection.sql(f"SELECT count(*) FROM '{out}/silver.parquet'").fetchall()[0][0]
    print(json.dumps({"quarantined": bad, "duplicates": good - kept}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
