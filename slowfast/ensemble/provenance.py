"""Pseudo-label tables are trained on only as they were written."""

import json
from pathlib import Path

from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of


def unworthy(path: str | Path) -> str:
    """Return why a pseudo-label table is not to be trained on, as the JSON beside it says; empty: it is."""
    try:
        record = json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))
        return "" if record.get("worth_training", True) else str(record["verdict"])
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        return ""


def check_table(path: str | Path) -> None:
    """Compare a pseudo-label table with the digest in the JSON beside it, where there is one.

    Raises:
        InputError: the table differs from what was written, or the JSON cannot be read.
    """
    path = Path(path)
    record_path = path.with_suffix(".json")
    if not path.is_file() or not record_path.is_file():
        return
    try:
        written = json.loads(record_path.read_text(encoding="utf-8"))["output"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{record_path}: cannot be read; make {path.name} again, or delete this file") from None
    if written != sha256_of(path):
        raise InputError(
            f"{path}: differs from what was written according to {record_path.name} beside it; make the table again, "
            f"or delete {record_path.name} if the change is meant"
        )
