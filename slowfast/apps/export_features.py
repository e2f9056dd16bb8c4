"""Feature files in the layouts that toolkits for temporal action localisation read.

ActionFormer (and TriDet) and OpenTAD read one `.npy` (N, D) a video, a JSON of ActivityNet's form, and a few numbers of
their configuration, which are written beside it. Both place feature i at (i * stride + window / 2) / fps seconds.
"""

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.features.store import Features, check_writable, is_gone, load_features, read_sources
from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write, fitting_name, printable, write_json, write_text
from slowfast.utils.progress import Progress

Entry = dict[str, Any]
# Seconds that a feature may lie beside its time, where half a stride is less.
_LATE = 0.1
# Bytes of a key; endings follow.
_LONGEST_KEY = 240

_ACTIONFORMER = """# The `dataset` part of an ActionFormer or TriDet configuration for these features.
dataset:
  json_file: "{folder}/annotations.json"
  feat_folder: "{folder}/features"
  file_prefix: ""
  file_ext: .npy
  num_classes: {num_classes}
  input_dim: {width}
  feat_stride: {stride}
  num_frames: {window}
  default_fps: null # every video of the JSON has its own
"""
_OPENTAD = '''"""Values of an OpenTAD dataset for these features (pass them to train, val and test)."""

features = dict(
    ann_file={folder!r} + "/annotations.json",
    class_map={folder!r} + "/category_idx.txt",
    data_path={folder!r} + "/features",
    feature_stride={stride},
    sample_stride=1,
    offset_frames={offset},
)
load = dict(type="LoadFeats", feat_format="npy")
in_channels = {width}
'''


def export_features(
    source: str | Path,
    target: str | Path,
    kind: str,
    annotations: str | Path | None = None,
    subset: str = "test",
    classes: str | Path | None = None,
) -> str:
    """Write all features of a folder in the layout of a toolkit.

    Args:
        source: output folder of an extraction.
        target: folder to fill.
        kind: `actionformer`, `opentad` or `npy`.
        annotations: JSON of ActivityNet's form with subset, labels and segments (seconds) of the videos, or None.
        subset: of the videos that the annotations do not name.
        classes: file with a class name a line in the order of their numbers, like `category_idx.txt` of another export;
            default all labels of the annotations, sorted, or without labels the classes of the network.

    Returns:
        What was written, and what to know about it.

    Raises:
        InputError: when features are missing, damaged, of different windows, classes or networks, when their frame rate
            is unknown or changes, or when a label is none of the classes.
    """
    target = Path(target)
    check_writable(target)
    paths, gone = find_features(source)
    known = _read_annotations(annotations) if annotations is not None else {}
    folder = target / ("" if kind == "npy" else "features")
    progress = Progress(len(paths), f"export {kind}")
    entries: dict[str, Entry] = {}
    forms: dict[tuple[int, int, int], Path] = {}
    named: dict[tuple[str, ...], Path] = {}
    for key, path in paths.items():
        features = load_features(path)
        _check_exportable(path, features, kind)
        forms.setdefault((features.stride, features.window, features.feats.shape[1]), path)
        if features.class_names:  # those of earlier versions name none
            named.setdefault(features.class_names, path)
        for different in (forms, named):
            if len(different) > 1:
                first = next(iter(different.values()))
                raise InputError(f"{path} has another stride, window, width or classes than {first}")
        _save_array(folder / f"{key}.npy", features.feats)
        if kind == "npy":
            _save_array(folder / f"{key}.probs.npy", features.probs)
        entries[key] = _entry(features, known.get(unicodedata.normalize("NFC", key), {}), subset)
        progress.update()
    stride, window, width = next(iter(forms))
    names = next(iter(named), tuple(map(str, range(features.probs.shape[1]))))
    if kind == "npy":
        _write_index(target, paths, entries)
        write_text(target / "category_idx.txt", "".join(f"{name}\n" for name in names))
        return _sentence(target, entries, known, gone)
    labels = _classes(classes, known)
    _write_database(target, kind, entries, labels or names, stride=stride, window=window, width=width)
    text = _sentence(target, entries, known, gone) + ("" if classes else _numbers(labels, target))
    return text + (_lacking(entries, labels or names) if kind == "actionformer" else "")


def find_features(folder: str | Path) -> tuple[dict[str, Path], list[str]]:
    """Return the feature files of an output folder by key: the file name, with its folder where names repeat.

    Returns:
        The files whose video has not been deleted, and the names of the videos that have been.

    Raises:
        InputError: when there is none.
    """
    folder = Path(folder)
    sources = read_sources(folder)
    lost = {name: places["file"] for name, places in sources.items() if is_gone(places)}
    there = {places["file"] for name, places in sources.items() if name not in lost}
    left_out = {folder / file for file in lost.values() if file not in there}
    paths = sorted(path for path in folder.glob("*/*.npz") if not path.name.startswith(".") and path not in left_out)
    if not paths:
        raise InputError(f"{folder} holds no features (<folder>/<name>.npz); run tools/extract_features.py first")
    short = {path: printable(path.stem) for path in paths}
    times = Counter(short.values())
    whole = {path: f"{printable(path.parent.name)}__{short[path]}" for path in paths}
    taken = {whole[path] for path in paths if times[short[path]] > 1}
    found: dict[str, Path] = {}
    for path in paths:
        key = whole[path] if times[short[path]] > 1 or short[path] in taken else short[path]
        key = fitting_name(key, "", _LONGEST_KEY)
        while key in found:
            key += "_"
        found[key] = path
    return found, sorted(name for name, file in lost.items() if folder / file in left_out)


def _check_exportable(path: Path, features: Features, kind: str) -> None:
    """Refuse features that a toolkit would place at other times, or that are no numbers."""
    if not features.fps:
        raise InputError(f"{path}: the frame rate of this video is unknown; extract it anew with --fps")
    if features.feats.ndim > 2:
        raise InputError(f"{path} holds tokens that are not pooled, make the features with --pool mean or cls")
    if not np.isfinite(features.feats).all() or not np.isfinite(features.probs).all():
        raise InputError(f"{path}: its features are not all finite numbers; delete it and extract it anew")
    late = np.abs(features.start_time - features.start_frame / features.fps).max(initial=0.0)
    if kind != "npy" and late > max(_LATE, features.stride / features.fps / 2):
        raise InputError(
            f"{path}: the frame rate of this video changes or it has pauses, a toolkit would place its features up to"
            f" {late:.1f} s off; extract it anew with --fps, into another folder"
        )


def _read_annotations(path: str | Path) -> dict[str, Entry]:
    """Return the `database` of an annotation file, names in the Unicode form NFC.

    Raises:
        InputError: when it has another form.
    """
    try:
        database = json.loads(Path(path).read_text(encoding="utf-8"))["database"]
        for entry in database.values():
            if not isinstance(entry.get("subset", ""), str):
                raise ValueError(f"the subset {entry['subset']!r} is no text")
            for action in entry.get("annotations", []):
                _check_action(action)
        # As it will be written: numbers that JSON does not have, depth, characters that are none.
        json.dumps([[[[database]]]], indent=2, ensure_ascii=False, allow_nan=False).encode()
    except OSError as error:
        raise InputError(f"{path}: the annotations cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(
            f'{path}: not annotations like {{"database": {{"video": {{"subset": "training", "annotations": '
            f'[{{"label": "text", "segment": [1.5, 4.0]}}]}}}}}} ({type(error).__name__}: {error})'
        ) from None
    return {unicodedata.normalize("NFC", name): entry for name, entry in database.items()}


def _check_action(action: Entry) -> None:
    """Refuse an action without a label of one line and a segment in finite seconds."""
    first, last = (float(second) for second in action["segment"])
    numbers = all(type(second) in (int, float) for second in action["segment"])
    if not (numbers and 0 <= first <= last < math.inf and len(action["label"].strip().splitlines()) == 1):
        raise ValueError(f"{str(action)[:200]} needs a label of one line and seconds 0 <= start <= end")


def _classes(given: str | Path | None, known: Mapping[str, Entry]) -> tuple[str, ...]:
    """Return the classes in the order of their numbers, one order for all subsets; empty where nothing names any.

    Raises:
        InputError: when the file of classes cannot be read or lacks a label.
    """
    labels = sorted({action["label"] for entry in known.values() for action in entry.get("annotations", [])})
    if given is None:
        return tuple(labels)
    try:
        lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--classes {given}: cannot be read ({getattr(error, 'strerror', 'it is no UTF-8')})"
        ) from None
    names = tuple(line for line in lines if line.strip())
    lacks = [label for label in labels if label not in names]
    if lacks or len(set(names)) < len(names) or not names:
        what = f"lacks the label {lacks[0]!r}" if lacks else "is empty or names a class twice"
        raise InputError(f"--classes {given}: it {what}; give one class name a line")
    return names


def _numbers(labels: Sequence[str], target: Path) -> str:
    """Return the numbers of classes that come from annotations, and how another export gets the same."""
    named = ", ".join(f"{number} = {name}" for number, name in enumerate(labels[:5])) + ", ..." * (len(labels) > 5)
    said = f"; classes {named}: other exports keep these with --classes {target / 'category_idx.txt'}"
    return said if labels else ""


def _lacking(entries: Mapping[str, Entry], names: Sequence[str]) -> str:
    """Return a warning about subsets without an action of a class whose number is not the last.

    ActionFormer's evaluation numbers the labels of a subset anew and leaves the predictions as they are.
    """
    text = ""
    for subset in sorted({entry["subset"] for entry in entries.values()}):
        numbers = {
            names.index(action["label"])
            for entry in entries.values() if entry["subset"] == subset
            for action in entry["annotations"]
        }  # fmt: skip
        absent = [names[number] for number in range(max(numbers, default=0)) if number not in numbers]
        if absent:
            text += (
                f"; WARNING: the subset {subset!r} has no action of {', '.join(absent[:5])}: ActionFormer's evaluation"
                " numbers the classes of a subset anew and would count wrong segments as right there; add such a video,"
                " or let --classes name these classes last"
            )
    return text


def _sentence(target: Path, entries: Mapping[str, Entry], known: Mapping[str, Entry], gone: Sequence[str]) -> str:
    """Return what was written and what was left out."""
    used = {unicodedata.normalize("NFC", key) for key in entries}
    unused = sorted(set(known) - used)
    text = f"{len(entries)} videos written to {target}"
    text += f"; {len(unused)} annotated ones have no features ({', '.join(unused[:3])})" if unused else ""
    return text + (f"; {len(gone)} left out, the video is no longer there ({', '.join(gone[:3])})" if gone else "")


def _entry(features: Features, known: Mapping[str, Any], subset: str) -> Entry:
    """Return what the JSON says of a video."""
    return {
        "subset": known.get("subset", subset),
        "duration": features.duration,
        "fps": features.fps,
        "frame": features.num_frames,
        "annotations": list(known.get("annotations", [])),
    }


def _write_database(
    target: Path, kind: str, entries: dict[str, Entry], names: Sequence[str], *, stride: int, window: int, width: int
) -> None:
    """Write the JSON with numbered labels, the classes, and the configuration values of the toolkit."""
    for entry in entries.values():
        entry["annotations"] = [{**action, "label_id": names.index(action["label"])} for action in entry["annotations"]]
    write_text(target / "category_idx.txt", "".join(f"{name}\n" for name in names))
    write_json(target / "annotations.json", {"version": "1", "database": entries})
    values = dict(stride=stride, window=window, offset=window // 2, width=width)
    if kind == "actionformer":
        inside_quotes = json.dumps(target.as_posix(), ensure_ascii=False)[1:-1]
        text = _ACTIONFORMER.format(folder=inside_quotes, num_classes=len(names), **values)
        write_text(target / "dataset.yaml", text)
    else:
        write_text(target / "dataset.py", _OPENTAD.format(folder=target.as_posix(), **values))


def _write_index(target: Path, paths: dict[str, Path], entries: dict[str, Entry]) -> None:
    """Write `index.json`: what the numbers of every `.npy` mean."""
    index = {}
    for key, path in paths.items():
        features = load_features(path)
        index[key] = {
            **{name: value for name, value in entries[key].items() if name not in ("subset", "annotations")},
            "stride": features.stride,
            "window": features.window,
            "start_time": features.start_time.tolist(),
            "end_time": features.end_time.tolist(),
        }
    write_json(target / "index.json", index)


def _save_array(path: Path, array: np.ndarray) -> None:
    """Write an array whole or not at all."""
    with atomic_write(path) as aside, open(aside, "wb") as handle:
        np.save(handle, array, allow_pickle=False)
