"""The bare ingest: read a file, gzip it, put it. `python bare_put.py FILE BUCKET KEY` (AWS by the environment)."""

import gzip
import json
import resource
import sys
from pathlib import Path

import boto3


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


before = cpu()
data = gzip.compress(Path(sys.argv[1]).read_bytes(), 6)
boto3.client("s3").put_object(Bucket=sys.argv[2], Key=sys.argv[3], Body=data)
print(json.dumps({"bytes": len(data), "work_cpu": round(cpu() - before, 3), "before_cpu": round(before, 3)}))
