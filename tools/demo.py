"""The whole method on rendered clips: data, training, BatchNorm adaptation, pseudo-label rounds, vote, report."""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.demo.dataset import check_folder, parameters_of
from slowfast.demo.schedule import publish, record_seconds, run_graph
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.paths import REPO_ROOT


def main() -> int:
    """Run the graph of jobs, then collect the figures and write the report."""
    parser = cli.make_parser(
        "Render the demo clips, run the whole schedule on the CPU, print the accuracy ladder. Call again to resume.",
        "python tools/demo.py --seed 0 --mode quick",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of clips and networks (0)")
    parser.add_argument("--mode", choices=("first", "quick", "full"), default="quick", help="length (quick)")
    parser.add_argument("--jobs", type=int, default=2, help="one-thread jobs at a time (2)")
    args = parser.parse_args()
    if args.seed < 0 or args.jobs < 1:
        raise InputError("--seed needs a value of 0 or more and --jobs one of at least 1")
    work = Path("output/demo") / f"{args.mode}-seed{args.seed}"
    check_folder(REPO_ROOT / work / "data", parameters_of(args.seed, args.mode))
    start = time.monotonic()
    status = run_graph(work, args.seed, args.mode, args.jobs)
    if status:
        return status
    record_seconds(REPO_ROOT / work, time.monotonic() - start)
    command = [
        sys.executable,
        "tools/demo_report.py",
        "--work",
        str(work),
        "--seed",
        str(args.seed),
        "--mode",
        args.mode,
    ]
    status = subprocess.run(command, cwd=REPO_ROOT, check=False).returncode
    if not status:
        publish(REPO_ROOT / work, REPO_ROOT / "output/demo")
    return status


if __name__ == "__main__":
    cli.run(main)
