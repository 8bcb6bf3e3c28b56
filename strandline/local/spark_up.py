"""`make spark-up`: a small Spark cluster on this machine, with the S3 server of the demo, until `make spark-down`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from strandline.errors import UsageError
from strandline.lake.objects import S3Credentials
from strandline.local import processes, spark_jars
from strandline.local.credentials import write_private
from strandline.local.narration import Narrator
from strandline.local.seaweed import REGION, Seaweed
from strandline.local.spark import SparkCluster


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m strandline.local.spark_up [--down]` in the repository's root: 0 when the cluster runs (is gone), else 2.

    The lake is the one of the AWS environment; without one, the S3 server of the demo, started when it does not run.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    narrator = Narrator()
    local = Path.cwd() / ".local"
    try:
        if given not in ([], ["--down"]):
            raise UsageError(f"the only argument is --down (saw {' '.join(given)})")
        if given:
            with narrator.step("Stop Spark"):
                SparkCluster(local / "spark").stop()
            return 0
        return _up(local, narrator)
    except (UsageError, processes.ProcessError) as error:
        narrator.fail(str(error))
        return 2


def _up(local: Path, narrator: Narrator) -> int:
    if problem := spark_jars.missing_programs():
        raise UsageError(problem)
    with narrator.step("Fetch the jars of Delta Lake and S3") as step:
        step.result = str(spark_jars.fetch())
    wanted = os.environ.get("SPARK_PORT")
    cluster = SparkCluster(local / "spark", _lake(local, narrator), port=int(wanted) if wanted else None)
    with narrator.step("Start Spark") as step:
        cluster.start(waiting=step.update)
        step.result = f"a master, {len(cluster.workers)} workers and Spark Connect; `make spark-down` ends them"
    write_private(cluster.folder / "env", f'export SPARK_REMOTE="{cluster.address}"\n')
    narrator.say(
        f"Spark Connect  sc://localhost:{cluster.address.split(':')[2].split('/')[0]}, its token is in {cluster.folder}/env"
    )
    narrator.say(f"What runs      {cluster.page}")
    narrator.say(f"To use it      source {cluster.folder}/env, and `engine: spark` in a stream")
    return 0


def _lake(local: Path, narrator: Narrator) -> S3Credentials:
    environment = os.environ
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    if endpoint or "AWS_ACCESS_KEY_ID" in environment:
        return S3Credentials(
            environment.get("AWS_ACCESS_KEY_ID"),
            environment.get("AWS_SECRET_ACCESS_KEY"),
            environment.get("AWS_SESSION_TOKEN"),
            environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION,
            endpoint,
        )
    server = Seaweed(local)
    with narrator.step("Start the S3 server") as step:
        server.start()
        step.result = server.endpoint_url
    keys = server.credentials
    return S3Credentials(keys.access_key_id, keys.secret_access_key, None, REGION, server.endpoint_url)


if __name__ == "__main__":
    raise SystemExit(main())
