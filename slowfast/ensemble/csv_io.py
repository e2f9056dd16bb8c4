"""Lists (`name,label`) and pseudo-label tables (`name,label,prob0,...`), both without a header.

A name that holds a comma stands in quotes in a table; in a list it may stand there as it is.

Legend: N rows, K classes.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text


@dataclass
class LabelTable:
    """A pseudo-label table.

    Attributes:
        names: N video names.
        labels: int64 (N,).
        probs: float64 (N, K); NaN where a cell is empty.
        source: the file, for messages.
    """

    names: list[str]
    labels: np.ndarray
    probs: np.ndarray
    source: str = "table"


def _rows(path: str | Path) -> list[tuple[int, list[str]]]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: the list cannot be read ({error.strerror or error}); check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; give a CSV list with rows `name,label`") from None
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error}); give a list with rows `name,label`") from None
    if not rows:
        raise InputError(f"{path}: the list is empty; give a CSV list with rows `name,label`")
    return rows


def _label(text: str, path: str | Path, line: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{path}, line {line}: the label {text!r} is not a whole number; write -1 for none") from None


def _number_or_empty(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def _name_and_label(row: list[str]) -> tuple[str, str]:
    """Return the name, which may hold commas, and the text of the label; further columns must be numbers or empty."""
    if len(row) == 1:
        return row[0].strip(), "-1"
    end = 1 if all(map(_number_or_empty, row[1:])) else len(row) - 1
    return ",".join(row[:end]).strip(), row[end]


def read_list(path: str | Path) -> tuple[list[str], np.ndarray]:
    """Return names and labels (int64, -1 where there is none) of a list file.

    Raises:
        InputError: the file cannot be read, is empty or has a row that is not `name,label`.
    """
    rows = [(line, *_name_and_label(row)) for line, row in _rows(path)]
    labels = [_label(text, path, line) for line, _, text in rows]
    return [name for _, name, _ in rows], np.array(labels, dtype=np.int64)


def read_table(path: str | Path) -> LabelTable:
    """Read a pseudo-label table.

    Raises:
        InputError: the file cannot be read, is empty, its rows differ in length or hold something else than numbers.
    """
    rows = _rows(path)
    width = len(rows[0][1])
    labels, probs = [], []
    for line, row in rows:
        if len(row) != width or width < 4:
            raise InputError(
                f"{path}, line {line}: {len(row)} columns, expected"
                f" {width if width >= 4 else 'name, label and a probability for at least two classes'}"
                f"{' as in the first line' if width >= 4 else ''}"
            )
        try:
            probs.append([float(cell) if cell else np.nan for cell in row[2:]])
        except ValueError:
            raise InputError(f"{path}, line {line}: a probability is not a number; make the table again") from None
        labels.append(_label(row[1], path, line))
        if not 0 <= labels[-1] < width - 2:
            raise InputError(f"{path}, line {line}: the label {labels[-1]} is not one of the {width - 2} classes")
    return LabelTable([row[0] for _, row in rows], np.array(labels, dtype=np.int64), np.array(probs), str(path))


def write_table(path: str | Path, names: Sequence[str], labels_N: np.ndarray, probs_NK: np.ndarray) -> None:
    """Write a pseudo-label table; it appears whole or not at all.

    Args:
        path: the CSV to write.
        names: N video names.
        labels_N: int (N,).
        probs_NK: float (N, K), written as the shortest text that gives the same float64.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    for name, label, probs_K in zip(names, labels_N, np.asarray(probs_NK, dtype=np.float64), strict=True):
        writer.writerow([name, int(label), *map(repr, probs_K.tolist())])
    write_text(path, buffer.getvalue())
