"""Lists as the numpy-only tools use them, and pseudo-label tables (`name,label,prob0,...`), all without a header.

A name that holds a comma stands in quotes in a table; in a list it may stand there as it is.

Legend: N rows, K classes.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.lists.names import Names
from slowfast.lists.rows import find_separator, list_rows, parse_labels, parse_row, quoted
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_text

_KIND = "give a list with rows `name,label`"


@dataclass
class LabelTable:
    """A pseudo-label table.

    Attributes:
        names: N video names.
        labels: int64 (N,).
        probs: float64 (N, K); NaN where a cell is empty.
        source: the file, for messages.
    """

    names: Sequence[str]
    labels: np.ndarray
    probs: np.ndarray
    source: str = "table"


def read_names(
    path: str | Path, separator: str | None = None, *, labelled: bool = False, several: bool = False
) -> tuple[Names, np.ndarray]:
    """Return names and labels (int64, -1 where there is none) of a list or table.

    Args:
        path: the file.
        separator: between the columns; None: found (see `rows`).
        labelled: whether every row needs a label; otherwise one without any separator is a name with the label -1.
        several: a row may have several labels or none, of which the first one or -1 is returned.

    Raises:
        InputError: the file cannot be read, is empty or has a row that is not `name,label`.
    """
    separator = separator or find_separator(path)
    names, labels = Names(), array("q")
    for line, text in list_rows(path):
        alone = not labelled and separator not in text.strip()
        try:
            row = f"{text}{separator}-1" if alone else text
            name, label = (parse_labels if several else parse_row)(row, separator)[:2]
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}; write -1 where there is no label") from None
        names.append(name)
        labels.append((*label, -1)[0] if several else label)
    if not names:
        raise InputError(f"{path}: the list is empty; {_KIND}")
    return names, np.frombuffer(labels, np.int64)


def read_table(path: str | Path, separator: str | None = None) -> LabelTable:
    """Read a pseudo-label table.

    Args:
        path: the file; all rows have as many columns as the first one.
        separator: between the columns; None: found (see `rows`).

    Raises:
        InputError: the file cannot be read, is empty, its rows differ in length or hold something else than numbers.
    """
    separator = separator or find_separator(path)
    names, labels, values = Names(), array("q"), array("d")
    classes = None
    for line, text in list_rows(path):
        name, label, probs = _table_row(text, separator, classes, f"{path}, line {line}")
        classes = len(probs)
        if not 0 <= label < classes:
            raise InputError(f"{path}, line {line}: the label {label} is not one of the {classes} classes")
        names.append(name)
        labels.append(label)
        values.extend(probs)
    if not names:
        raise InputError(f"{path}: the list is empty; {_KIND}")
    probs_NK = np.frombuffer(values, np.float64).reshape(len(names), classes)
    return LabelTable(names, np.frombuffer(labels, np.int64), probs_NK, str(path))


def _table_row(text: str, separator: str, classes: int | None, where: str) -> tuple[str, int, list[float]]:
    """Return name, label and probabilities of a row of a table."""
    reason = ""
    try:
        name, label, probs = parse_row(text, separator, classes)
        if probs is not None:
            return name, label, probs
    except ValueError as error:
        reason = str(error)
    columns = text.count(separator) + 1
    if classes and columns == classes + 2:
        raise InputError(f"{where}: a probability is not a number {reason and f'({reason})'}; make the table again")
    wanted = f"{classes + 2} as in the first line" if classes else "name, label and a number for two classes or more"
    raise InputError(f"{where}: {columns} columns, expected {wanted}; make the table again")


def write_table(path: str | Path, names: Sequence[str], labels_N: np.ndarray, probs_NK: np.ndarray) -> None:
    """Write a pseudo-label table; it appears whole or not at all.

    Args:
        path: the CSV to write.
        names: N video names.
        labels_N: int (N,).
        probs_NK: float (N, K), written as the shortest text that gives the same float64.
    """
    rows = zip(names, labels_N, np.asarray(probs_NK, dtype=np.float64), strict=True)
    text = "".join(
        f"{quoted(name)},{int(label)},{','.join(map(repr, probs_K.tolist()))}\n" for name, label, probs_K in rows
    )
    write_text(path, text)
