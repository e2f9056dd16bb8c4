"""What may happen around the iterations and is optional: lines in files, logs and curves."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowfast.engine.methods import Measure
    from slowfast.engine.trainer import Trainer


class Hook:
    """Something that watches a training; every method is optional."""

    def start(self, trainer: "Trainer") -> None:
        """Called once, after a resume."""

    def step(self, trainer: "Trainer", iteration: int, measures: "dict[str, Measure]", lr: float) -> None:
        """Called after every iteration with what the method measured."""

    def record(self, trainer: "Trainer", kind: str, values: dict[str, Any]) -> None:
        """Called with every record.

        Args:
            trainer: says where the run stands.
            kind: `train_iter`, `train_epoch` or `val_epoch`.
            values: `epoch` (from 1), for `train_iter` also `iter`, for `val_epoch` `split`; `lr`; the measures.
        """

    def finish(self, trainer: "Trainer") -> None:
        """Called once at the end."""

    def state_dict(self) -> dict[str, Any]:
        """Return entries of a checkpoint, tensors and plain types."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned from a whole checkpoint."""
