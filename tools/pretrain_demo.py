"""Make the demo's starting weights: pre-train its small networks on rendered clips of other motions."""

import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.ensemble.voters import schedule_voters
from slowfast.utils import cli
from slowfast.utils.paths import repo_path

REPO = Path(__file__).resolve().parents[1]
# Epochs where they are not those of configs/demo/pretrain.yaml.
EPOCHS = {"sf32_k700": 8}
VOTERS = tuple(voter.name for voter in schedule_voters(repo_path("workflow/demo.yaml"))[0])


def main() -> None:
    """Render the clips, train every network, export the weights as float16."""
    parser = cli.make_parser(
        "Pre-train the demo's networks on rendered normal-light clips of 24 motions that are not the demo's classes, "
        "and write configs/demo/weights/<network>.safetensors with the log beside it. Stopped runs go on.",
        "python tools/pretrain_demo.py --voter mvit_b32_k600",
    )
    parser.add_argument("--voter", choices=VOTERS, action="append", help="only this network (may be given again)")
    parser.add_argument("--work", default="output/pretrain", help="folder of clips and checkpoints (output/pretrain)")
    parser.add_argument("--weights", default="configs/demo/weights", help="folder of the exported weights")
    args = parser.parse_args()
    render = ["tools/render_demo_data.py", "--output", f"{args.work}/data", "--seed", "1000", "--mode", "full"]
    call([*render, "--other-motions"])
    for voter in args.voter or VOTERS:
        out = f"{args.work}/{voter}"
        configs = [f"configs/demo/models/{voter}.yaml", "configs/demo/pretrain.yaml"]
        settings = {
            "OUTPUT_DIR": out,
            "DATA.PATH_PREFIX": f"{args.work}/data",
            "DATA.CACHE_DIR": f"{args.work}/cache",
            "TRAIN.CHECKPOINT_FILE_PATH": "",
            **({"SOLVER.MAX_EPOCH": str(EPOCHS[voter])} if voter in EPOCHS else {}),
        }
        options = [word for pair in settings.items() for word in pair]
        call(["tools/run_net.py", *(word for path in configs for word in ("--cfg", path)), *options])
        export(REPO / out, REPO / args.weights, voter)


def call(command: list[str]) -> None:
    """Run a tool of this repository; leave with its status when it fails."""
    status = subprocess.run([sys.executable, *command], cwd=REPO, check=False).returncode
    if status:
        sys.exit(status)


def _stored_type(name: str, value: Any) -> Any:
    """Return float16 for weights; a byte is enough for SlowFast's branch whose output nothing uses."""
    import torch

    if not value.is_floating_point():
        return value.dtype
    return torch.float8_e4m3fn if "res_nl4" in name else torch.float16


def export(run: Path, folder: Path, voter: str) -> None:
    """Write the best weights as float16 safetensors and the measurements of the run as a log."""
    from safetensors.torch import save_file

    from slowfast.engine.checkpoint import load_checkpoint
    from slowfast.utils.files import atomic_write

    state = load_checkpoint(run / "best.pyth")["model_state"]
    half = {name: value.to(_stored_type(name, value)) for name, value in state.items()}
    with atomic_write(folder / f"{voter}.safetensors") as aside:
        save_file({name: value.contiguous() for name, value in half.items()}, str(aside))
    epochs = [line for line in (run / "metrics.jsonl").read_text().splitlines() if '"train_iter"' not in line]
    (folder / f"{voter}.log.jsonl").write_text("\n".join(epochs) + "\n", encoding="utf-8")
    size = sum(value.numel() for value in half.values())
    print(f"{folder / voter}.safetensors: {size:,} values")


if __name__ == "__main__":
    cli.run(main)
