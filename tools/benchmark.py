"""Measure how fast a network, or the data path, is on this machine."""

import argparse
import functools
import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError

CONFIGURATIONS = {
    "uniformer": "exp_pseudo_stage4/uniformer_b32_k600/config.yaml",
    "mvit": "exp_pseudo_stage4/mvit_b32_k600/config.yaml",
    "sf": "exp_pseudo_stage4/sf32_k700/config.yaml",
    "videomae": "configs/features/videomae_vitl_hybrid_k700.yaml",
}


def main() -> None:
    """Parse the arguments and measure."""
    args = parse()
    if args.data:
        measure_data(args)
    else:
        measure_network(args)


def measure_network(args: argparse.Namespace) -> None:
    """Measure a network, on the CPU or a GPU."""
    import torch

    from slowfast.apps.benchmark import networks as benchmark
    from slowfast.config import load_config
    from slowfast.models import build_model
    from slowfast.utils.paths import repo_path

    torch.set_num_threads(args.threads)
    cfg = load_config(repo_path(CONFIGURATIONS[args.model]), ["MODEL.USE_CHECKPOINT", "False", *args.opts])
    build = functools.partial(build_model, cfg)
    size = (args.batch_size, 3, cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TRAIN_CROP_SIZE)
    flops = benchmark.count_flops(build, size)
    device = "cuda" if args.gpu else "cpu"
    if args.gpu and not torch.cuda.is_available():
        raise InputError("--gpu: torch finds no GPU here")
    name = torch.cuda.get_device_name() if args.gpu else f"{_processor()}, {args.threads} threads"
    print(f"{args.model}, clips {size}, {flops / 1e9:.0f} GFLOP forward; {name}; torch {torch.__version__}")
    limits = {dtype: benchmark.matrix_limit(dtype, device) for dtype in (torch.float32, torch.bfloat16)}
    print(
        "matrix product: " + ", ".join(f"{rate / 1e9:.0f} GFLOP/s {str(dtype)[6:]}" for dtype, rate in limits.items())
    )
    half = limits[torch.bfloat16] > limits[torch.float32] / 2
    if args.gpu:
        timings = benchmark.time_training_on_gpu(build, size, repeats=args.repeats)
    elif args.train:
        timings = benchmark.time_training(build, size, repeats=args.repeats, threads=args.threads, half=half)
    else:
        timings = benchmark.time_evaluation(build, size, repeats=args.repeats, half=half)
    if not half and not args.gpu:
        print("bfloat16 is left out: this processor has no fast arithmetic for it")
    training = args.train or args.gpu
    print("training step (forward and backward)" if training else "evaluation, BatchNorm folded but in the plain form")
    print(benchmark.table(timings, clips=size[0], flops=flops * (3 if training else 1), limits=limits))


def measure_data(args: argparse.Namespace) -> None:
    """Measure the loaders with one thread, on given clips or on rendered ones."""
    import torch

    from slowfast.apps.benchmark import data as benchmark
    from slowfast.config import load_config
    from slowfast.demo.large_clips import make_large_clips
    from slowfast.lists.endings import find_files
    from slowfast.utils.paths import argument_path, repo_path

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = find_files(argument_path(args.clips)) if args.clips else make_large_clips(Path(folder), 40)
        settings = ["DATA.DECODING_BACKEND", "pyav", *benchmark.settings_of(Path(folder), paths), *args.opts]
        cfg = load_config(repo_path(CONFIGURATIONS[args.model]), settings)
        ways = benchmark.measure_data(cfg, repeats=args.repeats)
    size = (
        f"{cfg.DATA.NUM_FRAMES} frames of {cfg.DATA.TEST_CROP_SIZE} pixels, {cfg.DATA.DECODING_BACKEND}, processor time"
    )
    print(f"{len(paths)} videos, clips of {size}; {_processor()}, 1 thread; torch {torch.__version__}")
    print(benchmark.data_table(ways, len(paths)))


def _processor() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.make_parser(
        "Time a full-size network against its plainest form (explicit softmax attention, BatchNorm apart, contiguous "
        "layout), both in turns in one run; the machine's own matrix product is printed beside. With --data: the "
        "loaders of training and testing, by stage, against plain decoding.",
        "python tools/benchmark.py --model uniformer --threads 2",
    )
    parser.add_argument("--model", default="uniformer", choices=sorted(CONFIGURATIONS), help="network to measure")
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
