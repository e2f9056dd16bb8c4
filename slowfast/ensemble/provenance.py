"""Pseudo-label tables are trained on only as they were written, and votes are taken only of what belongs together."""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slowfast.ensemble.predictions import Predictions, load_predictions
from slowfast.parents import Input, MadeOf, input_of_file, read_record, versions, write_record
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of

_FOLDER = re.compile(r"exp_(?:adapt_bn|pseudo_stage(\d+))")


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


def _compared(predictions: Predictions) -> dict[str, Any]:
    """Return what the voters of one vote have in common; nothing where it was not recorded."""
    made_of = MadeOf.from_plain(predictions.made_of)
    if made_of is None:
        return {}
    compared = {name: made_of.inputs[name] for name in ("list", "clips") if name in made_of.inputs}
    compared |= {"gamma": made_of.settings["gamma"]} if "gamma" in made_of.settings else {}
    return compared | ({"round": made_of.round} if made_of.round >= 0 else {})


def expected_round(source: str | Path) -> int | None:
    """Return the round of what lies in an experiment's folder; None where its name does not say."""
    named = filter(None, map(_FOLDER.fullmatch, reversed(Path(source).absolute().parts)))
    return next((int(match[1] or 0) for match in named), None)


def check_voters(voters: Sequence[Predictions], *, mixed: bool = False, of_round: int | None = None) -> None:
    """Refuse voters that do not belong together: of other rounds, lists, clips or gamma; what is not known passes.

    Two of the same weights are warned about.

    Args:
        voters: their predictions.
        mixed: only warn.
        of_round: the round that all have to be of; None: that of the folder they lie in, where its name says one.

    Raises:
        InputError: naming the voters and what differs.
    """
    known: dict[str, tuple[Any, str]] = {}
    copies: dict[str, str] = {}
    for voter in voters:
        made_of, compared = MadeOf.from_plain(voter.made_of), _compared(voter)
        known_weights = made_of is not None and "weights" in made_of.inputs
        twin = copies.setdefault(made_of.identity(), voter.source) if known_weights else voter.source
        if twin != voter.source:  # rounds that were not trained have the weights of the one before
            print(f"warning: {twin} and {voter.source} are predictions of the same weights", file=sys.stderr)
        expected = expected_round(voter.source) if of_round is None else of_round
        if expected is not None and compared.get("round", expected) != expected:
            text = f"{voter.source} is of round {compared['round']}, but predictions of round {expected} belong here"
            _refuse(f"{text}: test that round again", mixed)
        for what, value in compared.items():
            first, source = known.setdefault(what, (value, voter.source))
            if first == value:
                continue
            differs = f"are of {what} {first} and {value}"
            if isinstance(value, Input):
                differs = f"were made with another {what}" if what == "list" else "saw other clips"
            _refuse(f"{source} and {voter.source} {differs}: test the older one again", mixed)


def _refuse(text: str, mixed: bool) -> None:
    """Raise InputError, or with `mixed` only warn."""
    if not mixed:
        raise InputError(f"{text}, or pass --mixed if that is meant")
    print(f"warning: {text.rpartition(':')[0]}", file=sys.stderr)


def made_of_vote(kind: str, files: Mapping[str, Path], settings: Mapping[str, Any]) -> MadeOf:
    """Return what a table, a submission or a report is made from; call it before anything is written.

    Args:
        kind: `table`, `submission` or `report`.
        files: role -> PKL, table or other file; the roles of lists begin with `list`.
        settings: what the result depends on besides.
    """
    inputs = {role: input_of_file(path, round=_round_of(role, path)) for role, path in files.items()}
    return MadeOf(kind, inputs, json.loads(json.dumps(settings, default=vars)), versions())


def _round_of(role: str, path: Path) -> int:
    """Return the round of predictions, or of those that a table was made from; -1: unknown."""
    if role.startswith(("list", "fixed")) or path.suffix not in (".pkl", ".csv"):
        return 0
    made_of = (
        MadeOf.from_plain(load_predictions(path, several=True).made_of)
        if path.suffix == ".pkl"
        else read_record(path)[0]
    )
    return made_of.round if made_of is not None else -1


def record_report(report: Path, files: Iterable[Path], settings: Mapping[str, Any] | None = None) -> None:
    """Write beside a report what it was made from."""
    roles = {os.path.relpath(path, report.parent): path for path in files}
    write_record(report, made_of_vote("report", roles, settings or {}), roles)
