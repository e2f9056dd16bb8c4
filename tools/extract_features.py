"""Slide a network over long videos and write a feature file for each; under torchrun every process takes a share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.plugins import load_plugins

# Options that stand for a configuration key.
_SHORTHAND = {
    name.lower(): f"FEATURES.{name}" for name in ("BATCH_SIZE", "FPS", "STRIDE", "TAIL", "LAYER", "POOL", "DECODERS")
} | {"precision": "TEST.MIXED_PRECISION"}


def main() -> None:
    """Parse the arguments, load the configuration, extract."""
    args = parse()
    load_plugins(args.plugin)
    from slowfast.apps.features import benchmark, extract
    from slowfast.config import load_config
    from slowfast.features.store import summarise
    from slowfast.features.videos import find_videos
    from slowfast.utils.files import printable
    from slowfast.utils.logging import setup_logging
    from slowfast.utils.paths import argument_path, output_path

    setup_logging()
    args.pool = "all" if args.pool == "none" else args.pool
    opts = [part for name, key in _SHORTHAND.items() if getattr(args, name) is not None
            for part in (key, str(getattr(args, name)))]  # fmt: skip
    cfg = load_config(args.cfg, [*opts, *args.opts])
    output = output_path(args.output_dir or "output/features")
    videos = find_videos(argument_path(args.video_dir), output, args.view)
    if args.benchmark:
        benchmark(cfg, videos)
        return
    if args.checkpoint is None or args.output_dir is None:
        raise InputError("--checkpoint and --output-dir are needed (--checkpoint none: a folder's weights, or random)")
    rows = extract(cfg, args.checkpoint, videos, output, args.shard)
    print(printable(f"{output}: {summarise(rows)}"), flush=True)
    if args.strict and not all(row.has_features for row in rows):
        raise InputError(f"--strict: some videos have no features, the reasons are in {output / 'features.csv'}")


def parse():
    """Return the parsed arguments."""
    parser = cli.make_parser(
        "Slide a network over every video of a view; write one .npz a video and an index features.csv; again: resume.",
        "python tools/extract_features.py --cfg configs/features/tiny.yaml --checkpoint none "
        "--video-dir ../shared/videos/dark --output-dir output/features",
    )
    parser.add_argument("--cfg", required=True, action="append", metavar="FILE", help="YAML file; again: later wins")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights; none: those of a folder, or random ones")
    parser.add_argument("--video-dir", required=True, metavar="DIR", help="videos at any depth")
    parser.add_argument("--output-dir", metavar="DIR", help="gets <parent folder>/<name>.npz and features.csv")
    parser.add_argument("--view", default="", metavar="NAME", help="start of the file names, like Dash (all)")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="part I of N, I from 1 to N (1/1)")
    numbers = {"batch-size": "windows of a forward pass (8)", "stride": "frames from window to window (16)"}
    for name, text in {**numbers, "decoders": "videos decoded at a time (2)"}.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=text)
    parser.add_argument("--fps", type=float, metavar="F", help="resample videos to this frame rate (as they are)")
    choice = {"tail": ("drop", "pad"), "pool": ("mean", "cls", "none"), "precision": ("auto", "off", "bf16", "fp16")}
    for name, text in {"tail": "end of a video (drop)", "pool": "of --layer (mean)", "precision": "(auto)"}.items():
        parser.add_argument(f"--{name}", choices=choice[name], help=text)
    parser.add_argument("--layer", metavar="NAME", help="take a layer's output, as blocks.11 (what the head sees)")
    parser.add_argument("--strict", action="store_true", help="exit with status 2 when a video has no features")
    parser.add_argument("--benchmark", action="store_true", help="only time decoding and preprocessing, two ways")
    cli.add_plugin_argument(parser)
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides, as TEST.ADAPT recentre")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    cli.run(main)
