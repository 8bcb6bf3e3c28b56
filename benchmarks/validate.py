"""How long `strandline validate` takes for 1,000 streams: prints CPU and wall seconds, and fails past the aim.

`python -m benchmarks.validate [NUMBER]`. The streams are the five of `config/streams`, in full, each as many times as needed,
with its own name, seed, tags, metrics and volume, in a temporary folder. What is timed is the command as a user runs it: one
new process, all checks, the report. The aim counts CPU seconds, so that a busy machine judges alike.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).parents[1]
AIM = {5: 1.0, 1000: 5.0}
"""CPU seconds by number of streams."""


def main(number: int) -> int:
    """0 when the aim was met (or there is none for this number), 1 otherwise."""
    with tempfile.TemporaryDirectory(prefix="strandline-validate-") as folder:
        config = Path(folder) / "config"
        write_streams(config / "streams", number)
        shutil.copytree(ROOT / "config" / "dags", config / "dags")
        cpu, wall = timed([sys.executable, "-c", "from strandline.cli import app; app()", "validate", "--config", str(config)])
    aim = AIM.get(number)
    print(
        f"validate: {number:,} streams in {cpu:.2f} CPU s, {wall:.2f} s wall ({cpu / number * 1000:.1f} ms a stream"
        + (f"; aim: {aim:g} CPU s)" if aim else ")")
    )
    return 0 if aim is None or cpu <= aim else 1


def write_streams(folder: Path, number: int) -> None:
    """`number` valid streams, no two alike."""
    folder.mkdir(parents=True)
    models = sorted((ROOT / "config" / "streams").glob("*.yaml"))
    for index, model in enumerate(islice(cycle(models), number)):
        name = f"{model.stem}_{index:04}"
        text = re.sub(rf"^stream: {model.stem}$", f"stream: {name}", model.read_text(encoding="utf-8"), flags=re.MULTILINE)
        text = re.sub(r"^  seed: \d+$", f"  seed: {index}", text, flags=re.MULTILINE)
        text = re.sub(r"^tags: \[", f"tags: [copy-{index}, ", text, flags=re.MULTILINE)
        text = re.sub(r"\b(p95|p99|p50)_(\w+)", rf"\1_\2_{index}", text)
        text = re.sub(r"mean: (\d+), daily_profile", rf"mean: \1.{index}, daily_profile", text)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def timed(command: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of a process, children included; raises CalledProcessError when it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.stderr.write((done.stdout + done.stderr)[-4000:])
        raise subprocess.CalledProcessError(done.returncode, command)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
