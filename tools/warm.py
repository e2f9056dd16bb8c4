"""Run a command, such as a schedule's, whose jobs fork from one process that has loaded the libraries."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.warm import warm_jobs


def main() -> int:
    """Start the process that forks, run the command, return its status."""
    parser = cli.make_parser(
        "Run a command below which this library's tools start without loading the libraries again (CPU only): "
        "for schedules of many short jobs.",
        "python tools/warm.py snakemake -s workflow/Snakefile --configfile workflow/real_small.yaml -j 2",
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command and its arguments")
    args = parser.parse_args()
    if not args.command:
        parser.error("name the command")
    with warm_jobs(os.environ) as environment:
        return subprocess.run(args.command, env=environment, check=False).returncode


if __name__ == "__main__":
    cli.run(main)
