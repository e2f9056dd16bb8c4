"""Say what is done in video files: no labels, no lists."""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.plugins import load_plugins


def main() -> int:
    """Parse the arguments, predict, print and write the answers."""
    args = parse()
    load_plugins(args.plugin)
    from slowfast.config import load_config
    from slowfast.utils.logging import setup_logging

    setup_logging()
    adapt = ["TEST.ADAPT", args.adapt] if args.adapt else []
    split = ["TEST.ADAPT_SPLIT", args.adapt_split] if args.adapt_split else []
    cfg = load_config(args.cfg, [*adapt, *split, *args.set])
    # What cannot be read stands in the table.
    logging.getLogger("slowfast").setLevel(logging.ERROR)

    from slowfast.apps.predict import predict_files, render, table
    from slowfast.utils.files import write_json
    from slowfast.utils.paths import argument_path, output_path
    from slowfast.utils.progress import Progress

    videos, pool = ([argument_path(path) for path in paths] for paths in (args.videos, args.pool))
    answers = predict_files(cfg, argument_path(args.checkpoint), videos, args.gamma, pool)
    print(table(answers, args.top))
    if args.json:
        write_json(output_path(args.json), [answer.as_dict(args.top) for answer in answers])
    if args.render:
        progress, names = Progress(len(answers), "writing clips"), {answer.name for answer in answers}
        for answer in answers:
            render(answer, output_path(args.render), names)
            progress.update()
    unreadable = sum(bool(answer.error) for answer in answers)
    if unreadable:
        print(f"{unreadable} of {len(answers)} videos could not be read", file=sys.stderr)
    return cli.EXIT_BAD_INPUT if unreadable == len(answers) else cli.EXIT_OK


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = cli.make_parser(
        "Predict the actions in video files and in all videos below folders.",
        "python tools/predict.py clips/dark --cfg output/mine/config.yaml.resolved --checkpoint output/mine/best.pyth",
    )
    parser.add_argument("videos", nargs="+", metavar="VIDEO_OR_DIR", help="video files, or folders at any depth")
    parser.add_argument(
        "--cfg", required=True, action="append", metavar="FILE", help="configuration; given again: later wins"
    )
    parser.add_argument("--checkpoint", required=True, metavar="FILE", help="weights")
    parser.add_argument(
        "--gamma",
        type=float,
        help="exponent for all videos, 1 is off (default: DATA.GAMMA.TEST for dark, off for light)",
    )
    parser.add_argument("--top", type=cli.at_least_one, default=5, help="classes per video (default 5)")
    parser.add_argument("--json", metavar="FILE", help="write the answers as JSON")
    parser.add_argument("--render", metavar="DIR", help="write copies with the gamma-corrected frame and the answer")
    parser.add_argument("--adapt", metavar="NAME", help="adaptation: batchnorm, recentre, tent, sar (TEST.ADAPT)")
    parser.add_argument("--adapt-split", metavar="SPLIT", help="what it adapts to: a split of the configuration")
    parser.add_argument(
        "--pool", nargs="+", default=[], metavar="PATH", help="or videos, folders, lists (default: the videos)"
    )
    cli.add_plugin_argument(parser)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY VALUE", help="overrides of the configuration")
    return parser.parse_args()


if __name__ == "__main__":
    cli.run(main)
