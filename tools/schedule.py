"""A schedule of jobs with one line that says where it stands."""

import argparse
import contextlib
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.paths import REPO_ROOT, argument_path
from slowfast.utils.warm import warm_jobs
from slowfast.utils.workflow import run_workflow


def main() -> int:
    """Run Snakemake on a schedule and follow it."""
    parser = cli.make_parser(
        "Run a schedule with Snakemake; one line shows jobs done, how far those that run are, and the time left.",
        "python tools/schedule.py --warm workflow/real_small.yaml -j 2",
    )
    parser.add_argument(
        "--warm",
        action="store_true",
        help="jobs of one thread fork from a process that has loaded the libraries, seconds saved by each; CPU only",
    )
    parser.add_argument("schedule", help="YAML of the schedule")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help="what else Snakemake gets, such as -j 2")
    args = parser.parse_args()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPO_ROOT / "workflow/Snakefile")]
    command += ["--configfile", str(argument_path(args.schedule)), *args.words]
    with warm_jobs(os.environ) if args.warm else contextlib.nullcontext() as environment:
        return run_workflow(command, Path.cwd(), environment) and cli.EXIT_INTERNAL


if __name__ == "__main__":
    cli.run(main)
