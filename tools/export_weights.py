"""Write a network's weights in another library's layout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli


def main() -> None:
    """Parse the arguments, load, write."""
    args = parse()
    from slowfast.apps.export_weights import export_weights
    from slowfast.config import load_config
    from slowfast.models.build import build_model, load_trained_weights
    from slowfast.utils.paths import argument_path

    cfg = load_config(args.cfg, args.opts)
    model = build_model(cfg)
    print(load_trained_weights(cfg, model, argument_path(args.checkpoint)).summary())
    target = Path(args.output).expanduser().absolute()
    export_weights(cfg, model, args.layout, target)
    print(f"{target}: {cfg.MODEL.ARCH} in the layout {args.layout}")


def parse():
    """Return the arguments."""
    parser = cli.make_parser(
        "Write the weights of a checkpoint as another library writes its own: a folder of Hugging Face transformers, a "
        "state dict of torchvision, or a file of the project that the network comes from.",
        "python tools/export_weights.py --cfg exp/vjepa2/config.yaml --checkpoint exp/vjepa2/best.pyth "
        "--layout huggingface --output output/vjepa2_dark",
    )
    parser.add_argument("--cfg", required=True, action="append", help="YAML file; given again: later wins")
    parser.add_argument("--checkpoint", required=True, help="checkpoint file")
    parser.add_argument("--layout", required=True, choices=("huggingface", "torchvision", "original"))
    parser.add_argument("--output", required=True, help="file, or new folder for huggingface")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    cli.run(main)
