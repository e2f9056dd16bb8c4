"""Measure how fast a network, or the data path, is on this machine."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli

MODELS = ("mvit", "sf", "uniformer", "videomae")


def main() -> None:
    """Parse the arguments and measure."""
    args = parse()
    from slowfast.apps.benchmark.command import measure_data, measure_network

    if args.data:
        measure_data(args.model, args.opts, clips=args.clips, repeats=args.repeats)
    else:
        measure_network(
            args.model, args.opts, batch_size=args.batch_size, repeats=args.repeats, threads=args.threads,
            train=args.train, gpu=args.gpu,
        )  # fmt: skip


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.make_parser(
        "Time a full-size network against its plainest form (explicit softmax attention, BatchNorm apart, contiguous "
        "layout), both in turns in one run; the machine's own matrix product is printed beside. With --data: the "
        "loaders of training and testing, by stage, against plain decoding.",
        "python tools/benchmark.py --model uniformer --threads 2",
    )
    parser.add_argument("--model", default="uniformer", choices=MODELS, help="network to measure")
    parser.add_argument("--data", action="store_true", help="measure its loaders instead, on 40 rendered clips")
    parser.add_argument("--clips", metavar="DIR", help="with --data: the videos to measure with")
    parser.add_argument("--train", action="store_true", help="forward and backward instead of evaluation")
    parser.add_argument("--gpu", action="store_true", help="training step on the GPU, also through torch.compile")
    parser.add_argument("--batch-size", type=cli.at_least_one, default=1, help="clips (default: %(default)s)")
    parser.add_argument("--threads", type=cli.at_least_one, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=cli.at_least_one, default=5, help="timed passes of every form (default: %(default)s)"
    )
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides of the configuration")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    cli.run(main)
