"""Show which tensors of a checkpoint fit the network of a configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError


def main() -> None:
    """Parse the arguments and print the report."""
    parser = cli.make_parser(
        "Print which tensors of a checkpoint match the network of a configuration, are missing, unexpected, converted "
        "or dropped; exit status 2 when too few fit to load it.",
        "python tools/load_report.py --cfg exp_adapt_bn/mvit_b32_k600/config.yaml "
        "--checkpoint pretrained/MVIT_B_32x3_CONV_K600.pth",
    )
    parser.add_argument("--cfg", required=True, action="append", help="YAML file; given again: later wins")
    parser.add_argument("--checkpoint", required=True, help="checkpoint file")
    parser.add_argument("--quiet", action="store_true", help="print the one-line summary only")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    args = parser.parse_intermixed_args()
    from slowfast.config import load_config
    from slowfast.models import build_model, load_starting_weights
    from slowfast.models.weights import SMALLEST_SHARE
    from slowfast.utils.paths import argument_path

    cfg = load_config(args.cfg, args.opts)
    report = load_starting_weights(cfg, build_model(cfg), argument_path(args.checkpoint), smallest_share=0.0)
    if not args.quiet:
        print(report.listing())
    print(report.summary())
    if report.share < SMALLEST_SHARE:
        raise InputError(f"{100 * report.share:.1f} % is too little to load, {100 * SMALLEST_SHARE:.0f} % are needed")


if __name__ == "__main__":
    cli.run(main)
