"""Measure what pseudo-labels of an open pool hold: dark clips of a finished demo and of motions of no class."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def main() -> None:
    """Render, predict and select, then print or write the table."""
    parser = cli.make_parser(
        "Add dark clips of 24 other motions to the pools of finished quick demos, a sixth of the whole, and print what"
        " half of the pool holds when clips least like any class are left out. Truth only measures.",
        "python tools/open_pool.py output/demo/quick-seed0 output/demo/quick-seed1",
    )
    parser.add_argument("work", type=Path, nargs="+", help="folders of finished quick demos")
    parser.add_argument("--unknown", type=float, nargs="+", default=[0.1, 0.2], help="shares to leave out (0.1 0.2)")
    parser.add_argument("--table", metavar="MD", help="document with <!-- open-pool --> ... <!-- /open-pool -->")
    args = parser.parse_args()

    from slowfast.demo.open_pool import measure, table
    from slowfast.demo.seeds import replace_marked
    from slowfast.utils.files import write_text

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    results = []
    for work in args.work:
        results.append(measure(work.expanduser().absolute(), args.unknown, environment))
        print(f"{work}: done", flush=True)
    text = table(results, args.unknown)
    print(text)
    if args.table:
        page = Path(args.table)
        write_text(page, replace_marked(page.read_text(encoding="utf-8"), "open-pool", text))


if __name__ == "__main__":
    cli.run(main)
