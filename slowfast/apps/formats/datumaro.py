"""Data sets of datumaro: `annotations/SUBSET.json` with labels of videos; no boxes, masks or frames."""

from collections import Counter
from pathlib import Path

from slowfast.apps.formats.clip import Clip, Export, Options, Segment, link_clip, read_json, voted
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_json

_VIDEO = 5  # the number of its media type


def read(source: Path, options: Options) -> Export:
    """Return the clips of a data set or of one of its JSON files.

    Raises:
        InputError: naming file and item.
    """
    files = sorted((source / "annotations").glob("*.json")) if source.is_dir() else [source]
    if not files:
        raise InputError(f"{source}: no annotations/*.json is there; give the folder that datumaro exported to")
    export, clips = Export(), []
    for path in files:
        content = read_json(path)
        if not isinstance(content, dict) or "items" not in content or "categories" not in content:
            raise InputError(f"{path}: no items and categories are in it; export it as 'datumaro' (JSON)")
        names = [entry["name"] for entry in (content["categories"].get("label") or {}).get("labels", ())]
        export.classes = tuple(dict.fromkeys([*export.classes, *names]))
        subset = "" if path.stem == "default" else path.stem
        for item in content["items"]:
            video, frame = item.get("video") or {}, (item.get("attr") or {}).get("frame")
            if "image" in item and options.video_name and frame is not None:  # a task on a video, from CVAT
                item["video_frame"] = {"video_path": options.video_name, "frame_index": frame}
            if "image" in item and "video_frame" not in item:
                export.told["items that are images, left out (--video-name NAME: frames of that video)"] += 1
            elif video.get("start_frame") and video.get("end_frame") is None:
                export.told["items that begin inside their video and name no last frame, left out"] += 1
            else:
                clips.append(_clip(item, names, subset, export.told, path))
    if not clips and not export.told:
        raise InputError(f"{source}: it holds no item; a data set from a generator exports none: make it from a list")
    export.clips = voted(clips, export.told)
    return export


def _clip(item: dict, names: list[str], subset: str, told: Counter[str], path: Path) -> Clip:
    """Return one item; the annotation of a frame is about that frame."""
    video, frame = item.get("video") or {}, item.get("video_frame") or {}
    name = video.get("path") or frame.get("video_path") or (item.get("media") or {}).get("path") or item["id"]
    annotations = [entry for entry in item.get("annotations", ()) if entry["type"] == "label"]
    told["annotations of another kind than label (boxes and so on)"] += len(item["annotations"]) - len(annotations)
    numbers = [entry["label_id"] for entry in annotations]
    if any(not 0 <= number < len(names) for number in numbers):
        raise InputError(f"{path}: item {item['id']!r} has a label_id that is none of its {len(names)} categories")
    attributes = annotations[0].get("attributes", {}) if annotations else {}
    score = attributes.get("score")
    segment = None
    if frame:
        segment = Segment(frame["frame_index"], frame["frame_index"], "frames")
    elif video.get("end_frame") is not None:
        segment = Segment(video.get("start_frame", 0), video["end_frame"], "frames")
    elif "time_start" in attributes:
        segment = Segment(attributes["time_start"], attributes["time_end"], "seconds")
    return Clip(name, tuple(dict.fromkeys(names[number] for number in numbers)), segment, subset, score)


def write(target: Path, export: Export, options: Options) -> Counter[str]:
    """Write one JSON a subset, with links to the clips where their folder is known; return what is missing."""
    labels = [{"name": name, "parent": "", "attributes": []} for name in export.classes]
    categories = {"label": {"labels": labels, "label_groups": [], "attributes": []}}
    numbers = {name: number for number, name in enumerate(export.classes)}
    subsets: dict[str, list[dict]] = {}
    for clip in export.clips:
        subset = clip.subset or "default"
        subsets.setdefault(subset, []).append(_item(clip, numbers))
        if options.videos is not None:
            link_clip(target / "videos" / subset / clip.name, options.videos / clip.name)
    for subset, items in subsets.items():
        head = {"dm_format_version": "1.0", "media_type": _VIDEO, "infos": {}, "categories": categories}
        write_json(target / "annotations" / f"{subset}.json", {**head, "items": items})
    return Counter({"clips themselves (--videos DIR makes links to them)": 0 if options.videos else len(export.clips)})


def _item(clip: Clip, numbers: dict[str, int]) -> dict:
    """Return the entry of one clip: frames stand with the video, seconds with the label."""
    attributes, video = {}, {"path": clip.name, "step": 1, "start_frame": 0}
    if clip.score is not None:
        attributes["score"] = clip.score
    name = clip.name
    if clip.segment is not None:
        name += f"_{clip.segment.start:g}_{clip.segment.end:g}"
        if clip.segment.unit == "seconds":
            attributes |= {"time_start": clip.segment.start, "time_end": clip.segment.end}
        else:
            video |= {"start_frame": int(clip.segment.start), "end_frame": int(clip.segment.end)}
    annotations = [
        {"id": number, "type": "label", "attributes": attributes, "group": 0, "label_id": numbers[label]}
        for number, label in enumerate(clip.labels)
    ]
    return {"id": name, "annotations": annotations, "video": video}
