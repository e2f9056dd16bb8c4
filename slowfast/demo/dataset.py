"""The demo's data set: which clips there are, where they lie, and rendering them in parallel.

Every clip depends only on (seed, split, index) and on the split's size, which its class depends on, never on the number
of processes.
"""

import json
import multiprocessing
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copyfile

import numpy as np

from slowfast.demo.clip import DARK_DOMAIN, FPS, HEIGHT, LIGHT_DOMAIN, MOST_FRAMES, WIDTH, WILD_DOMAIN, render_clip
from slowfast.demo.encoding import write_h264
from slowfast.demo.motions import ARID_MOTIONS
from slowfast.demo.night import NIGHTS
from slowfast.demo.other_motions import OTHER_MOTIONS
from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write, write_json, write_text
from slowfast.utils.progress import Progress

# Raise when a change makes other pixels, so that an old folder is not taken for a new one.
GENERATOR_VERSION = 2
LIGHT_CRF, DARK_CRF = 20, 22
MANIFEST, STARTED = "manifest.json", "manifest.started.json"
ACTIONS, OTHER = "actions", "other_motions"
CHUNK = 20


@dataclass(frozen=True)
class Split:
    """One set of clips: its list, its folder, its size, and whether the clips are dark and the list hides labels."""

    name: str
    csv: str
    folder: str
    clips: int
    dark: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class ClipJob:
    """One clip to render; `night` names its way of being dark (`NIGHTS`), empty for a light one."""

    path: str
    seed: int
    split: str
    index: int
    motion: str
    night: str


def splits_of(mode: str, kind: str) -> tuple[Split, ...]:
    """Return the splits of the data set.

    Args:
        mode: `first` (a tenth), `quick` or `full` (twice the light training set and the dark pool).
        kind: `actions` for the demo, `other_motions` for pre-training.
    """
    more, all_of = {"first": 0.1, "quick": 1, "full": 2}[mode], 0.1 if mode == "first" else 1
    if kind == OTHER:
        return (
            Split("train", "train_label.csv", "labeled_train/Train", {"full": 9600}.get(mode, 1440)),
            Split("val_dry", "val_dry.csv", "dry_run/Validation", 240),
        )
    return (
        Split("train", "train_label.csv", "labeled_train/Train", int(880 * more)),
        Split("val_dry", "val_dry.csv", "dry_run/Validation", int(110 * all_of)),
        Split("dark_unlabel", "dark_unlabel.csv", "dark_train/Train", int(1760 * more), dark=True, hidden=True),
        Split("arid", "arid.csv", "dark_train/Train", int(220 * all_of), dark=True),
        Split("test", "test.csv", "Test", int(660 * all_of), dark=True, hidden=True),
    )


def size_of_clips(mode: str) -> str:
    """Return number, frames, height and width of the demo's clips, as a schedule takes its key `clips`."""
    return f"{sum(split.clips for split in splits_of(mode, ACTIONS))}x{MOST_FRAMES}x{HEIGHT}x{WIDTH}"


def motions_of(kind: str) -> dict:
    """Return the motion functions by class name, in label order."""
    return OTHER_MOTIONS if kind == OTHER else ARID_MOTIONS


def balanced_labels(seed: int, split: Split, classes: int) -> np.ndarray:
    """Shuffled labels int64 (clips,), every class equally often up to one clip."""
    rng = np.random.default_rng([seed, zlib.crc32(split.name.encode()), classes])
    return rng.permutation(np.arange(split.clips) % classes)


def clip_names(split: Split, labels: np.ndarray, classes: list[str]) -> list[str]:
    """File names of a split as they stand in its list; those of hidden labels are bare numbers."""
    if split.hidden:
        return [f"{index}.mp4" for index in range(split.clips)]
    names = [f"{classes[label]}_{split.name}_{index}.mp4" for index, label in enumerate(labels)]
    if split.dark:
        return [f"{classes[label]}/{name}" for label, name in zip(labels, names)]
    return names


def render_job(job: ClipJob) -> np.ndarray:
    """Render one clip of a data set to uint8 frames (T, H, W, 3)."""
    rng = np.random.default_rng([job.seed, zlib.crc32(job.split.encode()), job.index, GENERATOR_VERSION])
    motion = {**ARID_MOTIONS, **OTHER_MOTIONS}[job.motion]
    light = WILD_DOMAIN if job.motion in OTHER_MOTIONS else LIGHT_DOMAIN
    frames_THWC = render_clip(rng, motion, DARK_DOMAIN if job.night else light)
    return NIGHTS[job.night](frames_THWC, rng) if job.night else frames_THWC


def write_jobs(jobs: list[ClipJob]) -> int:
    """Render and write some clips; returns their number."""
    for job in jobs:
        write_h264(job.path, render_job(job), fps=FPS, crf=DARK_CRF if job.night else LIGHT_CRF)
    return len(jobs)


def render_all(jobs: list[ClipJob], workers: int) -> None:
    """Render clips in `workers` processes, with progress."""
    progress = Progress(len(jobs), "rendering clips")
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    if workers <= 1:
        for chunk in chunks:
            progress.update(write_jobs(chunk))
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(write_jobs, chunk) for chunk in chunks]):
            progress.update(done.result())


def check_folder(output: Path, parameters: dict) -> bool:
    """Say whether a complete data set with these parameters is there already.

    Raises:
        InputError: when the folder holds a data set, whole or begun, with other parameters.
    """
    for name in (MANIFEST, STARTED):
        path = output / name
        if not path.is_file():
            continue
        found = json.loads(path.read_text(encoding="utf-8")).get("parameters")
        if found != parameters:
            raise InputError(
                f"{output} holds rendered clips with other parameters ({found}); remove it or choose another folder"
            )
        return name == MANIFEST
    if output.is_dir() and any(output.iterdir()):
        raise InputError(f"{output} is not empty and holds no rendered clips; choose another --output")
    return False


def parameters_of(seed: int, mode: str, kind: str = ACTIONS, night: str = "camera") -> dict:
    """Return what the clips depend on, as a manifest records it."""
    clips = {split.name: split.clips for split in splits_of(mode, kind)}
    other = {} if night == "camera" else {"night": night}
    return {"version": GENERATOR_VERSION, "seed": seed, "mode": mode, "kind": kind, "clips": clips, **other}


def make_dataset(
    output: Path, *, seed: int, mode: str = "quick", kind: str = ACTIONS, night: str = "camera", workers: int = 2
) -> dict:
    """Render the clips and write the lists; an interrupted call is taken up again, a finished one is kept.

    Args:
        output: data root; the layout is that of `DATA.PATH_PREFIX`.
        seed: everything depends on it.
        mode: `first`, `quick` or `full`.
        kind: `actions` (the 11 classes, light and dark) or `other_motions` (24 other classes, light).
        night: how clips become dark, one of `NIGHTS`.
        workers: number of processes; the files do not depend on it.

    Returns:
        The manifest.
    """
    parameters = parameters_of(seed, mode, kind, night)
    if check_folder(output, parameters):
        return json.loads((output / MANIFEST).read_text(encoding="utf-8"))
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / STARTED, {"parameters": parameters})
    classes = list(motions_of(kind))
    splits = splits_of(mode, kind)
    rows = {split.name: list(_rows(seed, split, classes)) for split in splits}
    jobs = [
        ClipJob(
            str(output / split.folder / name), seed, f"{kind}/{split.name}", index, classes[label], night * split.dark
        )
        for split in splits
        for index, (name, label) in enumerate(rows[split.name])
    ]
    render_all([job for job in jobs if not Path(job.path).is_file()], workers)
    write_lists(output, splits, rows)
    manifest = {
        "parameters": parameters,
        "classes": classes,
        "video": {"width": WIDTH, "height": HEIGHT, "fps": FPS, "crf_light": LIGHT_CRF, "crf_dark": DARK_CRF},
        "splits": {split.name: asdict(split) for split in splits},
    }
    write_json(output / MANIFEST, manifest)
    (output / STARTED).unlink()
    return manifest


def _rows(seed: int, split: Split, classes: list[str]) -> Iterator[tuple[str, int]]:
    labels = balanced_labels(seed, split, len(classes))
    return zip(clip_names(split, labels, classes), labels.tolist())


def write_lists(output: Path, splits: tuple[Split, ...], rows: dict[str, list[tuple[str, int]]]) -> None:
    """Write the CSV lists (`name,label`), the truth of hidden labels, and the joint lists of upstream.

    `train_label+val_dry.csv` holds the training rows and those of `val_dry`, whose files are copied beside them;
    `total_unlabel.csv` holds the rows of `dark_unlabel`.
    """

    def save(name: str, pairs: list[tuple[str, int]], hide: bool = False) -> None:
        write_text(output / name, "".join(f"{file},{-1 if hide else label}\n" for file, label in pairs))

    for split in splits:
        save(split.csv, rows[split.name], hide=split.hidden)
    train, dry = splits[0], splits[1]
    save("train_label+val_dry.csv", rows["train"] + rows["val_dry"])
    for name, _ in rows["val_dry"]:
        with atomic_write(output / train.folder / name) as aside:
            copyfile(output / dry.folder / name, aside)
    if "dark_unlabel" in rows:
        save("total_unlabel.csv", rows["dark_unlabel"], hide=True)
        save("total_unlabel_truth.csv", rows["dark_unlabel"])
        save("test_truth.csv", rows["test"])
