"""What jobs of a schedule are made from, besides what others make: files that change when it does, and only then.

The workflow names them as inputs of its jobs, so that it runs what a change touches and nothing else.
"""

import functools
import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode

from slowfast.apps.schedule_check import configurations_in
from slowfast.config import flatten, load_config, named_weights, parse_also
from slowfast.datasets.sources import Sources
from slowfast.datasets.splits import PSEUDO_SPLIT, is_light, resolve_split
from slowfast.lists.records import VideoList, read_list
from slowfast.parents import (
    ClipDigests,
    Input,
    MadeOf,
    differences,
    input_of_file,
    input_of_folder,
    whole_file_digests,
)
from slowfast.parents.content import MISSING
from slowfast.parents.settings import training_settings
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_json
from slowfast.utils.paths import repo_path

JOBS = "jobs.json"
_KEY = re.compile(r"[A-Z][A-Z_]*(\.\w+)*")
_EXPERIMENT = re.compile(r"exp_(adapt_bn|pseudo_stage\d+|experts|no_pseudo)")
_RESULTS = (".pyth", ".pkl")
_READ = (".csv", ".txt", ".yaml", ".yml")
_TESTS = ("DATA.GAMMA.TEST", "DATA.CLASS_NAMES")
_FREE_TESTS = ("TEST.BATCH_SIZE", "TEST.CHECKPOINT_FILE_PATH")


def refresh(folder: str | Path, jobs: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Write the mark of every job that is made from something else than before.

    Args:
        folder: of the marks `NAME.json`; beside them lie copies `NAME.done` of those that a job ended with.
        jobs: name -> `command`; `words`, the same without the places that do not matter; `output`.

    Returns:
        For every job that ended with another mark, or whose predictions are no longer those it made, what has changed.
    """
    folder, said = Path(folder), []
    read: dict[str, Any] = {}
    for name, job in jobs.items():
        path = folder / f"{name}.json"
        now = made_of_job(job["command"], job["words"], read)
        there, ended = _load(path), _load(path.with_suffix(".done"))
        done = MadeOf.from_plain(ended)
        found = [*differences(done, now), *_replaced(job["output"], ended)] if done is not None else []
        # A mark that was renewed while its job ran is another one once more, because the job did not see it.
        wanted = now.as_plain() | ({"instead_of": _digest_of(ended)} if found else {})
        older = bool(found) and _time_of(path) < _time_of(job["output"])
        if older or (there != wanted and (found or MadeOf.from_plain(there) != now)):
            write_json(path, wanted)
        said += [f"{name}: changed: {', '.join(found[:6])}"] if found else []
    return said


def _replaced(output: str, ended: dict[str, Any]) -> list[str]:
    """Return which of the predictions that a job has made are others now, or gone."""
    results = ended.get("results")
    known = results.items() if isinstance(results, dict) else ()
    names = {name: digest for name, digest in known if name.endswith(".pkl") and Path(name).name == name}
    made = {str(Path(output).absolute().parent / name): digest for name, digest in names.items()}
    now = dict(zip(made, _digests().of([*made])))
    return [f"{path} is {'gone' if now[path] == MISSING else 'another'}" for path in made if now[path] != made[path]]


def _digest_of(mark: Any) -> str:
    """Return the digest of a mark with all that stands in it."""
    return hashlib.sha256(json.dumps(mark, sort_keys=True).encode()).hexdigest()


def _time_of(path: str | Path) -> float:
    """Return when a file was written, 0 where there is none."""
    return os.path.getmtime(path) if os.path.exists(path) else 0.0


def _load(path: Path) -> Any:
    """Return the content of a mark, None where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def made_of_job(command: str, words: str, read: dict[str, Any] | None = None) -> MadeOf:
    """Return what a job is made from: lists, clips, files and settings; not what other jobs make.

    Args:
        command: as the shell gets it.
        words: the same with names for places.
        read: what was read already, shared by the jobs of a schedule.
    """
    real = shlex.split(command)
    cfg = configuration_of(real)
    if cfg is not None:
        return _made_of_training(cfg, {} if read is None else read)
    files = [word for word in real if word.endswith(_READ) and not _is_made(word) and Path(word).is_file()]
    inputs = {Path(word).name: input_of_file(word) for word in files}
    plain = [Path(word).name if "/" in word else word for word in shlex.split(words)]
    return MadeOf("job", inputs, {"command": " ".join(plain)})


def _is_made(path: str) -> bool:
    """Return whether a file is made by another job: a result of an experiment, or a table."""
    parts = Path(path).parts
    return "pseudo" in parts or (Path(path).suffix in _RESULTS and any(map(_EXPERIMENT.fullmatch, parts)))


def configuration_of(words: Sequence[str]) -> CfgNode | None:
    """Return the configuration that a command trains, None for other commands."""
    files = configurations_in(words)
    places = [place for place, word in enumerate(words) if word in files or word.endswith("/run.sh")]
    opts = words[max(places, default=-1) + 1 :]
    plugins = [place for place, word in enumerate(opts) if word == "--plugin"]
    opts = [word for place, word in enumerate(opts) if place not in plugins and place - 1 not in plugins]
    if not files or len(opts) % 2 or not all(map(_KEY.fullmatch, opts[::2])):
        return None
    try:
        return load_config(files, opts, whole=False)
    except (InputError, OSError):
        return None  # the job will say what is wrong


def _made_of_training(cfg: CfgNode, read: dict[str, Any]) -> MadeOf:
    """Return what training and tests of a configuration are made from."""
    values = flatten(cfg)
    tested = {key: value for key, value in values.items() if key.startswith(("TEST.", "ADAPT.")) or key in _TESTS}
    settings = training_settings(values) | {key: tested[key] for key in tested if key not in _FREE_TESTS}
    splits = list(dict.fromkeys(splits_of(cfg)))
    settings |= {f"light {split}": is_light(split, cfg.DATA.SPLITS) for split in splits}
    sources = Sources()
    for split in splits:
        if split != PSEUDO_SPLIT:
            add_list(cfg, split, sources, read)
    inputs = sources.inputs
    start = named_weights(cfg)
    path = repo_path(start)
    if start and not _is_made(start) and (cfg.TRAIN.CHECKPOINT_FILE_PATH or path.exists()):
        inputs["starting weights"] = input_of_folder(path) if path.is_dir() else Input(_digests().of([str(path)])[0])
    return MadeOf("job", inputs, json.loads(json.dumps(settings)))


@functools.cache
def _digests() -> ClipDigests:
    """Return what knows digests of whole files."""
    return whole_file_digests()


def splits_of(cfg: CfgNode) -> Iterator[str]:
    """Yield the splits that a run reads; of a method of own code all of them."""
    if cfg.TRAIN.ENABLE:
        yield "train_label"
        yield from cfg.TRAIN.EVAL_SPLITS
        yield from [cfg.BN.ADAPT_SPLIT] if cfg.BN.USE_PRECISE_STATS else []
        yield from [cfg.MEAN_TEACHER.SPLIT] if cfg.TRAIN.METHOD == "mean_teacher" else []
        yield from cfg.DATA.SPLITS if cfg.TRAIN.METHOD not in ("", "supervised", "pseudo_label", "mean_teacher") else ()
    usual = cfg.TEST.ADAPT_SPLIT or cfg.BN.ADAPT_SPLIT
    yield from [cfg.TEST.DATA_SELECT, *([usual] if cfg.TEST.ADAPT else [])] if cfg.TEST.ENABLE else []
    for also in map(parse_also, cfg.TEST.ALSO if cfg.TEST.ENABLE else ()):
        yield also.split
        yield from [also.adapt_split or usual] if also.adapt else []


def add_list(cfg: CfgNode, split: str, sources: Sources, read: dict[str, Any]) -> None:
    """Add list and clips of a split; of a list that cannot be read, that it is missing."""
    separator = cfg.DATA.PATH_LABEL_SEPARATOR
    try:
        where = resolve_split(split, cfg.DATA.SPLITS, repo_path(cfg.DATA.PATH_PREFIX))
        key = f"{where.list_path}\0{where.folder}\0{separator}\0{cfg.MODEL.NUM_CLASSES}"
        if key not in read:
            read[key] = _read(where.list_path, where.folder, separator, cfg.MODEL.NUM_CLASSES)
        found: Sources = read[key]
    except InputError:
        found = Sources({"list": Input("missing")})
    sources.inputs |= {f"{kind} {split}": item for kind, item in found.inputs.items()}


def rows_of(path: Path, folder: Path, separator: str, num_classes: int) -> VideoList:
    """Return the rows of a list, whether its videos are there or not.

    Raises:
        InputError: the list cannot be read.
    """
    return read_list(
        path, folder, separator=separator, num_classes=num_classes, labelled=False, allow_outside=True,
        check_files=False,
    )  # fmt: skip


def _read(path: Path, folder: Path, separator: str, num_classes: int) -> Sources:
    """Return `list` and `clips` of one list."""
    found = Sources()
    found.add("", rows_of(path, folder, separator, num_classes), separator, num_classes)
    return Sources({role.strip(): item for role, item in found.inputs.items()})


def main() -> None:
    """Refresh the marks of a folder after lists were made: `python -m slowfast.apps.schedule FOLDER`."""
    folder = Path(sys.argv[1])
    os.chdir(os.environ.get("PWD", "."))
    refresh(folder, json.loads((folder / JOBS).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
