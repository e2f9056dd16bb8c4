"""A confusion matrix as files: counts as CSV, a picture as SVG. Legend: K classes."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slowfast.report.data import StepResult
from slowfast.report.svg import confusion_plot, standalone
from slowfast.utils.files import write_text

_STYLE = (
    "svg{background:#fff;font-family:sans-serif}.tiny{fill:#444;font-size:8.5px}.right{fill:#15803d}"
    ".wrong{fill:#c0262d}.frame{fill:none;stroke:#bbb}"
)


def write_confusion(stem: str | Path, matrix_KK: np.ndarray, class_names: Sequence[str]) -> tuple[Path, Path]:
    """Write `<stem>_confusion.csv` and `<stem>_confusion.svg`; each appears whole or not at all.

    Args:
        stem: path of a test without its ending, such as `.../testx8x56x1x1`.
        matrix_KK: int (K, K), rows are the truth; from `slowfast.utils.scores.confusion_matrix`.
        class_names: K names.

    Returns:
        The two files.
    """
    stem = Path(stem)
    table, picture = (stem.with_name(f"{stem.name}_confusion.{ending}") for ending in ("csv", "svg"))
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["truth \\ label", *class_names])
    rows.writerows([name, *counts_K] for name, counts_K in zip(class_names, np.asarray(matrix_KK).tolist()))
    write_text(table, text.getvalue())
    plot = confusion_plot(StepResult(stem.name, np.empty(0), matrix_KK), class_names)
    write_text(picture, standalone(plot, _STYLE))
    return table, picture
