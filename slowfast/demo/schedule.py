"""Running the demo's graph of jobs: how long it took, where the results go."""

import json
import os
import shutil
import sys
from pathlib import Path

from slowfast.demo.dataset import size_of_clips
from slowfast.demo.results import ROUNDS, rules_of
from slowfast.utils import cli
from slowfast.utils.files import atomic_write, write_json
from slowfast.utils.paths import REPO_ROOT
from slowfast.utils.warm import warm_jobs
from slowfast.utils.workflow import run_workflow


def run_graph(work: Path, seed: int, mode: str, jobs: int) -> int:
    """Run the workflow for one seed; one line says where it stands and how long it still takes."""
    settings = {"seed": seed, "mode": mode, "python": sys.executable, "rules": rules_of(mode)}
    # A newcomer's first look shows a round, whatever its labels are worth.
    settings |= {"force": "--force"} if mode == "first" else {}
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", "workflow/Snakefile", "--configfile", "workflow/demo.yaml",
        "--config", f"root={work}", f"data={work}/data", f"settings={json.dumps(settings)}",
        f"rounds={ROUNDS[mode]}", f"clips={size_of_clips(mode)}",
        "--cores", str(jobs), "--rerun-incomplete", "--nolock",
    ]  # fmt: skip
    with warm_jobs(os.environ) as environment:
        status = run_workflow(command, REPO_ROOT, environment)
    return status and cli.EXIT_INTERNAL


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
