"""The disk that a schedule of jobs takes: told before its first job; decoded clips are given back after its last."""

import json
import math
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode

from slowfast.apps.schedule import JOBS, configuration_of, rows_of, splits_of
from slowfast.config import flatten
from slowfast.datasets.frame_source import MAX_STORED_BYTES
from slowfast.datasets.splits import PSEUDO_SPLIT, resolve_split
from slowfast.utils import cli
from slowfast.utils.errors import InputError
from slowfast.utils.files import remove_leftovers
from slowfast.utils.paths import repo_path
from slowfast.video import VideoError, open_video

_STORED = re.compile(r"[0-9a-f]{32}\.npy")
_NETWORK = ("MODEL.", "UNIFORMER.", "MVIT.", "SF.", "VIDEOMAE.", "DATA.NUM_FRAMES", "DATA.TRAIN_CROP_SIZE")
# Numbers that an optimizer keeps for every weight.
_MOMENTS = {"sgd": 1, "lion": 1}
_SAMPLE = 24  # clips that are opened to know the size of all
_RESULTS = 2**20  # logs, curves and predictions of one job


def stores_of(cfgs: Iterable[CfgNode]) -> list[Path]:
    """Return the folders of decoded clips."""
    return list(dict.fromkeys(repo_path(cfg.DATA.CACHE_DIR) for cfg in cfgs if cfg.DATA.CACHE_DIR))


def clips_of(cfgs: Iterable[CfgNode], store: Path) -> dict[str, str]:
    """Return the files that are decoded into a store, with their decoder; lists that are not there yet hold none."""
    found: dict[str, str] = {}
    for cfg in cfgs:
        if not cfg.DATA.CACHE_DIR or repo_path(cfg.DATA.CACHE_DIR) != store:
            continue
        places = [name for name in dict.fromkeys(splits_of(cfg)) if name != PSEUDO_SPLIT]
        for name in places:
            found |= dict.fromkeys(_files(cfg, name), cfg.DATA.DECODING_BACKEND)
    return found


def _files(cfg: CfgNode, split: str) -> list[str]:
    """Return the files of a split."""
    try:
        where = resolve_split(split, cfg.DATA.SPLITS, repo_path(cfg.DATA.PATH_PREFIX))
        rows = rows_of(where.list_path, where.folder, cfg.DATA.PATH_LABEL_SEPARATOR, cfg.MODEL.NUM_CLASSES)
    except InputError:
        return []
    return [record.path for record in rows]


def bytes_of_clips(files: Mapping[str, str]) -> int:
    """Return about how many bytes decoded clips take, from some of them."""
    paths = list(files)
    sizes = [_decoded(path, files[path]) for path in paths[:: max(1, len(paths) // _SAMPLE)]]
    known = [size for size in sizes if size is not None]
    return math.ceil(len(paths) * sum(known) / len(known)) if known else 0


def _decoded(path: str, backend: str) -> int | None:
    """Return the bytes of a decoded clip, 0 for one that is too large to be stored, None for one that is damaged."""
    try:
        video = open_video(path, backend)
    except (VideoError, OSError):
        return None
    try:
        size = len(video) * video.get_frames([0]).nbytes
    except VideoError:
        return None
    finally:
        video.close()
    return size if size <= MAX_STORED_BYTES else 0


def bytes_of_checkpoints(cfg: CfgNode, sizes: dict[str, int]) -> int:
    """Return about how many bytes the checkpoints of a training take.

    Args:
        cfg: the training.
        sizes: of networks that were counted already.
    """
    import torch  # late: a schedule of other commands than trainings needs none

    from slowfast.models import build_model

    network = str({key: value for key, value in flatten(cfg).items() if key.startswith(_NETWORK)})
    if network not in sizes:
        with torch.device("meta"):
            sizes[network] = sum(tensor.nbytes for tensor in build_model(cfg).state_dict().values())
    moments = 0 if cfg.TRAIN.PROBE or cfg.LORA.RANK else _MOMENTS.get(cfg.SOLVER.OPTIMIZING_METHOD, 2)
    size = sizes[network] * (1 + moments + (cfg.TRAIN.METHOD == "mean_teacher"))
    numbered = math.ceil(cfg.SOLVER.MAX_EPOCH / (1 if cfg.TRAIN.SAVE_LATEST else cfg.TRAIN.CHECKPOINT_PERIOD))
    return size * (min(numbered, cfg.TRAIN.KEEP_CHECKPOINTS or numbered) + 1)


def needed(cfgs: Sequence[CfgNode], to_come: str = "") -> Iterator[tuple[str, Path, int, int]]:
    """Yield what a schedule writes: kind, folder, bytes at its end, and bytes that are there.

    Args:
        cfgs: its trainings.
        to_come: number, frames, height and width of clips that its first job makes, as `100x25x64x80`.
    """
    for store in stores_of(cfgs):
        files = clips_of(cfgs, store)
        made = math.prod(map(int, to_come.split("x"))) * 3 if to_come else 0
        yield "decoded clips", store, bytes_of_clips(files) if files else made, _there(store.glob("*.npy"))
    sizes: dict[str, int] = {}
    for cfg in cfgs:
        folder = repo_path(cfg.OUTPUT_DIR)
        size = bytes_of_checkpoints(cfg, sizes) if cfg.TRAIN.ENABLE else 0
        yield "checkpoints", folder, size + _RESULTS, _there(folder.rglob("*.pyth"))


def _there(paths: Iterable[Path]) -> int:
    """Return the bytes of files."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def look_at_disk(cfgs: Sequence[CfgNode], to_come: str = "") -> str:
    """Return a sentence on the disk that a schedule takes, empty when it is not known.

    Raises:
        InputError: less is free.
    """
    kinds: dict[str, int] = {}
    disks: dict[int, tuple[Path, int]] = {}
    for kind, folder, size, there in needed(cfgs, to_come):
        kinds[kind] = kinds.get(kind, 0) + size
        place = next(path for path in (folder, *folder.parents) if path.exists())
        first, before = disks.get(place.stat().st_dev, (place, 0))
        disks[place.stat().st_dev] = first, before + max(0, size - there)
    for place, size in disks.values():
        free = shutil.disk_usage(place).free
        if free < size:
            raise InputError(
                f"disk: the schedule still writes about {_words(size)} below {place}, where {_words(free)} are free: "
                "make room, keep no decoded clips (DATA.CACHE_DIR ''), or go on all the same (--config disk=ignore)"
            )
    named = ", ".join(f"{kind} {_words(size)}" for kind, size in kinds.items())
    return f"disk: the schedule takes about {_words(sum(kinds.values()))} ({named})" if kinds else ""


def give_back(cfgs: Iterable[CfgNode], root: Path) -> int:
    """Remove the decoded clips that lie in a schedule's own folder; return their bytes."""
    freed = 0
    for store in stores_of(cfgs):
        if not store.resolve().is_relative_to(root.resolve()) or not store.is_dir():
            continue
        remove_leftovers(store)
        for path in [path for path in store.iterdir() if _STORED.fullmatch(path.name)]:
            freed += path.stat().st_size
            path.unlink()
        if not any(store.iterdir()):
            store.rmdir()
    return freed


def _words(size: int) -> str:
    """Return a number of bytes in words."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def main(argv: Sequence[str]) -> None:
    """Say what is needed (`start MARKS ROOT [CLIPS]`), or give decoded clips back (`end MARKS ROOT`)."""
    when, marks, root, *to_come = argv
    jobs: dict[str, Any] = json.loads((Path(marks) / JOBS).read_text(encoding="utf-8"))
    trainings = [shlex.split(job["command"]) for name, job in jobs.items() if name.startswith("exp_")]
    cfgs = [cfg for words in trainings if (cfg := configuration_of(words)) is not None]
    if when == "start":
        said = look_at_disk(cfgs, *to_come)
    else:
        freed = give_back(cfgs, repo_path(root))
        said = (
            f"disk: {_words(freed)} of decoded clips given back (--config keep_cache=true keeps them)" if freed else ""
        )
    if said:
        print(said, file=sys.stderr)


if __name__ == "__main__":
    cli.run(lambda: main(sys.argv[1:]))
