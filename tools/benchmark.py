"""Measure how fast a network is on this machine."""

import functools
import platform
import sys
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
    import torch

    from slowfast.config import load_config
    from slowfast.models import benchmark, build_model
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
    if args.gpu:
        timings = benchmark.time_training_on_gpu(build, size, repeats=args.repeats)
    elif args.train:
        timings = benchmark.time_training(build, size, repeats=args.repeats, threads=args.threads)
    else:
        timings = benchmark.time_evaluation(build, size, repeats=args.repeats)
    training = args.train or args.gpu
    print("training step (forward and backward)" if training else "evaluation, BatchNorm folded but in the plain form")
    print(benchmark.table(timings, clips=size[0], flops=flops * (3 if training else 1), limits=limits))


def _processor() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def parse():
    """Return the arguments."""
    parser = cli.make_parser(
        "Time a full-size network against its plainest form (explicit softmax attention, BatchNorm apart, contiguous "
        "layout), both in turns in one run; the machine's own matrix product is printed beside.",
        "python tools/benchmark.py --model uniformer --threads 2",
    )
    parser.add_argument("--model", required=True, choices=sorted(CONFIGURATIONS), help="network to measure")
    parser.add_argument("--train", action="store_true", help="forward and backward instead of evaluation")
    parser.add_argument("--gpu", action="store_true", help="training step on the GPU, also through torch.compile")
    parser.add_argument("--batch-size", type=int, default=1, help="clips (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="timed passes of every form (default: %(default)s)")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides of the configuration")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    cli.run(main)
