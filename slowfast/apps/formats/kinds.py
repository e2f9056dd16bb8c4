"""The formats by name: `--from KIND`, `--to KIND`."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slowfast.apps.formats import cvat, datumaro, fiftyone, huggingface, kinetics, labelstudio, mmaction2
from slowfast.apps.formats.clip import Export, Options
from slowfast.utils.errors import InputError


@dataclass(frozen=True)
class Kind:
    """A format.

    Args:
        read: from a source to what it holds.
        write: to a target; returns what was lost. None where the format cannot hold labels of whole clips.
    """

    read: Callable[[Path, Options], Export]
    write: Callable[[Path, Export, Options], Counter[str]] | None


KINDS = {
    "kinetics": Kind(kinetics.read, kinetics.write),
    "mmaction2": Kind(mmaction2.read_videos, mmaction2.write_videos),
    "rawframes": Kind(mmaction2.read_rawframes, mmaction2.write_rawframes),
    "huggingface": Kind(huggingface.read, huggingface.write),
    "cvat": Kind(cvat.read, None),
    "labelstudio": Kind(labelstudio.read, labelstudio.write),
    "fiftyone": Kind(fiftyone.read, fiftyone.write),
    "datumaro": Kind(datumaro.read, datumaro.write),
}


def kind_of(name: str, *, writing: bool = False) -> Kind:
    """Return a format by its name.

    Raises:
        InputError: there is none of that name, or it cannot be written.
    """
    if name not in KINDS:
        raise InputError(f"the format {name!r} is unknown; one of {', '.join(KINDS)} is needed")
    if writing and KINDS[name].write is None:
        raise InputError("cvat: CVAT for video holds tracks in frames, no label of a whole clip; use --to datumaro")
    return KINDS[name]


def read_export(name: str, source: Path, options: Options) -> Export:
    """Return what a source of a format holds.

    Raises:
        InputError: the source is not there, holds no clip, or is damaged; naming file and place.
    """
    kind = kind_of(name)
    if not source.exists():
        raise InputError(f"{source}: this does not exist; check the path behind --from {name}")
    try:
        export = kind.read(source, options)
        strange = [
            clip for clip in export.clips
            if not isinstance(clip.name, str) or not all(isinstance(label, str | int) for label in clip.labels)
        ]  # fmt: skip
        if strange:
            raise ValueError(f"{str(strange[0].name)[:60]!r} has a name or label that is no text")
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise InputError(
            f"{source}: it is not as {name} writes it ({type(error).__name__}: {error}); export it again"
        ) from None
    if not export.clips:
        told = "; ".join(f"{count} {text}" for text, count in export.told.items() if count)
        raise InputError(f"{source}: it holds no clip" + f" ({told})" * bool(told))
    return export
