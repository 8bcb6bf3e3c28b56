"""The jars that Spark needs beside its own to work on a lake: Delta Lake, and Hadoop's S3 client.

They are fetched once, with Maven's own client, into a cache folder of the user.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from strandline.errors import UsageError

SPARK, DELTA, HADOOP, SCALA = "4.2.0", "4.4.0", "3.5.0", "2.13"
"""A set that fits: this Spark comes with this Hadoop, and this Delta was made for it."""

_GROUPS = (
    "io.delta", "io.unitycatalog", "org.apache.hadoop", "org.wildfly.openssl", "software.amazon.awssdk",
    "software.amazon.s3.analyticsaccelerator",
)  # fmt: skip
_SPARKS_OWN = "hadoop-client-api,hadoop-client-runtime"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>strandline</groupId><artifactId>spark-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.delta</groupId><artifactId>delta-spark_{SCALA}</artifactId><version>{DELTA}</version></dependency>
    <dependency><groupId>org.apache.hadoop</groupId><artifactId>hadoop-aws</artifactId><version>{HADOOP}</version></dependency>
  </dependencies>
</project>
"""


def folder() -> Path:
    """Where the jars are kept: `STRANDLINE_SPARK_JARS`, else below the user's cache folder."""
    if given := os.environ.get("STRANDLINE_SPARK_JARS"):
        return Path(given)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "strandline" / f"spark-{SPARK}-delta-{DELTA}-hadoop-{HADOOP}"


def missing() -> str:
    """What is not here of what a Spark on this machine needs, with what to do; empty when all is."""
    if problem := missing_programs():
        return problem
    if not list(folder().glob(f"delta-spark_{SCALA}-*.jar")):
        return f"the jars of Delta Lake and S3 are not in {folder()}: `make spark-up` fetches them"
    return ""


def missing_programs() -> str:
    """What is not here besides the jars, with what to do; empty when all is."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed: pip install 'strandline[spark]'"
    if not (home() / "jars").is_dir():
        return "pyspark has no Spark in it (pyspark-client only speaks to a cluster): pip install 'strandline[spark]'"
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        return "there is no Java on the PATH: Spark needs version 17 or 21 (Debian: apt install openjdk-17-jre-headless)"
    return ""


def home() -> Path:
    """Where Spark stands inside the package `pyspark`; raises `UsageError` without it."""
    found = importlib.util.find_spec("pyspark")
    if found is None or found.origin is None:
        raise UsageError("pyspark is not installed: pip install 'strandline[spark]'")
    return Path(found.origin).parent


def fetch() -> Path:
    """The folder with the jars, fetched when they are not there yet (about 700 MB, most of it the AWS SDK).

    Raises `UsageError` when Maven is missing or does not get them.
    """
    kept = folder()
    if list(kept.glob(f"delta-spark_{SCALA}-*.jar")):
        return kept
    maven = shutil.which("mvn")
    if maven is None:
        raise UsageError(
            f"Maven (`mvn`) is needed once to fetch the jars of Delta Lake and S3 into {kept} (Debian: apt install maven)"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as place:
        (Path(place) / "pom.xml").write_text(_POM, encoding="utf-8")
        draft = Path(place) / "jars"
        wanted = [f"-DoutputDirectory={draft}", f"-DincludeGroupIds={','.join(_GROUPS)}", f"-DexcludeArtifactIds={_SPARKS_OWN}"]
        command = [maven, "-q", "-B", "dependency:copy-dependencies", *wanted]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UsageError(f"Maven did not fetch the jars: {(done.stdout + done.stderr).strip()[-2_000:]}")
        try:
            draft.rename(kept)
        except OSError:  # another process was quicker
            if not kept.is_dir():
                raise
    return kept
