"""What a result was made from, as a record: equal records mean equal results, and a difference can be said in words.

A result holds its `MadeOf` (content only). What may differ without changing a result (paths, host, time, command)
stands in `NAME.made.json` beside it, so that the results of two machines can be byte-equal.
"""

import datetime
import functools
import hashlib
import json
import platform
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from slowfast.parents.content import MISSING, Input, clip_digest, input_of_file
from slowfast.utils.files import write_json
from slowfast.utils.paths import REPO_ROOT
from slowfast.utils.plugins import loaded_plugins

_PACKAGES = ("torch", "torchvision", "numpy", "av", "decord", "timm", "transformers")


@dataclass
class MadeOf:
    """What a result was made from.

    Attributes:
        kind: `training`, `predictions`, `table`, `submission`, `features` or `report`.
        inputs: role, such as `list train_label` or `starting weights` -> content.
        settings: dotted key -> value of everything with an effect on the result.
        made_with: code and library versions; they are told, and make no other result by themselves.
    """

    kind: str
    inputs: dict[str, Input] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    made_with: dict[str, str] = field(default_factory=dict)

    @property
    def round(self) -> int:
        """Rounds of pseudo-labels that went into the result; -1: unknown."""
        rounds = [item.round for item in self.inputs.values()]
        return -1 if min(rounds, default=-1) < 0 else max(rounds)

    def identity(self) -> str:
        """Return the SHA-256 of kind, inputs and settings: the same for equal results wherever they are made."""
        content = [self.kind, {role: item.digest for role, item in self.inputs.items()}, self.settings]
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def as_plain(self, *, marks: bool = True) -> dict[str, Any]:
        """Return the record as plain types; without `marks` rows cannot be told apart, and it is small."""
        inputs = {role: item.as_plain() for role, item in self.inputs.items()}
        if not marks:
            inputs = {
                role: {key: value for key, value in item.items() if key != "marks"} for role, item in inputs.items()
            }
        return {"kind": self.kind, "inputs": inputs, "settings": self.settings, "made_with": self.made_with}

    @classmethod
    def from_plain(cls, plain: Any) -> "MadeOf | None":
        """Return the record that plain types stand for, None where nothing, or nothing plain, was recorded."""
        if not isinstance(plain, Mapping) or not isinstance(plain.get("kind"), str):
            return None
        parts = {name: plain.get(name) if isinstance(plain.get(name), dict) else {} for name in _PARTS}
        try:
            json.dumps(parts["settings"], sort_keys=True)
        except (TypeError, ValueError, RecursionError):
            return None
        inputs = {str(role): Input.from_plain(item) for role, item in parts["inputs"].items()}
        return cls(plain["kind"], inputs, parts["settings"], {str(k): str(v) for k, v in parts["made_with"].items()})


_PARTS = ("inputs", "settings", "made_with")


def differences(old: MadeOf, new: MadeOf, *, names: tuple[str, str] = ("before", "now")) -> list[str]:
    """Return what differs between two records, one phrase each, inputs before settings; versions are left out."""
    found = [] if old.kind == new.kind else [f"a {old.kind} {names[0]}, a {new.kind} {names[1]}"]
    for role in dict.fromkeys([*old.inputs, *new.inputs]):
        left, right = old.inputs.get(role), new.inputs.get(role)
        if left is None or right is None:
            found.append(f"{role} {names[1] if left is None else names[0]} only")
        elif left.digest != right.digest:
            found.append(_input_difference(role, left, right))
    return found + _setting_differences(old.settings, new.settings)


def _input_difference(role: str, left: Input, right: Input) -> str:
    """Return how one input differs."""
    if "missing" in (left.digest, right.digest):
        return f"{role} {'was' if left.digest == 'missing' else 'is'} missing"
    row = left.first_difference(right)
    size = f", {left.rows} and {right.rows} rows" if left.rows != right.rows else ""
    return f"row {row} of {role}{size}" if row else f"the content of {role}{size}"


def _setting_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the settings that differ, with both values."""
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return [f"{key} {old.get(key, 'not set')} and {new.get(key, 'not set')}" for key in keys]


def version_differences(old: MadeOf, new: MadeOf) -> list[str]:
    """Return the versions that differ, such as `torch 2.14.1 and 2.15.0`."""
    return _setting_differences(old.made_with, new.made_with)


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of the code, of own code that was loaded, and of the libraries that results depend on."""
    found = {"python": platform.python_version(), "code": code_version()}
    for path in loaded_plugins():
        found[f"plugin {Path(path).name}"] = input_of_file(path).digest[:16]
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def code_version() -> str:
    """Return a digest of this package's source files; the commit stands in the record beside a result."""
    digest = hashlib.sha256()
    for path in sorted((REPO_ROOT / "slowfast").rglob("*.py")):
        digest.update(str(path.relative_to(REPO_ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def commit() -> str:
    """Return the commit of the checkout, `unknown` outside one."""
    command = ["git", "-C", str(REPO_ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def record_path(artefact: str | Path) -> Path:
    """Return where the record of a result lies: `NAME.made.json` beside it."""
    artefact = Path(artefact)
    return artefact.with_name(f"{artefact.name}.made.json")


def write_record(
    artefact: str | Path, made_of: MadeOf, paths: Mapping[str, str | Path], lists: Mapping[str, Any] | None = None
) -> None:
    """Write beside a result what it was made from, where that lay, by whom and when.

    Args:
        artefact: the result.
        made_of: its record.
        paths: role -> where that input lay.
        lists: split -> how its list was read.
    """
    circumstances = {
        "result": _mark_of(artefact),
        "paths": {role: str(path) for role, path in paths.items()},
        "lists": dict(lists or {}),
        "command": " ".join(sys.argv),
        "host": socket.gethostname(),
        "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
    }
    write_json(record_path(artefact), {"made_of": made_of.as_plain(), "circumstances": circumstances})


def _mark_of(artefact: str | Path) -> str:
    """Return a digest by which a record and its result know each other."""
    try:
        return clip_digest(str(artefact), Path(artefact).stat().st_size)
    except OSError:
        return MISSING


def read_record(artefact: str | Path) -> tuple[MadeOf | None, dict[str, Any]]:
    """Return (record or None, circumstances) of a result; what cannot be read, or is another's, is not known."""
    try:
        content = json.loads(record_path(artefact).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None, {}
    if not isinstance(content, dict):
        return None, {}
    circumstances = content.get("circumstances")
    circumstances = circumstances if isinstance(circumstances, dict) else {}
    if Path(artefact).exists() and circumstances.get("result") != _mark_of(artefact):
        return None, {}
    return MadeOf.from_plain(content.get("made_of")), circumstances
