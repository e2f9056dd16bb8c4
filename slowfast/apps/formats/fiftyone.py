"""FiftyOne on disk: trees of class folders, temporal detections (labels.json), data sets (samples.json)."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from slowfast.apps.formats.clip import SPLITS, Clip, Export, Options, Segment, choose, link_clip, read_json, voted
from slowfast.lists.endings import find_files
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_json

_UNLABELLED = "_unlabeled"


def read(source: Path, options: Options) -> Export:
    """Return the clips of an exported folder, or of one of its JSON files.

    Raises:
        InputError: naming file and clip.
    """
    files = [source / name for name in ("samples.json", "labels.json")] if source.is_dir() else [source]
    path = next((path for path in files if path.is_file()), None)
    export = Export()
    if path is None:
        _tree(source, export)
    elif isinstance(content := read_json(path), dict) and isinstance(content.get("samples"), list):
        _samples(content["samples"], options, export, path)
    elif isinstance(content, dict) and isinstance(content.get("labels"), dict):
        _detections(content, export, path)
    else:
        raise InputError(
            f"{path}: neither samples nor labels of videos are in it; export a FiftyOne data set for videos"
        )
    export.clips = voted(export.clips, export.told)
    return export


def _tree(source: Path, export: Export) -> None:
    """Read `CLASS/clip`, or `SPLIT/CLASS/clip` where all first folders are called like splits.

    Clips in no class folder are passed over as FiftyOne does.
    """
    names = [path.relative_to(source) for path in find_files(source)]
    depth = int({name.parts[0] for name in names} <= SPLITS)
    for name in names:
        if len(name.parts) < depth + 2 or name.parts[depth].startswith("."):
            export.told["clips in no class folder, left out"] += 1
            continue
        label = name.parts[depth]
        subset = name.parts[0] if depth else ""
        export.clips.append(Clip(name.as_posix(), () if label == _UNLABELLED else (label,), None, subset))


def _detections(content: dict, export: Export, path: Path) -> None:
    """Read temporal detections: `support` counts frames from 1, both included; labels may be numbers of classes.

    `timestamps` are 0 at the first and the duration at the last frame, so they are no times of a constant rate.
    """
    classes = content.get("classes") or ()
    export.classes = tuple(classes)
    manifest = path.with_name("data.json")
    files = read_json(manifest) if manifest.is_file() else {}
    for name, detections in content["labels"].items():
        for entry in detections or ({},):
            times, support = entry.get("timestamps"), entry.get("support")
            segment = Segment(times[0], times[1], "seconds") if times else None
            segment = Segment(support[0] - 1, support[1] - 1, "frames") if support else segment
            labels = _class(entry.get("label"), classes, f"{path}: {name}")
            export.clips.append(Clip(files.get(name, name), labels, segment, score=entry.get("confidence")))


def _class(label: str | int | None, classes: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the name of a label, which may be a number of a class."""
    if isinstance(label, int):
        if not 0 <= label < len(classes):
            raise InputError(f"{where} has the label {label}, none of its {len(classes)} classes")
        label = classes[label]
    return () if label is None else (label,)


def _samples(samples: list[dict], options: Options, export: Export, path: Path) -> None:
    """Read a field of classifications or temporal detections of samples; tags may name the split."""
    kinds = ("Classification", "Classifications", "TemporalDetections")
    fields = {
        key for sample in samples for key, value in sample.items()
        if isinstance(value, dict) and value.get("_cls") in kinds
    }  # fmt: skip
    field = choose("--label-from", options.label, sorted(fields), "fields with labels", path)
    for sample in samples:
        value, name = sample.get(field) or {}, sample["filepath"]
        tags = [tag for tag in sample.get("tags", ()) if tag in ("train", "validation", "val", "test")]
        subset = tags[0] if len(tags) == 1 else ""
        entries = value.get("detections") or value.get("classifications") or ([value] if "label" in value else [])
        if value.get("_cls") != "TemporalDetections":
            labels = tuple(entry["label"] for entry in entries)
            score = entries[0].get("confidence") if len(entries) == 1 else None
            export.clips.append(Clip(name, labels, None, subset, score))
            continue
        for entry in entries:
            first, last = entry["support"]
            segment = Segment(first - 1, last - 1, "frames")
            export.clips.append(Clip(name, (entry["label"],), segment, subset, entry.get("confidence")))


def write(target: Path, export: Export, options: Options) -> Counter[str]:
    """Write a tree of class folders with links, and segments as labels.json; return what they could not hold.

    Raises:
        InputError: the folder of the clips is not known.
    """
    if options.videos is None:
        raise InputError(f"{target}: class folders hold the clips; say where they are with --videos DIR")
    lost: Counter[str] = Counter()
    parts: dict[str, list[dict]] = {}
    for clip in export.clips:
        lost["clips with several labels (the first one is written)"] += len(clip.labels) > 1
        if clip.segment is not None:
            if clip.labels:
                parts.setdefault(clip.name, []).append(_detection(clip))
            lost["subsets of clips with segments"] += bool(clip.subset)
            continue
        lost["scores of labels"] += clip.score is not None
        label = str(clip.labels[0]) if clip.labels else _UNLABELLED
        name = clip.name.removeprefix(f"{label}/")
        link_clip(target / clip.subset / label / name, options.videos / clip.name)
    if parts:
        names = {str(Path(name).with_suffix("")): name for name in parts}
        lost["segments of clips whose names differ in the ending only"] += len(parts) - len(names)
        labels = {stem: parts[name] for stem, name in names.items()}
        write_json(target / "labels.json", {"classes": None, "labels": labels})
        write_json(target / "data.json", {stem: str(options.videos / name) for stem, name in names.items()})
    return lost


def _detection(clip: Clip) -> dict:
    """Return a segment as FiftyOne has it."""
    start, end = clip.segment.start, clip.segment.end
    part = (
        {"support": [int(start) + 1, int(end) + 1]} if clip.segment.unit == "frames" else {"timestamps": [start, end]}
    )
    return {"label": clip.labels[0], **part, **({} if clip.score is None else {"confidence": clip.score})}
