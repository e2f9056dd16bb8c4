"""Feature files in the layouts that toolkits for temporal action localisation read.

ActionFormer (and TriDet) and OpenTAD read one `.npy` (N, D) a video, a JSON of ActivityNet's form, and a few numbers of
their configuration, which are written beside it. Both place feature i at (i * stride + window / 2) / fps seconds.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.features.store import Features, check_writable, load_features
from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write, write_json, write_text
from slowfast.utils.progress import Progress

Entry = dict[str, Any]
FORMATS = ("actionformer", "opentad", "npy")

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
    source: str | Path, target: str | Path, kind: str, annotations: str | Path | None = None, subset: str = "test"
) -> str:
    """Write all features of a folder in the layout of a toolkit.

    Args:
        source: output folder of an extraction.
        target: folder to fill.
        kind: `actionformer`, `opentad` or `npy`.
        annotations: JSON of ActivityNet's form with subset, labels and segments (seconds) of the videos, or None.
        subset: of the videos that the annotations do not name.

    Returns:
        One sentence about what was written.

    Raises:
        InputError: when features are missing, damaged, of different windows, or without a frame rate.
    """
    target = Path(target)
    check_writable(target)
    paths = find_features(source)
    known = _read_annotations(annotations) if annotations is not None else {}
    folder = target if kind == "npy" else target / "features"
    progress = Progress(len(paths), f"export {kind}")
    entries: dict[str, Entry] = {}
    shapes: dict[tuple[int, int, int], Path] = {}
    for key, path in paths.items():
        features = load_features(path)
        if not features.fps:
            raise InputError(f"{path}: the frame rate of this video is unknown; extract it anew with --fps")
        shapes.setdefault((features.stride, features.window, features.feats.shape[1]), path)
        if len(shapes) > 1:
            raise InputError(f"{path} has another stride, window or width than {next(iter(shapes.values()))}")
        _save_array(folder / f"{key}.npy", features.feats)
        if kind == "npy":
            _save_array(folder / f"{key}.probs.npy", features.probs)
        entries[key] = _entry(features, known.get(key, {}), subset)
        progress.update()
    stride, window, width = next(iter(shapes))
    if kind == "npy":
        _write_index(target, paths, entries)
    else:
        _write_database(target, kind, entries, stride=stride, window=window, width=width)
    unused = sorted(set(known) - set(entries))
    text = f"{len(entries)} videos written to {target}"
    return f"{text}; {len(unused)} annotated ones have no features ({', '.join(unused[:3])})" if unused else text


def find_features(folder: str | Path) -> dict[str, Path]:
    """Return the feature files of an output folder by key: the file name, with its folder where names repeat.

    Raises:
        InputError: when there is none.
    """
    paths = sorted(path for path in Path(folder).glob("*/*.npz") if not path.name.startswith("."))
    if not paths:
        raise InputError(f"{folder} holds no features (<folder>/<name>.npz); run tools/extract_features.py first")
    names = Counter(path.stem for path in paths)
    return {path.stem if names[path.stem] == 1 else f"{path.parent.name}__{path.stem}": path for path in paths}


def _read_annotations(path: str | Path) -> dict[str, Entry]:
    """Return the `database` of an annotation file.

    Raises:
        InputError: when it has another form.
    """
    try:
        database = json.loads(Path(path).read_text(encoding="utf-8"))["database"]
        for action in (action for entry in database.values() for action in entry.get("annotations", [])):
            first, last = (float(second) for second in action["segment"])
            if not 0 <= first <= last or not isinstance(action["label"], str):
                raise ValueError(f"{action} needs a label and seconds 0 <= start <= end")
    except OSError as error:
        raise InputError(f"{path}: the annotations cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'{path}: not annotations like {{"database": {{"video": {{"subset": "training", "annotations": '
            f'[{{"label": "text", "segment": [1.5, 4.0]}}]}}}}}} ({type(error).__name__}: {error})'
        ) from None
    return database


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
    target: Path, kind: str, entries: dict[str, Entry], *, stride: int, window: int, width: int
) -> None:
    """Write the JSON with numbered labels, and the configuration values of the toolkit."""
    labels = sorted({action["label"] for entry in entries.values() for action in entry["annotations"]})
    for entry in entries.values():
        entry["annotations"] = [
            {**action, "label_id": labels.index(action["label"])} for action in entry["annotations"]
        ]
    write_json(target / "annotations.json", {"version": "1", "database": entries})
    values = dict(stride=stride, window=window, offset=window // 2, width=width)
    if kind == "actionformer":
        inside_quotes = json.dumps(target.as_posix(), ensure_ascii=False)[1:-1]
        text = _ACTIONFORMER.format(folder=inside_quotes, num_classes=len(labels), **values)
        write_text(target / "dataset.yaml", text)
    else:
        write_text(target / "category_idx.txt", "".join(f"{label}\n" for label in labels))
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
