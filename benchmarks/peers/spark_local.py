"""PySpark on this machine: raw lines, from_json to text columns, one judged frame kept on disk, Spark SQL for gold."""

import json
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as f
from pyspark.sql.types import StringType, StructField, StructType

NAMES = [
    "event_id", "event_time", "event_type", "user_id", "session_id", "country", "device", "os", "browser", "app_version",
    "client_ip", "page", "referrer", "status_code", "duration_ms", "quantity", "amount", "latitude", "longitude", "is_new",
]  # fmt: skip
TYPES = {"event_time": "timestamp", "status_code": "bigint", "quantity": "bigint", "is_new": "boolean"}
TYPES |= dict.fromkeys(("duration_ms", "amount", "latitude", "longitude"), "double")


def main(folder: Path, out: Path) -> None:
    spark = (
        SparkSession.builder.master(f"local[{os.cpu_count()}]")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", 4)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.ui.enabled", "false")
        .config("spark.local.dir", str(out / "spill"))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    schema = StructType([StructField(name, StringType()) for name in NAMES])
    lines = spark.read.text(f"{folder}/*.ndjson.gz")
    bronze = lines.select("value", f.from_json("value", schema).alias("e")).select("value", "e.*")
    bronze.write.parquet(str(out / "bronze"))
    typed = spark.read.parquet(str(out / "bronze")).select(
        "value",
        *(f.expr(f"try_cast({n} AS {TYPES[n]})").alias(n) if n in TYPES else f.col(n) for n in NAMES),
        *(f.col(n).alias(f"{n}_text") for n in TYPES),
    )
    good = f.expr(
        "coalesce(event_id IS NOT NULL AND event_time IS NOT NULL AND user_id IS NOT NULL "
        "AND event_type IN ('view', 'search', 'add_to_cart', 'checkout', 'purchase', 'refund') "
        + "".join(f"AND ({n}_text IS NULL OR {n} IS NOT NULL) " for n in TYPES)
        + "AND (status_code BETWEEN 100 AND 599 OR status_code IS NULL) AND (duration_ms >= 0 OR duration_ms IS NULL) "
        "AND (quantity >= 0 OR quantity IS NULL) AND (amount >= 0 OR amount IS NULL) "
        "AND (abs(latitude) <= 90 OR latitude IS NULL) AND (abs(longitude) <= 180 OR longitude IS NULL) "
        "AND (event_type <> 'purchase' OR amount > 0), false)"
    )
    judged = typed.withColumn("good", good)
    judged.filter("NOT good").select("value", *NAMES).write.parquet(str(out / "quarantine"))
    key = Window.partitionBy("event_id", f.to_date("event_time")).orderBy(f.lit(1))
    kept = judged.filter("good").select(*NAMES, f.row_number().over(key).alias("n")).filter("n = 1").drop("n")
    kept.write.parquet(str(out / "silver"))
    spark.read.parquet(str(out / "silver")).createOrReplaceTempView("silver")
    spark.sql(
        "SELECT date_trunc('hour', event_time) AS window_start, event_type, country, count(*) AS events, "
        "count_if(status_code >= 500) AS failures, count_if(status_code >= 500) / count(*) AS fail_rate, "
        "sum(amount) AS revenue, percentile(duration_ms, 0.95) AS p95_ms, count(DISTINCT user_id) AS users "
        "FROM silver GROUP BY 1, 2, 3"
    ).toPandas().to_parquet(out / "sales_hourly.parquet")
    spark.sql(
        "SELECT window(event_time, '5 minutes').start AS window_start, device, count(*) AS events, sum(quantity) AS items, "
        "avg(duration_ms) AS avg_ms, max(duration_ms) AS slowest_ms FROM silver GROUP BY 1, 2"
    ).toPandas().to_parquet(out / "devices_5m.parquet")
    lines_read = spark.read.parquet(str(out / "bronze")).count()
    bad = spark.read.parquet(str(out / "quarantine")).count()
    kept_rows = spark.read.parquet(str(out / "silver")).count()
    print(json.dumps({"quarantined": bad, "duplicates": lines_read - bad - kept_rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
