"""Measure how fast a network, or the data path, is on this machine."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.paths import argument_path

MODELS = ("mvit", "sf", "uniformer", "videomae")


def main() -> None:
    """Parse the arguments and measure."""
    args = parse()
    from slowfast.apps.benchmark.ahead import compile_ahead
    from slowfast.apps.benchmark.command import measure_data, measure_network
    from slowfast.apps.benchmark.epoch import measure_epoch
    from slowfast.apps.benchmark.gpu_command import measure_gpu

    if args.model == "all" and not (args.gpu or args.ahead):
        raise InputError("--model all is for --gpu: name one network")
    models = MODELS if args.model == "all" else [args.model]
    if args.ahead:
        compile_ahead(models, args.opts, batch_size=args.batch_size)
    elif args.epoch:
        measure_epoch(args.model, args.opts, batch_size=args.batch_size, clips=args.clips, steps=args.repeats)
    elif args.gpu:
        path = argument_path(args.json) if args.json else None
        measure_gpu(
            models, args.opts, batch_size=args.batch_size, seconds=args.budget, profiled=args.profile, path=path
        )
    elif args.data:
        measure_data(args.model, args.opts, clips=args.clips, repeats=args.repeats)
    else:
        measure_network(
            args.model, args.opts, batch_size=args.batch_size, repeats=args.repeats, threads=args.threads,
            train=args.train,
        )  # fmt: skip


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.make_parser(
        "Time a full-size network against its plainest form (explicit softmax attention, BatchNorm apart, contiguous "
        "layout), both in turns in one run; the machine's own matrix product is printed beside. With --data: the "
        "loaders of training and testing, by stage, against plain decoding. With --gpu: training and evaluation on a "
        "GPU, in the plain form and in the fast ones. With --epoch: training with its loaders against its step alone.",
        "python tools/benchmark.py --model uniformer --threads 2",
    )
    parser.add_argument("--model", default="uniformer", choices=(*MODELS, "all"), help="network (all: with --gpu)")
    parser.add_argument("--data", action="store_true", help="measure its loaders instead, on 40 rendered clips")
    parser.add_argument("--clips", metavar="DIR", help="with --data or --epoch: the videos to measure with")
    parser.add_argument("--train", action="store_true", help="forward and backward instead of evaluation")
    parser.add_argument("--gpu", action="store_true", help="training and evaluation on a GPU, several forms")
    parser.add_argument("--ahead", action="store_true", help="compile for --gpu now, several at once; measure nothing")
    parser.add_argument("--json", metavar="FILE", help="with --gpu: write the results there too")
    parser.add_argument("--budget", type=float, default=600.0, metavar="SECONDS", help="with --gpu: time for all of it")
    parser.add_argument("--profile", action="store_true", help="with --gpu: print the most expensive kernels")
    parser.add_argument(
        "--epoch", action="store_true", help="the whole tool on rendered clips, on a GPU if there is one"
    )
    parser.add_argument("--batch-size", type=cli.at_least_one, default=1, help="clips (default: %(default)s)")
    parser.add_argument("--threads", type=cli.at_least_one, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument(
        "--repeats", type=cli.at_least_one, default=5, help="timed passes of every form (default: %(default)s)"
    )
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides of the configuration")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    cli.run(main)
