"""Try ideas on rendered clips under two kinds of night and on real film, and write the table of them."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def main() -> None:
    """Run what is missing, then print or write the table."""
    parser = cli.make_parser(
        "Run the trials of configs/demo/trials.yaml and write their table between the marks of a document. "
        "Stopped calls go on.",
        "python tools/trials.py --table docs/methods.md",
    )
    parser.add_argument("--plan", default="configs/demo/trials.yaml", help="what is tried (configs/demo/trials.yaml)")
    parser.add_argument("--root", default="output/trials", help="folder of clips and runs (output/trials)")
    parser.add_argument("--real", type=Path, metavar="DATA", help="real clips too: a folder of tools/prepare_lists.py")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="N", help="in place of the plan's")
    parser.add_argument("--jobs", type=int, default=2, help="one-thread runs at a time (2)")
    parser.add_argument("--table", metavar="MD", help="document with <!-- trials --> ... <!-- /trials -->")
    args = parser.parse_args()

    import yaml

    from slowfast.demo.seeds import replace_marked
    from slowfast.demo.trial_figures import measure, table
    from slowfast.demo.trials import places, run_place
    from slowfast.utils.files import write_text
    from slowfast.utils.paths import repo_path
    from slowfast.utils.progress import Progress
    from slowfast.utils.warm import warm_jobs

    plan = yaml.safe_load(Path(repo_path(args.plan)).read_text(encoding="utf-8"))
    plan["seeds"] = args.seeds or plan["seeds"]
    root = Path(args.root).absolute()
    real = args.real.expanduser().absolute() if args.real else None
    todo = places(root, plan, real)
    started = time.monotonic()
    with warm_jobs(os.environ) as environment:
        progress = Progress(len(todo), "trials: kinds of clips and seeds")
        for place in todo:
            run_place(place, plan, environment, args.jobs)
            progress.update()
    text = table(measure(root, plan, real), plan)
    print(f"{text}\n{root / 'trials.json'}: {time.monotonic() - started:.0f} s")
    if args.table:
        page = Path(args.table)
        write_text(page, replace_marked(page.read_text(encoding="utf-8"), "trials", text))


if __name__ == "__main__":
    cli.run(main)
