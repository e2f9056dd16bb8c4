"""Slide a network over long videos and write a feature file for each."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError

# Options that stand for a configuration key.
_SHORTHAND = {
    "batch_size": "FEATURES.BATCH_SIZE",
    "fps": "FEATURES.FPS",
    "stride": "FEATURES.STRIDE",
    "tail": "FEATURES.TAIL",
    "decoders": "FEATURES.DECODERS",
    "precision": "TEST.MIXED_PRECISION",
}


def main() -> None:
    """Parse the arguments, load configuration and weights, extract."""
    args = parse()
    from slowfast.config import load_config
    from slowfast.engine.launch import process_setup
    from slowfast.features.videos import find_videos, parse_shard, share_of
    from slowfast.utils import distributed
    from slowfast.utils.logging import setup_logging
    from slowfast.utils.paths import argument_path, output_path

    setup_logging()
    opts = [part for name, key in _SHORTHAND.items() if getattr(args, name) is not None
            for part in (key, str(getattr(args, name)))]  # fmt: skip
    cfg = load_config(args.cfg, [*opts, *args.opts])
    shard, num_shards = parse_shard(args.shard)
    output = output_path(args.output_dir or "output/features")
    videos = find_videos(argument_path(args.video_dir), output, args.view)
    if args.benchmark:
        benchmark(cfg, videos)
        return
    if args.checkpoint is None or args.output_dir is None:
        raise InputError("--checkpoint and --output-dir are needed (--checkpoint none: random weights)")
    with process_setup(cfg) as device:
        setup_logging(main_process=distributed.is_main())
        world = distributed.world_size()
        mine = share_of(videos, shard * world + distributed.rank(), num_shards * world)
        rows = extract(cfg, args.checkpoint, mine, output, device)
    from slowfast.features.store import summarise
    from slowfast.utils.files import printable

    print(printable(f"{output}: {summarise(rows)}"), flush=True)
    if args.strict and not all(row.has_features for row in rows):
        raise InputError(f"--strict: some videos have no features, the reasons are in {output / 'features.csv'}")


def extract(cfg, checkpoint: str, videos: list, output: Path, device) -> list:
    """Build the network, load its weights, write the features of this process's share; return the index rows."""
    import torch

    from slowfast.engine.build import class_names
    from slowfast.features.build import build_extraction
    from slowfast.features.store import FeatureIndex, check_writable
    from slowfast.models import build_model
    from slowfast.models.accelerate import accelerate
    from slowfast.models.weights import load_weights
    from slowfast.utils.files import sha256_of
    from slowfast.utils.paths import argument_path

    check_writable(output)
    torch.manual_seed(cfg.RNG_SEED)
    model = accelerate(build_model(cfg), device=device, training=False)
    if checkpoint.lower() == "none":
        weights = f"random, RNG_SEED {cfg.RNG_SEED}"
        print(f"--checkpoint none: weights are random (RNG_SEED {cfg.RNG_SEED}), the features mean nothing", flush=True)
    else:
        path = argument_path(checkpoint)
        if not path.is_file():
            raise InputError(f"--checkpoint {checkpoint}: no such file; give the weights, or none for random ones")
        print(load_weights(model, path).summary(), flush=True)
        weights = sha256_of(path)
    return build_extraction(cfg, model, device, weights, class_names(cfg)).run(videos, FeatureIndex(output))


def benchmark(cfg, videos: list) -> None:
    """Print how much faster one pass is than every window by itself, for each video."""
    from slowfast.apps.benchmark.features import compare_data_paths
    from slowfast.features.build import build_plan, build_preprocess

    for video in videos:
        figures = compare_data_paths(video.path, build_plan(cfg), build_preprocess(cfg), cfg.FEATURES.BATCH_SIZE)
        print(" ".join(f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
                       for name, value in figures.items()), flush=True)  # fmt: skip


def parse():
    """Return the parsed arguments."""
    parser = cli.make_parser(
        "Slide a network over every video of a view; write one .npz a video and an index features.csv. Call again to "
        "resume. Under torchrun every process takes a share.",
        "python tools/extract_features.py --cfg configs/features/tiny.yaml --checkpoint none "
        "--video-dir ../shared/videos/dark --output-dir output/features",
    )
    parser.add_argument("--cfg", required=True, metavar="FILE", help="YAML file: network, window, preprocessing")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights; none: random ones from RNG_SEED")
    parser.add_argument("--video-dir", required=True, metavar="DIR", help="videos at any depth")
    parser.add_argument("--output-dir", metavar="DIR", help="gets <parent folder>/<name>.npz and features.csv")
    parser.add_argument("--view", default="", metavar="NAME", help="start of the file names, like Dash (all)")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="part I of N, I from 1 to N (1/1)")
    parser.add_argument("--batch-size", type=int, metavar="N", help="windows of a forward pass (8)")
    parser.add_argument("--fps", type=float, metavar="F", help="resample videos to this frame rate (as they are)")
    parser.add_argument("--stride", type=int, metavar="N", help="frames from window to window (16)")
    parser.add_argument("--tail", choices=("drop", "pad"), help="frames behind the last whole window (drop)")
    parser.add_argument("--decoders", type=int, metavar="N", help="videos decoded at a time (2)")
    parser.add_argument("--precision", choices=("off", "bf16", "fp16"), help="mixed precision (off)")
    parser.add_argument("--strict", action="store_true", help="exit with status 2 when a video has no features")
    parser.add_argument("--benchmark", action="store_true", help="only time decoding and preprocessing, two ways")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    cli.run(main)
