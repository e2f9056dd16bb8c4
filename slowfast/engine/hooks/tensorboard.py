"""TensorBoard curves; a run that goes on hides what it will write again."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowfast.engine.hooks import Hook

if TYPE_CHECKING:
    from slowfast.engine.trainer import Trainer


class Curves(Hook):
    """Writes scalars to event files.

    Args:
        folder: where the files go.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = folder

    def start(self, trainer: "Trainer") -> None:
        """Open a new file whose curves go on after the iterations that are done."""
        # Imported late: it takes seconds.
        from torch.utils.tensorboard import SummaryWriter

        # An iteration has the number of those before it and an evaluation that of those before it, so that the
        # evaluation that a run repeats first is hidden and the iterations before it are not.
        self.writer = SummaryWriter(str(self.folder), purge_step=trainer.steps_done or None)

    def record(self, trainer: "Trainer", kind: str, values: dict[str, Any]) -> None:
        """Add a point to the curve of every measure."""
        if kind == "train_iter":
            for name in values.keys() - {"epoch", "iter"}:
                self.writer.add_scalar(f"train/{name}", values[name], trainer.steps_done - 1)
            for name, rate in trainer.rates.items():
                self.writer.add_scalar(f"pace/{name}", rate, trainer.steps_done - 1)
        elif kind == "val_epoch":
            place = values["epoch"] * trainer.length
            name, right = ("map", values["map"]) if "map" in values else ("top1", 100.0 - values["top1_err"])
            self.writer.add_scalar(f"val/{values['split']}_{name}", right, place)

    def finish(self, trainer: "Trainer") -> None:
        """Write everything to disk."""
        self.writer.close()
