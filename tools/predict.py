"""Say what is done in video files: no labels, no lists."""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.plugins import load_plugins


def main() -> int | None:
    """Predict, print and write the answers."""
    args = parse()
    load_plugins(args.plugin)
    from slowfast.config import load_config
    from slowfast.utils.logging import setup_logging

    setup_logging()
    adapt = {"TEST.ADAPT": args.adapt, "TEST.ADAPT_SPLIT": args.adapt_split}
    cfg = load_config(args.cfg, [*(part for pair in adapt.items() if pair[1] for part in pair), *args.set])
    logging.getLogger("slowfast").setLevel(logging.WARNING)
    logging.getLogger("slowfast.engine.evaluator").setLevel(logging.ERROR)  # what cannot be read stands in the table

    from slowfast.apps import predict, stream, timeline
    from slowfast.utils.paths import argument_path, output_path

    videos, pool = ([argument_path(path) for path in paths] for paths in (args.videos, args.pool))
    json, copies, times = (output_path(path) if path else None for path in (args.json, args.render, args.timeline))
    if bool(videos) == bool(args.stream) or (args.stream and (json or copies or times)):
        raise InputError("videos are needed, or --stream SOURCE without videos, --json, --render and --timeline")
    trained = cfg, argument_path(args.checkpoint)
    slide = {"window": args.window, "stride": args.stride, "gamma": args.gamma, "pool": pool}
    if args.stream:
        return stream.predict_stream(*trained, args.stream, **slide)
    if args.timeline:
        how = {"threshold": args.threshold, "shortest": args.shortest, **slide}
        unreadable, count = timeline.write_timelines(*trained, videos, times, **how)
    else:
        answers = predict.predict_files(*trained, videos, args.gamma, pool, args.threshold)
        unreadable, count = predict.write_answers(answers, args.top, json, copies), len(answers)
    if unreadable:
        print(f"{unreadable} of {count} videos could not be read", file=sys.stderr)
    return cli.EXIT_BAD_INPUT if unreadable == count else cli.EXIT_OK


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = cli.make_parser(
        "Predict the actions in video files and in all videos below folders.",
        "python tools/predict.py clips/dark --cfg output/mine/config.yaml.resolved --checkpoint output/mine/best.pyth",
    )
    add = parser.add_argument
    add("videos", nargs="*", metavar="VIDEO_OR_DIR", help="video files, or folders at any depth")
    add("--cfg", required=True, action="append", metavar="FILE", help="configuration; given again: later wins")
    add("--checkpoint", required=True, metavar="FILE", help="weights")
    add("--gamma", type=float, help="exponent for all, 1 is off (default: DATA.GAMMA.TEST for dark, off for light)")
    add("--top", type=cli.at_least_one, default=5, help="classes per video (default 5)")
    add("--json", metavar="FILE", help="write the answers as JSON")
    add("--render", metavar="DIR", help="write copies with the gamma-corrected frame and the answer")
    add("--timeline", metavar="DIR", help="scores over the time of long videos: tables, segments and pictures")
    seconds = {"type": cli.above_zero, "default": 0.0, "metavar": "S"}
    add("--stream", metavar="SOURCE", help="or: a line of JSON for each window of a file, camera or network address")
    add("--window", **seconds, help="seconds of a window (default: DATA.NUM_FRAMES x DATA.SAMPLING_RATE frames)")
    add("--stride", **seconds, help="seconds from window to window (default: half a window)")
    add("--threshold", type=float, default=0.5, help="probability from which a window or a class counts (0.5)")
    add("--shortest", **seconds, help="seconds of a segment at least (any)")
    add("--adapt", metavar="NAME", help="adaptation: batchnorm, recentre, tent, sar (TEST.ADAPT)")
    add("--adapt-split", metavar="SPLIT", help="what it adapts to: a split of the configuration")
    add("--pool", nargs="+", default=[], metavar="PATH", help="or videos, folders, lists (default: the videos)")
    cli.add_plugin_argument(parser)
    add("--set", nargs="+", default=[], metavar="KEY VALUE", help="overrides of the configuration")
    return parser.parse_args()


if __name__ == "__main__":
    cli.run(main)
