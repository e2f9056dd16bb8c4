"""CVAT for video 1.1 and tags of CVAT for images 1.1: what holds in which frames; labels of whole clips it has none.

Frames of tracks count from 0 over the frames of the source video. In the export of a project they run on over the tasks
of a subset, and are shifted back here. Names and addresses of persons are not read.
"""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slowfast.apps.formats.clip import Clip, Export, Options, Segment, choose
from slowfast.utils.errors import InputError

_SHAPES = frozenset("box polygon polyline points mask ellipse cuboid skeleton".split())
_TRACK_LABEL = "label"


@dataclass(frozen=True)
class _Task:
    """The video of a task: its name, split, the frames of earlier tasks before its own, the step between frames."""

    name: str
    subset: str
    shift: int
    step: int


def read(source: Path, options: Options) -> Export:
    """Return a clip for every run of frames that a label holds in.

    Raises:
        InputError: naming what is missing.
    """
    try:
        root = ElementTree.parse(source).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{source}: this is no annotations.xml that can be read ({error})") from None
    tasks = _tasks(root, source, options)
    export = Export(classes=options.classes)
    frames: dict[tuple[str, str], set[int]] = {}
    attribute = _attribute(root, source, options)
    for task_id, label, frame in [*_of_tracks(root, attribute, export.told), *_of_tags(root, export.told)]:
        if task_id not in tasks:
            raise InputError(f"{source}: a track belongs to the task {task_id!r}, which meta does not describe")
        frames.setdefault((task_id, label), set()).add(frame - tasks[task_id].shift)
    for (task_id, label), numbers in frames.items():
        task = tasks[task_id]
        for start, end in _runs(sorted(numbers), task.step):
            export.clips.append(Clip(task.name, (label,), Segment(start, end, "frames"), task.subset))
    if not export.clips:
        raise InputError(
            f"{source}: no label stands in it (CVAT for video does not export tags: use Datumaro's format)"
        )
    return export


def _tasks(root: ElementTree.Element, source: Path, options: Options) -> dict[str, _Task]:
    """Return the tasks by their number; the only one of an export has an empty number."""
    meta = root.find("meta")
    nodes = [] if meta is None else meta.findall("project/tasks/task")
    if nodes:
        tasks, past = {}, Counter()
        for node in nodes:
            subset, step = node.findtext("subset") or "", _step(node)
            name = node.findtext("source") or node.findtext("name") or ""
            tasks[node.findtext("id") or ""] = _Task(name, subset, past[subset], step)
            past[subset] += int(node.findtext("start_frame") or 0) + step * int(node.findtext("size") or 0)
        return tasks
    node = meta.find("task") if meta is not None else None
    name = options.video_name or (node.findtext("source") if node is not None else "")
    if not name:
        raise InputError(
            f"{source}: it names no video (exports of a job, and datumaro's, do not); give it with --video-name NAME"
        )
    node = meta.find("job") if node is None and meta is not None else node
    return {"": _Task(name, node.findtext("subset") or "" if node is not None else "", 0, _step(node))}


def _step(node: ElementTree.Element | None) -> int:
    """Return how far the frames of a task lie apart."""
    text = (node.findtext("frame_filter") if node is not None else "") or ""
    return int(text.partition("step=")[2] or 1)


def _attribute(root: ElementTree.Element, source: Path, options: Options) -> str:
    """Return where the label stands: the label of tracks, or an attribute of shapes."""
    names = {node.get("name", "") for shape in root.iterfind("track/*") for node in shape.iterfind("attribute")}
    if root.find("track") is None:
        return _TRACK_LABEL
    return choose("--label-from", options.label, [_TRACK_LABEL, *names], "places of the label", source)


def _of_tracks(root: ElementTree.Element, attribute: str, told: Counter[str]) -> Iterator[tuple[str, str, int]]:
    """Yield (task, label, frame) of the shapes that are there; `outside` ends a presence."""
    for track in root.iterfind("track"):
        for shape in track:
            if shape.tag not in _SHAPES or shape.get("outside") == "1":
                continue
            values = {node.get("name"): (node.text or "").strip() for node in shape.iterfind("attribute")}
            label = track.get("label", "") if attribute == _TRACK_LABEL else values.get(attribute, "")
            if label:
                yield track.get("task_id", ""), label, int(shape.get("frame", 0))
            told[f"shapes without the attribute {attribute}"] += not label


def _of_tags(root: ElementTree.Element, told: Counter[str]) -> Iterator[tuple[str, str, int]]:
    """Yield (task, label, frame) of the tags of images."""
    for image in root.iterfind("image"):
        for tag in image.iterfind("tag"):
            yield image.get("task_id", ""), tag.get("label", ""), int(image.get("id", 0))
        told["boxes and other shapes of images"] += sum(child.tag in _SHAPES for child in image)


def _runs(frames: list[int], step: int) -> Iterator[tuple[int, int]]:
    """Yield first and last frame of the runs whose frames are at most a step apart."""
    start = last = frames[0]
    for frame in frames[1:]:
        if frame - last > step:
            yield start, last
            start = frame
        last = frame
    yield start, last
