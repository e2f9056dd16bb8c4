"""Show where a network looks: Grad-CAM clips of video files."""

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.plugins import load_plugins

# One clip a video, as the network sees it.
_ONE = ("TEST.NUM_ENSEMBLE_VIEWS", "1", "TEST.NUM_SPATIAL_CROPS", "1", "TEST.BATCH_SIZE", "1",
        "DATA.DEVICE_TRANSFORM", "False")  # fmt: skip


def main() -> int:
    """Parse the arguments, write the clips."""
    parser = cli.make_parser(
        "Write a clip for each video: what the network saw, and what of that spoke for its answer (Grad-CAM).",
        "python tools/cam.py --cfg output/mine/config.yaml.resolved --checkpoint output/mine/best.pyth "
        "--videos clips/dark --output-dir output/cam",
    )
    add = parser.add_argument
    add("--cfg", required=True, action="append", metavar="FILE", help="configuration; given again: later wins")
    add("--checkpoint", required=True, metavar="FILE", help="weights")
    add("--videos", required=True, nargs="+", metavar="VIDEO_OR_DIR", help="video files, or folders at any depth")
    add("--output-dir", required=True, metavar="DIR", help="of the clips, NAME_cam.mp4")
    add("--class", dest="name", default="", metavar="NAME", help="class to explain (default: the most likely one)")
    add("--gamma", type=float, help="exponent for all, 1 is off (default: DATA.GAMMA.TEST for dark, off for light)")
    cli.add_plugin_argument(parser)
    add("--set", nargs="+", default=[], metavar="KEY VALUE", help="overrides of the configuration")
    args = parser.parse_args()
    load_plugins(args.plugin)
    from slowfast.apps.cam import write_cams
    from slowfast.config import load_config
    from slowfast.utils.logging import setup_logging
    from slowfast.utils.paths import argument_path, output_path

    setup_logging()
    cfg = load_config(args.cfg, [*args.set, *_ONE])
    logging.getLogger("slowfast").setLevel(logging.ERROR)
    videos, how = [argument_path(path) for path in args.videos], {"name": args.name, "gamma": args.gamma}
    unreadable, count = write_cams(cfg, argument_path(args.checkpoint), videos, output_path(args.output_dir), **how)
    return cli.EXIT_BAD_INPUT if unreadable == count else cli.EXIT_OK


if __name__ == "__main__":
    cli.run(main)
