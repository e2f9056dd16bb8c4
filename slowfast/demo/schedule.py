"""Running the demo's graph of jobs: progress, what failed, how long it took, where the results go."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from slowfast.demo.results import ROUNDS, rules_of
from slowfast.utils import cli
from slowfast.utils.files import atomic_write, write_json
from slowfast.utils.paths import REPO_ROOT
from slowfast.utils.progress import format_seconds

_STEPS_DONE = re.compile(r"(\d+) of (\d+) steps")
_LOG_OF = re.compile(r"^\s+log: (\S+)")


def run_graph(work: Path, seed: int, mode: str, jobs: int) -> int:
    """Run the workflow for one seed; print a line with the time left for every finished job."""
    settings = {"seed": seed, "mode": mode, "python": sys.executable, "rules": rules_of(mode)}
    # A newcomer's first look shows a round, whatever its labels are worth.
    settings |= {"force": "--force"} if mode == "first" else {}
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", "workflow/Snakefile", "--configfile", "workflow/demo.yaml",
        "--config", f"root={work}", f"data={work}/data", f"settings={json.dumps(settings)}",
        f"rounds={ROUNDS[mode]}",
        "--cores", str(jobs), "--rerun-incomplete", "--nolock",
    ]  # fmt: skip
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    process = subprocess.Popen(
        command, cwd=REPO_ROOT, env={**os.environ, **one_thread}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines = follow(process)
    status = process.wait()
    if status:
        explain(lines)
    return status and cli.EXIT_INTERNAL


def follow(process: subprocess.Popen) -> list[str]:
    """Print progress from the workflow's output; return its last lines."""
    lines: list[str] = []
    start, first = time.monotonic(), None
    for line in process.stdout:
        lines = [*lines[-200:], line.rstrip()]
        match = _STEPS_DONE.search(line)
        if not match:
            continue
        done, total = int(match[1]), int(match[2])
        first = first or done
        spent = time.monotonic() - start
        left = spent / done * (total - done)
        print(f"[{format_seconds(spent)}] {done} of {total} jobs done, ETA {format_seconds(left)}", flush=True)
    return lines


def explain(lines: list[str]) -> None:
    """Print the end of the logs of the jobs that failed."""
    logs = [match[1] for line in lines if (match := _LOG_OF.match(line))]
    failed = [line for line in lines if line.startswith("Error in rule")]
    print("\n".join(failed or lines[-20:]), file=sys.stderr)
    for name in dict.fromkeys(logs[-len(failed) or -1 :]):
        path = REPO_ROOT / name
        if path.is_file():
            tail = path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            print(f"--- {name}", *tail, sep="\n", file=sys.stderr)


def record_seconds(work: Path, seconds: float) -> None:
    """Write `timings.json`: seconds of every job, and of the graph as a whole over all calls."""
    path = work / "timings.json"
    before = json.loads(path.read_text()) if path.is_file() else {}
    jobs = {}
    for table in sorted((work / "timings").rglob("*.tsv")):
        header, values = table.read_text().splitlines()[:2]
        jobs[table.stem] = round(float(dict(zip(header.split("\t"), values.split("\t")))["s"]), 1)
    wall = seconds if jobs.keys() != before.keys() - {"wall"} else before.get("wall", seconds)
    write_json(path, {**jobs, "wall": round(wall, 1)})


def publish(work: Path, target: Path) -> None:
    """Copy figures, report and submission of this seed to the demo's folder."""
    submission = sorted((work / "submission").glob("*.csv"))
    for path in (work / "metrics.json", work / "report.html", *submission):
        with atomic_write(target / path.relative_to(work)) as aside:
            shutil.copyfile(path, aside)
    print(f"figures: {target / 'metrics.json'}\nreport: {target / 'report.html'}\nsubmission: {target / 'submission'}")
