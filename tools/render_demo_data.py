"""Render the video clips of the embedded demo, or those of its pre-training."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.demo.dataset import ACTIONS, OTHER, make_dataset
from slowfast.demo.night import NIGHTS
from slowfast.utils import cli


def main() -> None:
    """Parse the arguments and render."""
    parser = cli.make_parser(
        "Render clips of people as H.264 files with CSV lists in the layout of DATA.PATH_PREFIX. "
        "A finished folder with the same parameters is kept; an interrupted one is continued.",
        "python tools/render_demo_data.py --output output/demo/data --seed 0 --mode quick",
    )
    parser.add_argument("--output", type=Path, required=True, help="data root to fill")
    parser.add_argument("--seed", type=int, default=0, help="every clip depends on it (default 0)")
    parser.add_argument("--mode", choices=("first", "quick", "full"), default="quick", help="how many clips")
    parser.add_argument(
        "--other-motions", action="store_true", help="24 other motions in normal light, for pre-training"
    )
    parser.add_argument("--night", choices=tuple(NIGHTS), default="camera", help="how clips become dark (camera)")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes (default 2)")
    arguments = parser.parse_args()
    started = time.monotonic()
    manifest = make_dataset(
        arguments.output.expanduser().absolute(),
        seed=arguments.seed,
        mode=arguments.mode,
        kind=OTHER if arguments.other_motions else ACTIONS,
        night=arguments.night,
        workers=arguments.workers,
    )
    clips = sum(split["clips"] for split in manifest["splits"].values())
    print(
        f"{arguments.output}: {clips} clips of {len(manifest['classes'])} classes, {time.monotonic() - started:.0f} s"
    )


if __name__ == "__main__":
    cli.run(main)
