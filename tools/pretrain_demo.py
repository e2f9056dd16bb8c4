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
# Passes over clips of their own: seed of the clips, configuration, and the epochs where they are not its.
_FURTHER = "configs/demo/pretrain_further.yaml"
PASSES = (
    (1000, "configs/demo/pretrain.yaml", {"sf32_k700": 8}),
    (1001, _FURTHER, {"uniformer_b32_k600": 6, "sf32_k700": 7}),
    (1002, _FURTHER, {"uniformer_b32_ssv2": 5, "uniformer_b32_k600": 6, "mvit_b32_k600": 12, "sf32_k700": 7}),
)
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
    folders = [f"{args.work}/{seed}" for seed, _, _ in PASSES]
    for (seed, _, _), folder in zip(PASSES, folders):
        render = ["tools/render_demo_data.py", "--output", f"{folder}/data", "--seed", str(seed), "--mode", "full"]
        call([*render, "--other-motions"])
    for voter in args.voter or VOTERS:
        before = ""
        for (_, config, epochs), folder in zip(PASSES, folders):
            train(voter, config, folder, before, epochs.get(voter, 0))
            before = f"{folder}/{voter}/best.pyth"
        export([REPO / folder / voter for folder in folders], REPO / args.weights, voter)


def train(voter: str, config: str, folder: str, before: str, epochs: int) -> None:
    """Train a network on the clips of a folder, from the weights `before` or from random ones."""
    settings = {
        "OUTPUT_DIR": f"{folder}/{voter}",
        "DATA.PATH_PREFIX": f"{folder}/data",
        "DATA.CACHE_DIR": f"{folder}/cache",
        "TRAIN.CHECKPOINT_FILE_PATH": before,
        **({"SOLVER.MAX_EPOCH": str(epochs)} if epochs else {}),
    }
    configs = ["--cfg", f"configs/demo/models/{voter}.yaml", "--cfg", config]
    call(["tools/run_net.py", *configs, *(word for pair in settings.items() for word in pair)])


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


def export(runs: list[Path], folder: Path, voter: str) -> None:
    """Write the best weights of the last run as float16 safetensors and the measurements of all as a log."""
    from safetensors.torch import save_file

    from slowfast.engine.checkpoint import load_checkpoint
    from slowfast.utils.files import atomic_write

    state = load_checkpoint(runs[-1] / "best.pyth")["model_state"]
    half = {name: value.to(_stored_type(name, value)) for name, value in state.items()}
    with atomic_write(folder / f"{voter}.safetensors") as aside:
        save_file({name: value.contiguous() for name, value in half.items()}, str(aside))
    lines = [line for run in runs for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if '"train_iter"' not in line]
    (folder / f"{voter}.log.jsonl").write_text("\n".join(epochs) + "\n", encoding="utf-8")
    size = sum(value.numel() for value in half.values())
    print(f"{folder / voter}.safetensors: {size:,} values")


if __name__ == "__main__":
    cli.run(main)
