"""Collect the figures of a finished demo: metrics.json, report.html, the ladder on the terminal."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.demo.report import collect
from slowfast.demo.results import describe, example_clips, files_of, read_run, read_seconds, read_verdict
from slowfast.ensemble.provenance import record_report
from slowfast.report import ReportData, ladder_table, write_report
from slowfast.utils import cli
from slowfast.utils.files import write_json
from slowfast.utils.paths import argument_path


def main() -> None:
    """Parse the arguments, measure, write."""
    parser = cli.make_parser(
        "Measure every step of a finished demo on its dark test set; write metrics.json and report.html beside it.",
        "python tools/demo_report.py --work output/demo/quick-seed0 --seed 0 --mode quick",
    )
    parser.add_argument("--work", required=True, help="folder of the demo run")
    parser.add_argument("--seed", type=int, default=0, help="seed of the run (0)")
    parser.add_argument("--mode", choices=("first", "quick", "full"), default="quick", help="length of the run (quick)")
    parser.add_argument("--clips", type=int, default=12, help="example clips on the page (12)")
    args = parser.parse_args()
    work = argument_path(args.work)
    run = read_run(work)
    figures = collect(run)
    seconds = read_seconds(work)
    data = ReportData(
        title=f"Nightcrawler: the {args.mode} demo, seed {args.seed}",
        class_names=run.class_names,
        ladder=figures.ladder,
        steps=figures.steps,
        rounds=figures.rounds,
        clips=example_clips(work, figures, args.clips, args.seed),
        seconds=seconds,
        settings=describe(work, run, args.seed, args.mode),
    )
    write_json(work / "metrics.json", figures.metrics(seed=args.seed, mode=args.mode, seconds=seconds))
    write_report(work / "report.html", data)
    record_report(work / "report.html", files_of(work))
    print(ladder_table(figures.ladder))
    for entry in figures.rounds:
        share = f"{entry.selected} of {entry.pool} ({entry.coverage:.1f} %)"
        said = read_verdict(work, entry.stage)
        print(f"pseudo-labels of round {entry.stage}: {share}, precision {entry.precision:.1f} %{said and f'; {said}'}")


if __name__ == "__main__":
    cli.run(main)
