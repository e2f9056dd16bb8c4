"""The voters of a schedule: entries of its configuration, whose number, clips and weights are free."""

import argparse
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from slowfast.utils.errors import InputError

_NAME = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class Voter:
    """One voter of a schedule.

    Attributes:
        name: of its folders of experiments, and in messages.
        experiment: what stands at `{experiment}` in the command that trains it; its name where none is given.
        weight: in the selections of pseudo-labels and in the vote.
        frames: of a clip, as in the names of its prediction files.
        crop: side of a clip in pixels, as in these names.
        config: what stands at `{config}` in the command that trains it, such as the YAML file of its network.
    """

    name: str
    experiment: str = ""
    weight: float = 1.0
    frames: int = 0
    crop: int = 0
    config: str = ""

    @property
    def size(self) -> str:
        """Frames and side, as the names of prediction files have them."""
        return f"{self.frames}x{self.crop}"


def read_voters(entries: Any, *, frames: int = 0, crop: int = 0, source: str = "voters") -> list[Voter]:
    """Return the voters that a schedule's configuration lists.

    Args:
        entries: a list of names, or of mappings of the fields of `Voter`, of which `name` has to be there.
        frames: of voters that give none.
        crop: of voters that give none.
        source: how messages call the list.

    Raises:
        InputError: an entry that is neither, has an unknown or wrong field, or a name that stands twice.
    """
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{source} is {entries!r}, a list of names or of mappings with a name is needed")
    voters = [_voter(entry, frames, crop, f"{source}, entry {number}") for number, entry in enumerate(entries, start=1)]
    names = [voter.name for voter in voters]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(f"{source} has {twice[0]!r} twice, give every voter a name of its own")
    return voters


def _voter(entry: Any, frames: int, crop: int, where: str) -> Voter:
    """Return one voter."""
    given = {"name": entry} if isinstance(entry, str) else entry
    kinds = {field.name: field.type for field in fields(Voter)}
    if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not _NAME.fullmatch(given["name"]):
        raise InputError(f"{where}: {entry!r}, a name of letters, digits and _ . + - is needed, or a mapping with one")
    for key, value in given.items():
        if key not in kinds:
            raise InputError(f"{where} ({given['name']}) has {key!r}, the fields are {', '.join(kinds)}")
        wanted = (int, float) if kinds[key] is float else kinds[key]
        is_number = kinds[key] is not str
        if not isinstance(value, wanted) or isinstance(value, bool) or (is_number and not 0 < value < math.inf):
            raise InputError(f"{where} ({given['name']}): {key} is {value!r}, {_WANTED[kinds[key]]} is needed")
    return Voter(**{"experiment": given["name"], "frames": frames, "crop": crop, **given})


_WANTED = {str: "a text", int: "a whole number above 0", float: "a number above 0"}


def read_schedule(table: Mapping[str, Any], source: str = "") -> tuple[list[Voter], list[Voter]]:
    """Return voters and experts of a schedule's configuration; what an expert does not say is as its voter has it.

    Args:
        table: the configuration: `voters`, `experts`, `frames`, `crop`; `config`, with the voter's name at `{voter}`.
        source: of the table, for messages.

    Raises:
        InputError: see `read_voters`.
    """
    where = f"{source}: " if source else ""
    voters = read_voters(table["voters"], frames=table["frames"], crop=table["crop"], source=f"{where}voters")
    usual = table.get("config", "")
    if not isinstance(usual, str):
        raise InputError(f"{where}config is {usual!r}, the path of a voter's YAML file with {{voter}} in it is needed")
    voters = [replace(voter, config=voter.config or usual.replace("{voter}", voter.name)) for voter in voters]
    known = {voter.name: vars(voter) for voter in voters}
    entries = [{"name": entry} if isinstance(entry, str) else entry for entry in table["experts"] or ()]
    experts = [{**known.get(str(e.get("name")), {}), **e} if isinstance(e, dict) else e for e in entries]
    return voters, read_voters(experts, source=f"{where}experts") if experts else []


def schedule_voters(path: str | Path) -> tuple[list[Voter], list[Voter]]:
    """Return voters and experts of a schedule, from its YAML file."""
    return read_schedule(yaml.safe_load(Path(path).read_text(encoding="utf-8")), str(path))


def add_vote_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--voter`, whose texts `parse_votes` reads."""
    parser.add_argument(
        "--voter", action="append", default=[], metavar="NAME=PKL[:WEIGHT]",
        help="a voter, its predictions and its weight (default 1); may be given again",
    )  # fmt: skip


def parse_votes(texts: Sequence[str]) -> dict[str, tuple[Path, float]]:
    """Return {name: (file, weight)} of texts `NAME=FILE[:WEIGHT]`.

    Raises:
        InputError: another form, a weight that is not above 0, or a name that stands twice.
    """
    votes: dict[str, tuple[Path, float]] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        path, _, last = rest.rpartition(":")
        try:
            weight = float(last) if path else 1.0
        except ValueError:
            path, weight = rest, 1.0
        path = path or rest
        if not name or not path or not 0 < weight < math.inf:
            raise InputError(f"--voter {text}: NAME=FILE or NAME=FILE:WEIGHT is needed, the weight a number above 0")
        if name in votes:
            raise InputError(f"--voter names {name!r} twice, give every voter a name of its own")
        votes[name] = (Path(path), weight)
    return votes
