"""Label Studio: JSON, JSON_MIN and CSV exports; tasks with annotations or predictions to import.

Regions of its timeline count frames from 1, both ends included, at the `frameRate` of the configuration's Video tag (24
where it has none), whatever the rate of the clip. Names and addresses of annotators are not read.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from slowfast.apps.formats.clip import Clip, Export, Options, Segment, choose, majority, read_json, read_rows, voted
from slowfast.apps.formats.match import name_of_url
from slowfast.lists.endings import ENDINGS
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_json, write_text

_KINDS = ("choices", "timelinelabels")
_ABOUT = frozenset("id annotator annotation_id created_at updated_at lead_time agreement subset".split())
_CONTROL, _VIDEO, _TIMELINE = "label", "video", "segments"


def read(source: Path, options: Options) -> Export:
    """Return the clips of an export of any of the three kinds.

    Raises:
        InputError: naming what is missing.
    """
    rows = read_rows(source) if source.suffix.lower() == ".csv" else read_json(source)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{source}: this is no export of Label Studio with a task (JSON, JSON_MIN or CSV)")
    export, full = Export(), "annotations" in rows[0] or "data" in rows[0]
    clips = _of_tasks(rows, options, export.told, source) if full else _of_rows(rows, options, export.told, source)
    export.clips = voted(clips, export.told)
    return export


def _of_tasks(tasks: list[dict], options: Options, told: Counter[str], source: Path) -> list[Clip]:
    """Return the clips of a full export; the annotators of a task vote."""
    key = _video_key([task.get("data") or {} for task in tasks], options, source)
    kept = [(task, _counting(task, told)) for task in tasks]
    results = [entry for _, annotations in kept for each in annotations for entry in each.get("result", ())]
    controls = [entry["from_name"] for entry in results if entry.get("type") in _KINDS]
    control = choose("--label-from", options.label, controls, "controls", source) if controls or options.label else ""
    told["predictions, which are not read"] += sum(len(task.get("predictions") or ()) for task in tasks)
    clips = []
    for task, annotations in kept:
        data = task.get("data") or {}
        name, subset = name_of_url(str(data.get(key, ""))), str(data.get("subset") or "")
        opinions = [_opinion(each, control, options, source) for each in annotations]
        regions = [(label, segment) for parts in opinions for label, segment in parts if segment]
        clips += [Clip(name, (label,), segment, subset) for label, segment in regions]
        whole = [tuple(label for label, segment in parts if not segment) for parts in opinions]
        whole = [labels for labels in whole if labels]
        labels = majority(whole)
        told["clips without a majority (a tie), left without a label"] += len(whole) > 1 and labels is None
        told["clips with several opinions: the majority counts"] += len(whole) > 1
        if not regions or labels:
            clips.append(Clip(name, labels or (), None, subset))
    return clips


def _counting(task: dict, told: Counter[str]) -> list[dict]:
    """Return the annotations of a task that count: not skipped, not rejected; the ground truth alone where there is."""
    kept = []
    for annotation in task.get("annotations") or ():
        reviews = annotation.get("reviews") or ()
        skipped = bool(annotation.get("was_cancelled"))
        rejected = not skipped and bool(reviews) and reviews[-1].get("accepted") is False
        told["annotations skipped by their annotator, left out"] += skipped
        told["annotations rejected in review, left out"] += rejected
        kept += [] if skipped or rejected else [annotation]
    return [annotation for annotation in kept if annotation.get("ground_truth")] or kept


def _opinion(annotation: dict, control: str, options: Options, source: Path) -> list[tuple[str, Segment | None]]:
    """Return (label, segment or None) of one annotation."""
    parts: list[tuple[str, Segment | None]] = []
    for entry in annotation.get("result", ()):
        if entry.get("from_name") == control and entry.get("type") in _KINDS:
            parts += _parts(entry.get("value") or {}, options, source)
    return parts


def _parts(value: dict, options: Options, source: Path) -> list[tuple[str, Segment | None]]:
    """Return (label, segment or None) of a value: choices, or labels of ranges."""
    if "choices" in value:
        return [(label, None) for label in value["choices"]]
    spans = [_segment(span, options, source) for span in value.get("ranges", ())]
    return [(label, span) for label in value.get("timelinelabels", ()) for span in spans]


def _segment(span: dict, options: Options, source: Path) -> Segment:
    """Return the seconds of a range of frames."""
    if not options.fps:
        raise InputError(
            f"{source}: regions of the timeline count frames at a rate that the export does not hold; give the"
            " frameRate of the configuration's Video tag with --fps (24 where it has none)"
        )
    return Segment((span["start"] - 1) / options.fps, span["end"] / options.fps, "seconds")


def _of_rows(rows: list[dict], options: Options, told: Counter[str], source: Path) -> list[Clip]:
    """Return the clips of JSON_MIN or CSV: a row for each annotation, the label in a column called like the control."""
    key = _video_key(rows, options, source)
    columns = [column for row in rows for column in row if column not in _ABOUT and column != key]
    if not options.label:
        names = ", ".join(sorted(set(columns))) or "none"
        raise InputError(f"{source}: say with --label-from which column holds the label ({names})")
    column = choose("--label-from", options.label, columns, "columns", source)
    clips = []
    for row in rows:
        name, subset = name_of_url(str(row.get(key) or "")), str(row.get("subset") or "")
        parts = [part for value in _values(row.get(column)) for part in _parts(value, options, source)]
        clips += [Clip(name, (label,), segment, subset) for label, segment in parts if segment]
        whole = tuple(label for label, segment in parts if not segment)
        clips += [Clip(name, whole, None, subset)] if whole or not parts else []
    return clips


def _values(cell: Any) -> list[dict]:
    """Return what a cell holds: one choice as text, several as {"choices": []}, a list of ranges; as JSON in CSV."""
    if isinstance(cell, str) and cell[:1] in "[{":
        try:
            cell = json.loads(cell)
        except ValueError:
            cell = str(cell)
    if isinstance(cell, str):
        return [{"choices": [cell]}] if cell else []
    return cell if isinstance(cell, list) else [cell] if cell else []


def _video_key(rows: list[dict], options: Options, source: Path) -> str:
    """Return the key that names the video: the one the user says, or the only one whose values end like videos."""
    keys = {
        key for row in rows for key, value in row.items()
        if isinstance(value, str) and Path(name_of_url(value)).suffix.lower() in ENDINGS
    }  # fmt: skip
    if options.video_key and any(options.video_key in row for row in rows):
        return options.video_key
    return choose("--video-key", options.video_key, sorted(keys), "keys that name a video", source)


def write(target: Path, export: Export, options: Options) -> Counter[str]:
    """Write tasks to import and, beside them, the labelling configuration that fits; return what was lost.

    Labels become annotations; with a model version they become predictions with their score.

    Raises:
        InputError: segments in seconds without a frame rate.
    """
    lost: Counter[str] = Counter()
    tasks: dict[tuple[str, str], list[dict]] = {}
    scores: dict[tuple[str, str], float] = {}
    for clip in export.clips:
        results = tasks.setdefault((clip.name, clip.subset), [])
        results += [_result(clip, label, options, target) for label in clip.labels] if clip.segment else []
        if clip.labels and not clip.segment:
            value = {"choices": list(clip.labels)}
            results.append({"from_name": _CONTROL, "to_name": _VIDEO, "type": "choices", "value": value})
        if clip.score is not None:
            scores[clip.name, clip.subset] = clip.score
            lost["scores of labels (--model-version keeps them, as predictions)"] += not options.model_version
    lost["names without an address Label Studio can open (--url-prefix)"] += 0 if options.url_prefix else len(tasks)
    write_json(target, [_task(*key, results, scores.get(key), options) for key, results in tasks.items()])
    write_text(target.with_name(f"{target.stem}_config.xml"), _configuration(export, options))
    return lost


def _task(name: str, subset: str, results: list[dict], score: float | None, options: Options) -> dict:
    """Return one task."""
    data = {_VIDEO: options.url_prefix + name} | ({"subset": subset} if subset else {})
    if not results:
        return {"data": data}
    if not options.model_version:
        return {"data": data, "annotations": [{"result": results}]}
    prediction = {"model_version": options.model_version, "result": results}
    return {"data": data, "predictions": [prediction | ({} if score is None else {"score": score})]}


def _result(clip: Clip, label: Any, options: Options, target: Path) -> dict:
    """Return a region of the timeline."""
    start, end = clip.segment.start, clip.segment.end
    if clip.segment.unit == "frames":
        first, last = int(start) + 1, int(end) + 1
    elif options.fps:
        first = round(start * options.fps) + 1
        last = max(first, round(end * options.fps))
    else:
        raise InputError(f"{target}: segments in seconds need the frameRate of the Video tag; give it with --fps")
    value = {"ranges": [{"start": first, "end": last}], "timelinelabels": [label]}
    return {"from_name": _TIMELINE, "to_name": _VIDEO, "type": "timelinelabels", "value": value}


def _configuration(export: Export, options: Options) -> str:
    """Return the labelling configuration with the controls that the tasks name."""
    names = export.classes or sorted({str(label) for clip in export.clips for label in clip.labels})
    rate = f' frameRate="{options.fps:g}"' if options.fps else ""
    several = "multiple" if any(len(clip.labels) > 1 for clip in export.clips) else "single"
    choices = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in names)
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in names)
    timeline = f'  <TimelineLabels name="{_TIMELINE}" toName="{_VIDEO}">\n{labels}  </TimelineLabels>\n'
    return (
        f'<View>\n  <Video name="{_VIDEO}" value="${_VIDEO}"{rate}/>\n'
        f'  <Choices name="{_CONTROL}" toName="{_VIDEO}" choice="{several}">\n{choices}  </Choices>\n'
        + (timeline if any(clip.segment for clip in export.clips) else "")
        + "</View>\n"
    )
