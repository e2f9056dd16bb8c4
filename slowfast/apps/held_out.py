"""A part of labelled clips that nothing is trained on, chosen so that clips of one film or person stay together."""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

# Share of every class that is held out, at most; a class with fewer clips than 1 / SHARE keeps all of them.
SHARE = 0.15
# Names that tell fewer groups than this are taken one by one.
_FEWEST_GROUPS = 5
_WORD = re.compile(
    r"(?:^|[^a-z])((?:g|gr|group|seq|person|p|subject|s|actor|scene|cam|video|vid)_?\d+)(?![a-z0-9])", re.IGNORECASE
)


def groups_of(names: Sequence[str]) -> list[str]:
    """Return the group of every clip as its name tells it; its own name where names tell nothing.

    A word such as `g014`, `seq3` or `person07` is a group, else a folder inside the class folder, else what stands
    before the last number of the file's name.

    Args:
        names: `class/.../file` each.
    """
    for tell in (_by_word, _by_folder, _by_number):
        groups = [tell(name) for name in names]
        distinct = len(set(groups))
        if "" not in groups and _FEWEST_GROUPS <= distinct < len(names):
            return groups
    return list(names)


def _by_word(name: str) -> str:
    """Return the word that names a group, empty without one."""
    found = _WORD.search(PurePosixPath(name).stem)
    return found[1].lower() if found else ""


def _by_folder(name: str) -> str:
    """Return the folder inside the class folder, empty for a clip that lies in the class folder itself."""
    return "/".join(PurePosixPath(name).parts[:-1]) if name.count("/") > 1 else ""


def _by_number(name: str) -> str:
    """Return class folder and name without the number at its end, empty where only a number is left."""
    path = PurePosixPath(name)
    rest = re.sub(r"[^a-zA-Z0-9]*\d+$", "", path.stem)
    return f"{path.parts[0]}/{rest}" if rest and re.search(r"\d", rest) else ""


def hold_out(names: Sequence[str], labels: Sequence[int], share: float = SHARE) -> tuple[list[bool], list[str]]:
    """Return which clips are held out, and the group of every clip.

    Groups are taken whole, in an order that depends on their names alone, as long as no class loses more than its
    share (rounded up where it has clips enough).

    Args:
        names: `class/.../file` each.
        labels: class of each.
        share: of every class.
    """
    groups = groups_of(names)
    most = {label: int(share * count + 0.5) for label, count in Counter(labels).items()}
    of_group: dict[str, Counter] = {}
    for group, label in zip(groups, labels):
        of_group.setdefault(group, Counter())[label] += 1
    taken, held = Counter(), set()
    for group in sorted(of_group, key=lambda group: (zlib.crc32(group.encode()), group)):
        if all(taken[label] + count <= most[label] for label, count in of_group[group].items()):
            held.add(group)
            taken += of_group[group]
    return [group in held for group in groups], groups
