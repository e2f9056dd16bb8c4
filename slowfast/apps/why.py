"""What a result was made from, down to lists and weights, what of that has changed, and how two results differ."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slowfast.datasets.sources import read_again
from slowfast.ensemble.predictions import load_predictions
from slowfast.features.store import load_features
from slowfast.parents import Input, MadeOf, input_of_file, input_of_folder, read_record
from slowfast.parents.record import differences, version_differences
from slowfast.utils.errors import InputError

UNKNOWN = "unknown"
_CHECKPOINTS = (".pyth", ".pth", ".pt")


@dataclass
class Node:
    """A result or an input.

    Attributes:
        role: what it is to the result above it.
        path: where it lay; empty: not recorded.
        made_of: its record, None where there is none.
        state: `as it was`, `changed: ...`, `gone` or `unknown`.
        parents: what it was made from.
        weight: of a voter in the result above it, None where none was recorded.
    """

    role: str
    path: str
    made_of: MadeOf | None = None
    state: str = UNKNOWN
    parents: list["Node"] = field(default_factory=list)
    weight: float | None = None

    def walk(self, depth: int = 0, seen: set[int] | None = None) -> Iterator[tuple[int, "Node", bool]]:
        """Yield (depth, node, first) of everything; what a file was made from follows its first mention only."""
        seen = set() if seen is None else seen
        first = id(self.parents) not in seen
        seen.add(id(self.parents))
        yield depth, self, first
        for parent in self.parents if first else ():
            yield from parent.walk(depth + 1, seen)

    def lines(self) -> list[str]:
        """Return the tree, one line for each node."""
        return [f"{'  ' * depth}{node.line(first)}" for depth, node, first in self.walk()]

    def line(self, first: bool) -> str:
        """Return one line."""
        round_ = self.made_of.round if self.made_of is not None else 0
        known = f" ({self.made_of.kind}, round {UNKNOWN if round_ < 0 else round_})" if self.made_of is not None else ""
        above = "" if first or not self.parents else ", see above"
        weight = "" if self.weight is None else f", weight {self.weight:g}"
        return f"{self.role}: {self.path or UNKNOWN}{known}{weight}  [{self.state}{above}]"

    def as_plain(self) -> list[dict[str, Any]]:
        """Return the tree as plain types, nodes in the order of `lines`."""
        return [
            {"depth": depth, "role": node.role, "path": node.path, "state": node.state}
            | ({"weight": node.weight} if node.weight is not None else {})
            | ({"made_of": node.made_of.as_plain(marks=False)} if first and node.made_of is not None else {})
            for depth, node, first in self.walk()
        ]

    def verdict(self) -> str:
        """Return what has changed, one line each, or how much is known not to have."""
        if self.made_of is None:
            return f"{UNKNOWN}: nothing was recorded for {self.path}"
        known = bool(self.parents) and all(node.state != UNKNOWN for _, node, _ in self.walk())
        changed = "\n".join(f"since then: {text}" for text in self.changed())
        return changed or f"nothing has changed since{'' if known else ', as far as is known'}"

    def changed(self) -> list[str]:
        """Return what has changed, of everything below."""
        return list(
            dict.fromkeys(
                f"{node.path or node.role}: {node.state}"
                for _, node, _ in self.walk()
                if node.state.startswith(("changed", "gone"))
            )
        )


def record_of(path: Path) -> tuple[MadeOf | None, dict[str, Any]]:
    """Return what a result was made from and the circumstances, from the record beside it, else from the result.

    Raises:
        InputError: there is no such file.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; give a result: a checkpoint, a PKL, a table, a submission, features")
    made_of, circumstances = read_record(path)
    try:
        if path.suffix == ".pkl":
            inside = MadeOf.from_plain(load_predictions(path, several=True).made_of)
            same = made_of is not None and inside is not None and made_of.identity() == inside.identity()
            return (made_of, circumstances) if same else (inside, {})
        if made_of is None and path.suffix == ".npz":
            features = load_features(path)
            inputs = {"video": Input(features.video_digest)} if features.video_digest else {}
            made_of = MadeOf("features", inputs, {"settings": features.settings}) if features.settings else None
        if made_of is None and path.suffix in _CHECKPOINTS:
            made_of = _inside_checkpoint(path)
    except InputError:
        return None, {}
    return made_of, circumstances


def _inside_checkpoint(path: Path) -> MadeOf | None:
    """Return the record in a checkpoint."""
    from slowfast.engine.checkpoint import load_checkpoint  # torch takes seconds
    from slowfast.engine.parents import made_of_state

    return made_of_state(load_checkpoint(path))[0]


def tree_of(path: Path) -> Node:
    """Return a result with everything it was made from.

    Raises:
        InputError: there is no such file.
    """
    made_of, parents = _Reader().result(path)
    return Node("result", str(path), made_of, UNKNOWN if made_of is None else "as it is", parents)


class _Reader:
    """Reads every result and every list once."""

    def __init__(self) -> None:
        self.results: dict[Path, tuple[MadeOf | None, list[Node]]] = {}
        self.read: dict[str, dict[str, Input] | str] = {}

    def result(self, path: Path) -> tuple[MadeOf | None, list[Node]]:
        """Return the record and the inputs of a result."""
        place = path.resolve()
        if place not in self.results:
            made_of, circumstances = record_of(path)
            nodes: list[Node] = []
            self.results[place] = made_of, nodes  # before its inputs: a record that was edited may name itself
            nodes += self._inputs(made_of, circumstances) if made_of is not None else []
        return self.results[place]

    def _inputs(self, made_of: MadeOf, circumstances: dict[str, Any]) -> list[Node]:
        """Return the inputs of a result."""
        paths, lists = (_dict(circumstances.get(name)) for name in ("paths", "lists"))
        weights = _dict(made_of.settings.get("weights"))
        weights = _dict(weights.get("usual")) or weights  # of a published stage
        nodes = []
        for role, item in made_of.inputs.items():
            kind, _, split = role.partition(" ")
            place = _dict(lists.get(split, lists.get(f" {split}")))
            where = str(paths.get(role) or place.get("folder" if kind == "clips" else "path") or "")
            weight = weights.get(role.removeprefix("voter "))
            node = Node(role, where, weight=weight if isinstance(weight, int | float) else None)
            if place and kind in ("list", "clips"):
                node.state = self._list_state(item, kind, split, place)
            elif where:
                node.state = _file_state(item, Path(where))
            if role in paths and Path(where).is_file():
                node.made_of, node.parents = self.result(Path(where))
            nodes.append(node)
        return nodes

    def _list_state(self, item: Input, kind: str, split: str, place: dict[str, Any]) -> str:
        """Return whether a list or its clips are as they were."""
        key = f"{split}{sorted(place.items(), key=str)}"
        if key not in self.read:
            self.read[key] = _read_list(split, place)
        now = self.read[key]
        return now if isinstance(now, str) else _state(item, now[f"{kind} {split}"], f"{kind} {split}".strip())


def _dict(value: Any) -> dict[str, Any]:
    """Return a dict of a record that may have been edited."""
    return value if isinstance(value, dict) else {}


def _read_list(split: str, place: dict[str, Any]) -> dict[str, Input] | str:
    """Return list and clips as they are now, or the state of what cannot be read."""
    try:
        return read_again(split, place)
    except InputError:
        return "changed: it cannot be read as before" if Path(str(place.get("path"))).exists() else "gone"
    except (KeyError, TypeError, ValueError, OSError):
        return UNKNOWN


def _file_state(item: Input, path: Path) -> str:
    """Return whether a file is as it was."""
    if not path.exists():
        return "gone"
    now = input_of_folder(path) if path.is_dir() else input_of_file(path)
    if now.digest != item.digest and path.suffix in (*_CHECKPOINTS, ".safetensors"):
        from slowfast.engine.parents import weights_input

        now = weights_input(path)
    return _state(item, now, path.name)


def _state(then: Input, now: Input, role: str) -> str:
    """Return what has become of an input."""
    if then.digest == UNKNOWN:
        return UNKNOWN
    if then.digest == now.digest:
        return "as it was"
    return f"changed: {differences(MadeOf('', {role: then}), MadeOf('', {role: now}))[0]}"


def compare(first: Path, second: Path) -> list[str]:
    """Return how two results differ, causes before consequences and versions last of each; empty: they do not.

    Raises:
        InputError: one of them does not exist.
    """
    names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
    return list(dict.fromkeys(_compare(tree_of(first), tree_of(second), names, set())))


def _compare(left: Node, right: Node, names: tuple[str, str], seen: set[tuple[int, int]]) -> list[str]:
    """Return how two trees differ."""
    if left.made_of is None or right.made_of is None:
        return [f"{UNKNOWN}: nothing was recorded for {left.path if left.made_of is None else right.path}"]
    if (id(left.parents), id(right.parents)) in seen:
        return []
    seen.add((id(left.parents), id(right.parents)))
    others, found = {node.role: node for node in right.parents}, []
    for node in left.parents:
        other = others.get(node.role)
        if other is not None and node.made_of is not None and other.made_of is not None:
            same = left.made_of.inputs[node.role].digest == right.made_of.inputs[node.role].digest
            found += [] if same else _compare(node, other, names, seen)
    own = differences(left.made_of, right.made_of, names=names)
    return found + own + version_differences(left.made_of, right.made_of)
