"""What a run reads, by content: rows and clips of its lists, and how to read them again."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slowfast.datasets.splits import PSEUDO_SPLIT
from slowfast.lists.records import VideoList, read_list
from slowfast.parents import ClipDigests, Input, input_of_clips, input_of_rows, read_record


@dataclass
class Sources:
    """Lists that were read.

    Attributes:
        inputs: `list NAME` and `clips NAME` of a split -> content.
        lists: split -> `path`, `folder`, `separator`, `classes` and, where it is so, `several` of its list.
    """

    inputs: dict[str, Input] = field(default_factory=dict)
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, split: str, records: VideoList, separator: Iterable[str], num_classes: int) -> None:
        """Add a split, once."""
        if split in self.lists:
            return
        source = str(Path(records.source).absolute())
        self.inputs[f"list {split}"] = input_of_rows(
            records.rows(), round=round_of_table(source) if split == PSEUDO_SPLIT else 0
        )
        self.inputs[f"clips {split}"] = input_of_clips(ClipDigests().of(records.paths()))
        folder = str(Path(records.folder).absolute())
        place = {"path": source, "folder": folder, "separator": [*separator], "classes": num_classes}
        self.lists[split] = place | ({"several": True} if records.several else {})

    def of(self, splits: Iterable[str]) -> dict[str, Input]:
        """Return the inputs of some splits."""
        roles = [f"{kind} {split}" for split in splits for kind in ("list", "clips")]
        return {role: self.inputs[role] for role in roles if role in self.inputs}


def read_again(split: str, place: dict[str, Any]) -> dict[str, Input]:
    """Return the content of a list as it is now, from how it was read; nothing of what cannot be read.

    Raises:
        InputError: the list cannot be read.
        KeyError, TypeError: `place` is not what `Sources.lists` holds.
    """
    records = read_list(
        place["path"], place["folder"], separator=tuple(place["separator"]), num_classes=int(place["classes"]),
        labelled=False, allow_outside=True, check_files=False, several=bool(place.get("several")),
    )  # fmt: skip
    found = Sources()
    found.add(split, records, place["separator"], place["classes"])
    return found.inputs


def round_of_table(path: str | Path) -> int:
    """Return the round of a pseudo-label table, -1 where nothing was recorded."""
    made_of, _ = read_record(path)
    return -1 if made_of is None or made_of.round < 0 else made_of.round + 1
