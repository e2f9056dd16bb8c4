"""Export a network as a torch.export program and as ONNX, each checked numerically."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.utils import cli
from slowfast.utils.errors import InputError

LARGEST_DIFFERENCE = 1e-3


def main() -> None:
    """Parse the arguments, export, print the differences."""
    args = parse()
    import torch

    from slowfast.apps.export_model import export_onnx, export_program, what_onnx_lacks
    from slowfast.config import load_config
    from slowfast.engine.predictor import Predictor
    from slowfast.models import weights_as_built
    from slowfast.utils.paths import argument_path

    cfg = load_config(args.cfg, args.opts)
    path = None if args.checkpoint == "none" else argument_path(args.checkpoint)
    predictor = Predictor.load(cfg, path, torch.device("cpu"))
    print(predictor.report.summary() if predictor.report else weights_as_built(cfg, predictor.model))
    size = cfg.DATA.TRAIN_CROP_SIZE
    clips = torch.randn(args.batch_size, 3, cfg.DATA.NUM_FRAMES, size, size)
    wanted = ("program", "onnx") if args.format == "all" else (args.format,)
    if args.format == "all" and what_onnx_lacks():
        print(f"no ONNX file: it needs {', '.join(what_onnx_lacks())} (packages: the extra 'dev')")
        wanted = ("program",)
    target = Path(args.output_dir).expanduser().absolute()
    for kind in wanted:
        export, ending = {"program": (export_program, ".pt2"), "onnx": (export_onnx, ".onnx")}[kind]
        done = export(predictor.model, clips, target / f"{cfg.MODEL.ARCH}{ending}")
        print(f"{done.path}: clips {tuple(clips.shape)}, largest relative difference of a logit {done.difference:.1e}")
        if not done.difference <= LARGEST_DIFFERENCE:
            raise InputError(
                f"{done.path}: the exported network differs by more than {LARGEST_DIFFERENCE} of its logits, drop it"
            )


def parse():
    """Return the arguments."""
    parser = cli.make_parser(
        "Write <output-dir>/<arch>.pt2 (torch.export) and <arch>.onnx, BatchNorm folded, fixed clip shape, and compare "
        "their logits with the network's.",
        "python tools/export_model.py --cfg exp_pseudo_stage4/sf32_k700/config.yaml "
        "--checkpoint exp_pseudo_stage4/sf32_k700/best.pyth --output-dir output/export",
    )
    parser.add_argument("--cfg", required=True, action="append", help="YAML file; given again: later wins")
    parser.add_argument("--checkpoint", required=True, help="checkpoint file; none: the folder's, or random ones")
    parser.add_argument("--output-dir", default="output/export", help="folder of the files (default: %(default)s)")
    parser.add_argument("--format", choices=("all", "program", "onnx"), default="all", help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=1, help="clips of one call (default: %(default)s)")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    cli.run(main)
