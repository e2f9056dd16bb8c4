"""Prediction files: the scores of one model for every video of a list, with names and the kind of score.

Legend: N videos, K classes.
"""

import hashlib
import mmap
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write, sha256_of
from slowfast.utils.untrusted.pickles import read_plain_pickle

VERSION = 1
# Behind the pickle, where no reader looks, stands the SHA-256 of all bytes before.
_SEAL = b"\nsha256:"
_SEAL_BYTES = len(_SEAL) + 64
SCORE_KINDS = ("logits", "probs")


@dataclass
class Predictions:
    """The predictions of one model for a list of videos.

    Attributes:
        video_preds: float32 (N, K), the sum over a video's views and crops of the scores of each clip;
            a row of NaN is a video that could not be read.
        video_labels: int64 (N,), -1 where unknown.
        video_names: N names in list order; None in files of the original code.
        score_kind: `logits` or `probs`; None when the file does not say.
        num_views: clips (views x crops) summed in a row; None when the file does not say.
        class_names: K names; None when the file does not say.
        failed: names of the videos that could not be read.
        video_targets: float32 (N, K) of networks for several labels a video: 1 for each, 0 elsewhere, a row of NaN
            where unknown; `video_labels` has the first of them, and `video_preds` no sum over the classes that means
            anything. None: a video has one label.
        precision: arithmetic of the network, such as `fp32` or `bf16`; None when the file does not say.
        source: the file they were read from, for messages.
        made_of: what they were made from, as plain types; None when the file does not say.
    """

    video_preds: np.ndarray
    video_labels: np.ndarray
    video_names: list[str] | None = None
    score_kind: str | None = None
    num_views: int | None = None
    class_names: list[str] | None = None
    failed: list[str] = field(default_factory=list)
    video_targets: np.ndarray | None = None
    precision: str | None = None
    source: str = "predictions"
    made_of: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.video_preds = _scores(self.video_preds, self.source)
        rows = len(self.video_preds)
        self.video_labels = _labels(self.video_labels, rows, self.source)
        self.video_names = _texts(self.video_names, "video_names", rows, self.source)
        self.class_names = _texts(self.class_names, "class_names", self.video_preds.shape[1], self.source)
        self.failed = _texts(self.failed, "failed", None, self.source) or []
        if self.video_targets is not None:
            self.video_targets = _scores(self.video_targets, self.source, "video_targets")
            if self.video_targets.shape != self.video_preds.shape:
                raise InputError(
                    f"{self.source}: video_targets has shape {self.video_targets.shape}, video_preds has"
                    f" {self.video_preds.shape}; test the model again"
                )
        if self.score_kind not in (None, *SCORE_KINDS):
            raise InputError(f"{self.source}: score_kind is {self.score_kind!r}, expected logits or probs")
        if not isinstance(self.precision, str | None):
            raise InputError(f"{self.source}: precision is {self.precision!r}, expected a name such as fp32")
        if self.num_views is not None:
            if not isinstance(self.num_views, int | np.integer) or self.num_views < 1:
                raise InputError(f"{self.source}: num_views is {self.num_views!r}, expected a whole number from 1")
            self.num_views = int(self.num_views)

    @property
    def num_classes(self) -> int:
        """K."""
        return self.video_preds.shape[1]

    @property
    def missing(self) -> np.ndarray:
        """Bool (N,): rows without usable scores (a NaN, or no finite largest score)."""
        return ~np.isfinite(self.video_preds.max(axis=1))

    @property
    def known(self) -> np.ndarray:
        """Bool (N,): rows with usable scores whose labels are known."""
        targets_NK = self.video_targets
        labelled_N = self.video_labels >= 0 if targets_NK is None else ~np.isnan(targets_NK).any(axis=1)
        return labelled_N & ~self.missing


def _scores(values: Any, source: str, key: str = "video_preds") -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu" or values.shape[0] < 1 or values.shape[1] < 2:
        raise InputError(
            f"{source}: {key} has shape {values.shape} and type {values.dtype},"
            " expected one row of numbers per video and at least two classes"
        )
    return np.ascontiguousarray(values, dtype=np.float32)


def _labels(values: Any, rows: int, source: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (rows,) or values.dtype.kind not in "iuf":
        raise InputError(
            f"{source}: video_labels has shape {values.shape} and type {values.dtype},"
            f" expected {rows} class numbers, one for every row of video_preds"
        )
    return values.astype(np.int64)


def _texts(values: Any, key: str, count: int | None, source: str) -> list[str] | None:
    if values is None:
        return None
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind == "U":
        values = values.tolist()
    is_list = isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)
    if not is_list or (count is not None and len(values) != count):
        found = f"{len(values)} entries" if is_list else type(values).__name__
        raise InputError(f"{source}: {key} is {found}, expected a list of {'' if count is None else count} names")
    return list(values)


def _common(key: str, parts: Sequence[Predictions]) -> Any:
    """Return the value of `key` that all parts share; None where one of them does not say."""
    values = [getattr(part, key) for part in parts]
    stated = [(part, value) for part, value in zip(parts, values) if value is not None]
    for part, value in stated[1:]:
        if value != stated[0][1]:
            raise InputError(
                f"{part.source} has {key} {value}, but {stated[0][0].source} has {stated[0][1]};"
                " join only files that were made in the same way"
            )
    return None if len(stated) < len(parts) else values[0]


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """Return the rows of all parts, one after the other.

    Args:
        parts: predictions of one model for different lists.

    Raises:
        InputError: class counts, class names, kinds of score or numbers of views differ, a name stands twice, or
            only some of the parts have names.
    """
    _common("num_classes", parts)
    named = [part.video_names is not None for part in parts]
    if any(named) and not all(named):
        raise InputError(
            f"{parts[named.index(False)].source} has no video names, but {parts[named.index(True)].source} has;"
            " test the model again so that all files have names"
        )
    source = " + ".join(part.source for part in parts)
    names = [name for part in parts for name in part.video_names] if all(named) else None
    if names is not None and len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))
        raise InputError(f"{source}: the video {twice!r} stands twice; join files of lists that do not overlap")
    return Predictions(
        np.concatenate([part.video_preds for part in parts]),
        np.concatenate([part.video_labels for part in parts]),
        video_names=names,
        score_kind=_common("score_kind", parts),
        num_views=_common("num_views", parts),
        class_names=_common("class_names", parts),
        failed=[name for part in parts for name in part.failed],
        precision=" + ".join(sorted({part.precision for part in parts if part.precision})) or None,
        source=source,
    )


def save_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write predictions as a pickle of numpy arrays and plain types; it appears whole or not at all.

    Args:
        path: the PKL to write.
        predictions: what to write.
    """
    content = {
        "video_preds": predictions.video_preds,
        "video_labels": predictions.video_labels,
        "video_names": predictions.video_names,
        "score_kind": predictions.score_kind,
        "num_views": predictions.num_views,
        "class_names": predictions.class_names,
        "failed": predictions.failed,
        "precision": predictions.precision,
        "version": VERSION,
    }
    content |= {} if predictions.video_targets is None else {"video_targets": predictions.video_targets}
    content |= {} if predictions.made_of is None else {"made_of": predictions.made_of}
    with atomic_write(path) as aside, open(aside, "wb") as handle:
        pickle.dump(content, handle, protocol=4)
        handle.flush()
        handle.write(_SEAL + sha256_of(aside).encode())


def _read_intact(data: mmap.mmap, path: str | Path, remedy: str) -> Any:
    """Return the value of a pickle behind which stands nothing, or the digest of its bytes."""
    end = len(data) - _SEAL_BYTES
    sealed = end > 0 and data[end : end + len(_SEAL)] == _SEAL
    if sealed and _digest_of(data, end) != data[end + len(_SEAL) :]:
        raise InputError(f"{path}: the file is damaged, its digest does not match; {remedy}")
    value = read_plain_pickle(data, str(path))
    if not sealed and data.tell() < len(data):
        raise InputError(f"{path}: the file is damaged, what stands behind its content is no digest; {remedy}")
    return value


def _digest_of(data: mmap.mmap, end: int) -> bytes:
    with memoryview(data) as view:
        return hashlib.sha256(view[:end]).hexdigest().encode()


def _read_pickle(path: str | Path) -> Any:
    remedy = "make the predictions first by testing the model (bash exp_*/MODEL/test.sh)"
    try:
        with open(path, "rb") as handle:
            if not os.fstat(handle.fileno()).st_size:
                raise InputError(f"{path}: the file is empty; {remedy}")
            with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read_intact(data, path, remedy)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror or error}); {remedy}") from None


def load_predictions(path: str | Path, *, several: bool = False) -> Predictions:
    """Read a prediction file of this package, or one of the original code (two keys, no names).

    Nothing in the file is executed and no size it claims is believed (see `safe_pickle`).

    Args:
        path: the PKL to read.
        several: whether its videos may have several labels; what gives each one class cannot use them.

    Returns:
        The predictions; what an older file does not hold is None.

    Raises:
        InputError: the file is missing, damaged, holds anything but numpy arrays and plain types, or its parts
            do not fit together.
    """
    content = _read_pickle(path)
    if not isinstance(content, dict) or not {"video_preds", "video_labels"} <= content.keys():
        raise InputError(
            f"{path}: not a prediction file, because it has no video_preds and video_labels;"
            " write it again by testing the model (bash exp_*/MODEL/test.sh)"
        )
    version = content.get("version", VERSION)
    if version != VERSION:
        raise InputError(f"{path}: written in version {version!r} of this format, but only {VERSION} can be read")
    known = ("video_names", "score_kind", "num_views", "class_names", "failed", "precision", "made_of", "video_targets")
    optional = {key: content[key] for key in known if content.get(key) is not None}
    if "video_targets" in optional and not several:
        raise InputError(
            f"{path}: its network gives a video several labels (MODEL.LOSS_FUNC bce), and votes and pseudo-labels take"
            " one; see docs/several_labels.md"
        )
    return Predictions(content["video_preds"], content["video_labels"], source=str(path), **optional)
