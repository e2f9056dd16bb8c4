"""Random byte damage of every kind of artefact: it is refused in a sentence, repaired, or does not matter.

Formats without redundancy (lists, YAML, videos, safetensors) cannot show every change; they are counted apart.
"""

import hashlib
import json
import random
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path[:0] = [str(REPO), str(HERE.parent / "engine")]

import tiny

from slowfast.config import dump_config, load_config
from slowfast.datasets.frame_source import _load_stored
from slowfast.engine.checkpoint import CheckpointFolder, load_checkpoint, state_digest
from slowfast.ensemble.predictions import load_predictions
from slowfast.ensemble.provenance import check_table
from slowfast.features.store import load_features, read_index
from slowfast.lists.records import read_list
from slowfast.lists.tables import read_table
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of
from slowfast.utils.untrusted.weight_files import read_weights_file
from slowfast.video import open_video

CASE_SECONDS = 20


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one random kind of damage."""
    data = bytearray(content)
    place = rng.randrange(len(data))
    length = rng.choice([1, 4, 64, 512])
    kind = rng.choice(["bit", "byte", "zeros", "noise", "cut", "insert", "repeat", "swap"])
    if kind == "bit":
        data[place] ^= 1 << rng.randrange(8)
    elif kind == "byte":
        data[place] = (data[place] + rng.randrange(1, 256)) % 256
    elif kind == "zeros":
        data[place : place + length] = bytes(len(data[place : place + length]))
    elif kind == "noise":
        data[place : place + length] = rng.randbytes(len(data[place : place + length]))
    elif kind == "cut":
        del data[place:]
    elif kind == "insert":
        data[place:place] = rng.randbytes(length)
    elif kind == "repeat":
        data[place:place] = data[place : place + length]
    else:
        other = rng.randrange(len(data))
        data[place], data[other] = data[other], data[place]
    return bytes(data)


def frames_of(path: Path) -> str:
    """The digest of the frames of a video."""
    with open_video(path) as video:
        return hashlib.sha256(video.get_frames(range(len(video))).tobytes()).hexdigest()


def run_state(path: Path) -> str:
    """What a resume would take from a checkpoint."""
    state = load_checkpoint(path)
    return state_digest({key: state[key] for key in sorted(state) if key != "digest"})


def table_of(path: Path) -> str:
    """A pseudo-label table as training takes it."""
    check_table(path)
    table = read_table(path)
    return f"{table.names} {table.labels.tolist()} {table.probs.tolist()}"


def list_of(path: Path) -> str:
    """A list as a loader takes it."""
    records = read_list(path, path.parents[1] / "videos", separator=",", num_classes=11, labelled=False)
    return str([(record.name, record.label) for record in records])


def predictions_of(path: Path) -> str:
    """Predictions as the vote takes them."""
    made = load_predictions(path)
    values = [made.video_preds.tobytes(), made.video_labels.tolist(), made.video_names, made.score_kind, made.num_views]
    return str([*values, made.class_names, made.failed])


def features_of(path: Path) -> str:
    """Features as a reader takes them."""
    made = load_features(path)
    return str({name: np.asarray(value).tobytes() for name, value in vars(made).items()})


def index_of(path: Path) -> str:
    """An index of features as its readers take it."""
    return str(read_index(path))


def stored_of(path: Path) -> str:
    """A stored clip as a loader takes it; one that is not taken is decoded again."""
    clip = _load_stored(path)
    if clip is None:
        raise InputError(f"{path}: decoded again")
    return hashlib.sha256(clip.frames(np.arange(len(clip))).tobytes()).hexdigest() + str(clip.shape)


def weights_of(path: Path) -> str:
    """Weights as a network takes them."""
    return state_digest(dict(read_weights_file(path)))


# Kind: (how the library reads it, whether every change has to be noticed).
READERS: dict[str, tuple[Callable[[Path], str], bool]] = {
    "checkpoint.pyth": (run_state, True),
    "predictions.pkl": (predictions_of, True),
    "stage1.csv": (table_of, True),
    "stage1.json": (lambda path: table_of(path.with_suffix(".csv")), True),
    "features.npz": (features_of, True),
    "features.csv": (index_of, False),
    "frames.npy": (stored_of, False),
    "weights.safetensors": (weights_of, False),
    "list.csv": (list_of, False),
    "config.yaml": (lambda path: dump_config(load_config(path)), False),
    "video.mp4": (frames_of, False),
}


class Hang(Exception):
    """A case took too long."""


def on_alarm(*_: object) -> None:
    """End a case that takes too long."""
    raise Hang


def attempt(read: Callable[[Path], str], path: Path) -> tuple[str, str]:
    """Return what happened: `value`, `refused`, or `crash` with its traceback."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(CASE_SECONDS)
    try:
        return "value", read(path)
    except InputError as error:
        return "refused", str(error)
    except BaseException:
        return "crash", traceback.format_exc()[-1500:]
    finally:
        signal.alarm(0)


def pristine(root: Path, output: Path, data: Path) -> Path:
    """Collect one sound file of every kind."""
    import torch
    from safetensors.torch import save_file

    from slowfast.features.store import FeatureIndex, Features, row_of, save_features

    folder = root / "pristine"
    folder.mkdir(parents=True)
    shutil.copy(sorted((output / "checkpoints").glob("*.pyth"))[-1], folder / "checkpoint.pyth")
    shutil.copy(sorted(output.glob("*.pkl"))[0], folder / "predictions.pkl")
    shutil.copy(data / "pseudo.csv", folder / "stage1.csv")
    record = {"kept": 9, "output": {"path": "stage1.csv", "sha256": sha256_of(folder / "stage1.csv")}}
    (folder / "stage1.json").write_text(json.dumps(record, indent=2))
    shutil.copy(data / "train.csv", folder / "list.csv")
    shutil.copy(tiny.CONFIG, folder / "config.yaml")
    shutil.copy(data / "videos/train0.mp4", folder / "video.mp4")
    shutil.copytree(data / "videos", root / "videos")
    save_file({"w": torch.arange(600.0).reshape(20, 30), "b": torch.ones(7)}, folder / "weights.safetensors")
    rows = np.arange(5)
    features = Features(
        feats=np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32), probs=np.full((5, 3), 1 / 3, np.float32),
        start_frame=rows, end_frame=rows + 15, start_time=rows / 8.0, end_time=rows / 4.0, fps=8.0, source_fps=8.0,
        stride=1, window=16, num_frames=20, problems="", settings="{}",
    )  # fmt: skip
    save_features(folder / "features.npz", features)
    index = FeatureIndex(folder)
    for name in ("a.mp4", "b/c.mp4"):
        index.add(row_of(name, features))
    index.flush()
    np.save(folder / "frames.npy", np.random.default_rng(1).integers(0, 256, (6, 8, 10, 3), np.uint8))
    return folder


def damage_files(root: Path, output: Path, data: Path, cases: int, seed: int) -> dict[str, object]:
    """Damage files of every kind in turn and read them.

    Args:
        root: working folder.
        output: a finished run.
        data: its data.
        cases: number of damaged files.
        seed: of the damage.

    Returns:
        Counts by kind and outcome, and what must not happen.
    """
    rng = random.Random(seed)
    sound = pristine(root, output, data)
    truth = {name: attempt(read, sound / name) for name, (read, _) in READERS.items()}
    wrong = [f"{name}: the sound file: {text}" for name, (kind, text) in truth.items() if kind != "value"]
    counts: dict[str, Counter] = {name: Counter() for name in READERS}
    work = root / "work"
    for case in range(cases):
        name = list(READERS)[case % len(READERS)]
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(sound, work)
        (work / name).write_bytes(damaged((sound / name).read_bytes(), rng))
        read, strict = READERS[name]
        kind, text = attempt(read, work / name)
        same = (kind, text) == truth[name]
        outcome = kind if kind != "value" else "harmless" if same else "changed"
        counts[name][outcome] += 1
        if kind == "crash" or (outcome == "changed" and strict):
            wrong.append(f"{name} case {case}: {outcome}: {text[-800:]}")
        if kind == "refused" and len(text) > 3000:
            wrong.append(f"{name} case {case}: a message of {len(text)} characters")
    return {"cases": cases, "outcomes": {name: dict(count) for name, count in counts.items()}, "wrong": wrong}


def damage_runs(root: Path, data: Path, server, expected: dict, opts: tuple, cases: int, seed: int) -> dict:
    """Damage the folder of a run that was killed, call the run again, compare with a calm run.

    Every checkpoint has one before it that is sound, so the results must be equal; only the best weights exist once,
    and their loss has to be told. A damaged checkpoint of an epoch behind the one that the run goes on from is not
    made again: it stays away, and the rest must be equal.
    """
    rng = random.Random(seed)
    halves = root / "half"
    argv = ["DATA.PATH_PREFIX", data, *opts]
    server.wait(server.start(root / "half.log", ["OUTPUT_DIR", halves, *argv], "kill@step:8"), 600)
    counts, wrong = Counter(), []
    for case in range(cases):
        output = root / f"damaged{case}"
        shutil.copytree(halves, output)
        files = [path for path in output.rglob("*") if path.is_file() and path.stat().st_size]
        path = rng.choice([path for path in files if path.name != "metrics.jsonl"])
        path.write_bytes(damaged(path.read_bytes(), rng))
        log = root / f"damaged{case}.log"
        status = server.wait(server.start(log, ["OUTPUT_DIR", output, *argv]), 600)
        counts[path.name] += 1
        text = log.read_text()
        told = path.name == "best.pyth" and status == 2 and "weights of the best epoch are lost" in text
        counts["told"] += told
        aside = {path.name} if path.with_name(f"{path.name}.damaged").exists() else set()
        if not told and (status or "Traceback" in text or not _equal(expected, tiny.results(output), aside)):
            wrong.append(f"{path.name} case {case}: status {status}: {text[-1500:]}")
        shutil.rmtree(output)
    assert CheckpointFolder(halves / "checkpoints").find_last() is not None
    return {"cases": cases, "damaged": dict(counts), "wrong": wrong}


def _equal(expected: dict, made: dict, aside: set[str]) -> bool:
    """Return whether results are equal, apart from checkpoints that were put aside and those kept in their place."""
    kept = {name for name in made.keys() - expected.keys() if aside and name.startswith("checkpoint_epoch_")}
    lost = {name for name in aside if name not in made}
    wanted = {name: value for name, value in expected.items() if name not in lost}
    return wanted == {name: value for name, value in made.items() if name not in kept}
