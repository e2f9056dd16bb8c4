"""Fuzzed input of every kind: the answer is a result or one sentence, never a traceback, never a hang."""

import functools
import hashlib
import json
import pickle
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO), str(HERE.parent / "engine")]

from slowfast.config import flatten, get_cfg, load_config
from slowfast.engine.checkpoint import load_checkpoint, save_checkpoint
from slowfast.ensemble.predictions import Predictions, load_predictions, save_predictions
from slowfast.ensemble.provenance import check_table
from slowfast.features.store import Features, load_features, save_features
from slowfast.lists.records import read_list
from slowfast.lists.tables import read_table
from slowfast.utils.errors import InputError
from slowfast.video import open_video

CASE_SECONDS = 20
LONGEST_MESSAGE = 4000
# The table that a fuzzed record belongs to.
RECORDED = b"a.mp4,1,0.5,0.5\n"
KEYS = list(flatten(get_cfg()))

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20),
    st.sampled_from(["1e-4", "True", "${HOME}", "../..", "nan", "arid:3x3:0.25", "[1, 2", "1e400"]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
cells = st.one_of(
    st.sampled_from(["train0.mp4", "../x.mp4", "/etc/passwd", "", "-1", "3", "11", "nan", "inf", "-0.5", "1e999", '"']),
    st.text(max_size=12), st.integers().map(str), st.floats().map(str),
)  # fmt: skip


@st.composite
def mutated(draw, original: bytes):
    """Bytes of a sound file with some of them changed, cut, or repeated."""
    data = bytearray(original)
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        action = draw(st.sampled_from(["set", "cut", "insert", "repeat", "number"]))
        if action == "set":
            data[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif action == "cut":
            del data[place : place + draw(st.integers(1, 64))]
        elif action == "insert":
            data[place:place] = draw(st.binary(max_size=16))
        elif action == "repeat":
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
        else:
            data[place : place + 4] = draw(st.sampled_from([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)]))
    return bytes(data)


def configuration_text():
    """YAML: trees of known and unknown keys, and any text."""
    tree = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=12), values, max_size=5)
    nested = tree.map(lambda flat: yaml.safe_dump(_nested(flat), allow_unicode=True))
    return st.one_of(nested, tree.map(lambda flat: yaml.safe_dump(flat)), st.text(max_size=200)).map(_encoded)


def _encoded(text: str) -> bytes:
    """The bytes of a text, lone surrogates as they come."""
    return text.encode("utf-8", "surrogatepass")


def _nested(flat: dict) -> dict:
    """A tree of dotted keys."""
    tree: dict = {}
    for key, value in flat.items():
        *sections, leaf = str(key).split(".")
        node = tree
        for section in sections:
            child = node.setdefault(section, {})
            node = child if isinstance(child, dict) else node
        node[leaf] = value
    return tree


def list_text():
    """Rows of cells with several separators, and any bytes."""
    rows = st.lists(st.lists(cells, min_size=1, max_size=14), max_size=6)
    joined = st.builds(
        lambda rows, comma, end: end.join(comma.join(row) for row in rows),
        rows, st.sampled_from([",", " ", "\t"]), st.sampled_from(["\n", "\r\n", "\r"]),
    )  # fmt: skip
    return st.one_of(joined.map(_encoded), st.binary(max_size=200))


def sound_files(folder: Path, video: Path) -> dict[str, bytes]:
    """Bytes of one sound file of every binary kind."""
    import torch

    preds = Predictions(np.ones((4, 11), np.float32), np.arange(4), video_names=list("abcd"), score_kind="logits")
    save_predictions(folder / "sound.pkl", preds)
    save_checkpoint(folder / "sound.pyth", {"model_state": {"w": torch.ones(5)}, "epoch": 1, "iteration": 0})
    rows = np.arange(3)
    features = Features(
        feats=np.ones((3, 4), np.float32), probs=np.ones((3, 2), np.float32), start_frame=rows, end_frame=rows + 15,
        start_time=rows / 8.0, end_time=rows / 4.0, fps=8.0, source_fps=8.0, stride=1, window=16, num_frames=18,
        problems="", settings="{}",
    )  # fmt: skip
    save_features(folder / "sound.npz", features)
    plain = {"video_preds": np.ones((4, 11), np.float32), "video_labels": np.arange(4)}
    lines = [f"{path.name},{row % 11}" for row, path in enumerate(sorted(video.parent.glob("*.mp4"))[:6])]
    table = "".join(f"{line}," + ",".join(["0.05"] * 10) + ",0.5\n" for line in lines)
    return {
        "yaml": (HERE.parent / "engine/tiny.yaml").read_bytes(),
        "list": ("\n".join(lines) + "\n").encode(),
        "table": table.encode(),
        "pkl": (folder / "sound.pkl").read_bytes(),
        "old_pkl": pickle.dumps(plain, protocol=2),
        "pyth": (folder / "sound.pyth").read_bytes(),
        "npz": (folder / "sound.npz").read_bytes(),
        "json": json.dumps({"output": {"path": "a.csv", "sha256": hashlib.sha256(RECORDED).hexdigest()}}).encode(),
        "mp4": video.read_bytes(),
    }


def watch(path: Path) -> None:
    """Read a few frames of a video."""
    with open_video(path) as video:
        count = len(video)
        frames_THWC = video.get_frames(np.linspace(0, count - 1, 4).astype(int))
        assert frames_THWC.dtype == np.uint8 and frames_THWC.shape[0] == 4


def read_record(path: Path) -> None:
    """Check a table against a fuzzed record."""
    path.with_suffix(".csv").write_bytes(RECORDED)
    check_table(path.with_suffix(".csv"))


def kinds(folder: Path, video: Path) -> dict[str, tuple[float, str, st.SearchStrategy, Callable[[Path], object]]]:
    """Return by kind: share of the cases, suffix, strategy of the bytes, and how the library reads them."""
    sound = sound_files(folder, video)

    def as_list(path: Path) -> None:
        read_list(path, video.parent, separator=",", num_classes=11, labelled=True)

    return {
        "configuration": (0.2, ".yaml", configuration_text() | mutated(sound["yaml"]), load_config),
        "list": (0.15, ".csv", list_text() | mutated(sound["list"]), as_list),
        "table": (0.1, ".csv", list_text() | mutated(sound["table"]), read_table),
        "record": (0.05, ".json", st.one_of(mutated(sound["json"]), st.binary(max_size=60)), read_record),
        "predictions": (0.15, ".pkl", st.one_of(mutated(sound["pkl"]), mutated(sound["old_pkl"])), load_predictions),
        "any pickle": (0.05, ".pkl", st.one_of(st.binary(max_size=80), values.map(pickle.dumps)), load_predictions),
        "checkpoint": (0.1, ".pyth", st.one_of(mutated(sound["pyth"]), st.binary(max_size=80)), load_checkpoint),
        "features": (0.05, ".npz", mutated(sound["npz"]), load_features),
        "video": (0.15, ".mp4", mutated(sound["mp4"]), watch),
    }


class Hang(Exception):
    """A case took too long."""


def on_alarm(*_: object) -> None:
    """End a case that takes too long."""
    raise Hang


class Tally:
    """Counts of outcomes of one kind, its slowest case, and what must not happen."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        self.wrong: list[str] = []

    def attempt(self, path: Path, content: bytes, read: Callable[[Path], object]) -> None:
        """Read one case."""
        path.write_bytes(content)
        begin = time.monotonic()
        signal.alarm(CASE_SECONDS)
        try:
            read(path)
            self.outcomes["read"] += 1
        except InputError as error:
            self.outcomes["refused"] += 1
            if len(str(error)) > LONGEST_MESSAGE or not str(error):
                self.wrong.append(f"a message of {len(str(error))} characters for {content[:200]!r}")
        except BaseException:
            self.outcomes["crash"] += 1
            self.wrong.append(f"{content[:300]!r}: {traceback.format_exc()[-1200:]}")
        finally:
            signal.alarm(0)
            self.slowest = max(self.slowest, time.monotonic() - begin)


def attempts(strategy: st.SearchStrategy, count: int, start: int, attempt: Callable[[bytes], None]) -> None:
    """Make `count` cases and attempt each."""

    @seed(start)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def one(content):
        attempt(content)

    one()


def fuzz(folder: Path, video: Path, cases: int, start: int) -> dict[str, object]:
    """Read fuzzed files of every kind.

    Args:
        folder: working folder.
        video: a sound video.
        cases: number of files.
        start: seed.

    Returns:
        Counts by kind and outcome, the slowest case, and what must not happen.
    """
    folder.mkdir(parents=True)
    signal.signal(signal.SIGALRM, on_alarm)
    result: dict[str, object] = {}
    total, wrong = 0, []
    for name, (share, suffix, strategy, read) in kinds(folder, video).items():
        tally, path = Tally(), folder / f"case{suffix}"

        attempts(strategy, max(1, round(share * cases)), start, functools.partial(tally.attempt, path, read=read))
        result[name] = {**tally.outcomes, "slowest_seconds": round(tally.slowest, 3)}
        total += tally.outcomes.total()
        wrong += [f"{name}: {text}" for text in tally.wrong]
    return {"cases": total, "outcomes": result, "wrong": wrong}
