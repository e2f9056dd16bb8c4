"""Rows of lists, `name<separator>label[<separator>probabilities]`, read one way by training, selection, vote and tools.

A row is split from its right end, so a name may hold the separator. Probabilities are there when a whole label stands
before K numbers (cells may be empty): K is the number of classes where it is known; where it is not, K is as large as
the row allows, at least 2, the label is below K, and the numbers are not all whole ones with one above 1. Otherwise
the last column is the label, or several of them as `3|7` (`SEVERAL`). A name in double quotes is what they enclose.
Which separator a list has is its user's word (`DATA.PATH_LABEL_SEPARATOR`, `--separator`); without one it is that of
`SEPARATORS` at which most of the first rows split, the first of equals.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from slowfast.utils.errors import InputError

SEPARATORS = (",", "\t", ";", " ")
SEVERAL = "|"  # between the labels of a clip that has several
NO_LABEL = "none"  # of a clip that shows none of the classes
_SPELLED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";"}
_LOOKED_AT = 200


def add_separator_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--separator`, None when it is not given."""
    parser.add_argument(
        "--separator", type=lambda text: _SPELLED.get(text, text) or None, metavar="TEXT",
        help="between name and label of lists: a character, or tab, space, comma, semicolon (default: found)",
    )  # fmt: skip


def list_rows(list_path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (row number from 1, text) of the rows that are not blank.

    Raises:
        InputError: the file cannot be read.
    """
    number = 0
    try:
        for number, raw in enumerate(_raw_rows(list_path), 1):
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            if text.strip():
                yield number, text
    except UnicodeDecodeError:
        raise InputError(
            f"{list_path}: row {number} is not UTF-8, so this is not a text file for us; save it as UTF-8 text"
        ) from None
    except FileNotFoundError:
        raise InputError(
            f"{list_path}: the list does not exist and cannot be read; make it with tools/prepare_lists.py, or set"
            " DATA.PATH_PREFIX and DATA.SPLITS"
        ) from None
    except OSError as error:
        raise InputError(f"{list_path}: the list cannot be read ({error.strerror}); check the path") from None


def _raw_rows(list_path: str | Path) -> Iterator[bytes]:
    """Yield all rows without their line ends, which may be those of any system."""
    with open(list_path, "rb") as file:
        for line in file:
            yield from line.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")


def find_separator(
    list_path: str | Path, candidates: Sequence[str] = SEPARATORS, num_classes: int | None = None
) -> str:
    """Return the candidate at which most of the first rows of a list split into name and label.

    Args:
        list_path: the list.
        candidates: the first of equals wins.
        num_classes: K where it is known.
    """
    rows = [text for _, text in islice(list_rows(list_path), _LOOKED_AT)]
    return max(candidates, key=lambda separator: sum(_splits(text, separator, num_classes) for text in rows))


def _splits(text: str, separator: str, num_classes: int | None) -> bool:
    """Return whether a row splits at a separator."""
    try:
        return bool(parse_labels(text, separator, num_classes))
    except ValueError:
        return False


def parse_row(text: str, separator: str, num_classes: int | None = None) -> tuple[str, int, list[float] | None]:
    """Return (name, label, probabilities or None) of a row of a clip with one label, see `parse_labels`.

    Raises:
        ValueError: with what is wrong; several labels are.
    """
    name, labels, probs = parse_labels(text, separator, num_classes)
    if len(labels) != 1:
        found = SEVERAL.join(map(str, labels)) or NO_LABEL
        raise ValueError(
            f"has the labels {found}: one label is needed here, several or {NO_LABEL} only go with MODEL.LOSS_FUNC bce"
        )
    return name, labels[0], probs


def parse_labels(
    text: str, separator: str, num_classes: int | None = None
) -> tuple[str, tuple[int, ...], list[float] | None]:
    """Return (name, labels, probabilities or None) of a row.

    Args:
        text: the row.
        separator: between its columns.
        num_classes: K; None: as many as there are.

    Raises:
        ValueError: with what is wrong.
    """
    text = text.rstrip()
    name, found, label = text.rpartition(separator)
    if not found or not name.strip():
        others = [other for other in SEPARATORS if other != separator and other in text.strip()]
        hint = f", DATA.PATH_LABEL_SEPARATOR {others[0]!r} (--separator) would" if others else ""
        raise ValueError(f"does not split into name and label at {separator!r}{hint}")
    parts = text.rsplit(separator, num_classes + 1 if num_classes else -1)
    for count in [num_classes] if num_classes else range(_numbers_at_the_end(parts) - 1, 1, -1):
        probs = _numbers(parts[-count:]) if len(parts) >= count + 2 and _is_integer(parts[-count - 1]) else None
        if probs and (num_classes or _plausible(int(parts[-count - 1]), probs)):
            return _unquoted(separator.join(parts[: -count - 1])), (int(parts[-count - 1]),), probs
    labels = [] if label.strip() == NO_LABEL else label.split(SEVERAL)
    if not all(map(_is_integer, labels)):
        raise ValueError(f"has the label {short(label)}, a whole number is needed (header lines are not allowed)")
    return _unquoted(name), tuple(map(int, labels)), None


def _plausible(label: int, probs: Sequence[float]) -> bool:
    """Return whether numbers of unknown count can be a label and its probabilities."""
    shares = all(math.isnan(value) or 0 <= value <= 1 for value in probs)
    return -1 <= label < len(probs) and (shares or any(value % 1 for value in probs))


def _numbers_at_the_end(parts: Sequence[str]) -> int:
    """Return how many of the last columns, at most all but the first, are numbers or empty."""
    count = 0
    while count < len(parts) - 1 and _numbers(parts[-count - 1 : len(parts) - count]) is not None:
        count += 1
    return count


def _numbers(parts: Sequence[str]) -> list[float] | None:
    """Return the numbers of some columns, NaN for an empty one; None when one is something else."""
    try:
        return [float(part) if part.strip() else math.nan for part in parts]
    except ValueError:
        return None


def quoted(name: str) -> str:
    """Return a name as a table has to write it, so that `parse_row` gives it back."""
    needed = name != name.strip() or any(mark in name for mark in ',"\r\n')
    return '"' + name.replace('"', '""') + '"' if needed else name


def _unquoted(name: str) -> str:
    """Return a name without the quotes that stand around it in CSV files."""
    name = name.strip()
    enclosed = len(name) > 2 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if enclosed else name


def short(text: str) -> str:
    """Return a text in quotes, cut to a readable length, for messages."""
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _is_integer(text: str) -> bool:
    """Return whether the text is a whole number in ASCII digits, of a length that a label can have."""
    text = text.strip()
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10
