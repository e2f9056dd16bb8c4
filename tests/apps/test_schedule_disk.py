"""The disk of a schedule: told and refused before its first job, decoded clips given back after its last."""

import json
import shlex
import subprocess
import sys

import pytest
import yaml

from slowfast.apps import schedule_disk
from slowfast.apps.schedule_disk import bytes_of_checkpoints, give_back, look_at_disk, needed
from slowfast.config import load_config
from slowfast.datasets.loader import build_loader
from slowfast.engine.launch import run_experiment
from slowfast.utils.errors import InputError

CLIP = 12 * 32 * 40 * 3  # bytes of a decoded clip of the tiny data set
CLIPS = 12 + 4 + 5 + 9 + 5


@pytest.fixture(scope="module")
def data(tiny, tmp_path_factory):
    return tiny.make_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture
def settings(tiny, data, tmp_path):
    """Load the configuration of a training in `tmp_path/out/a`, with a store of decoded clips."""

    def settings(*opts, store=tmp_path / "out/cache"):
        place = ("OUTPUT_DIR", str(tmp_path / "out/a"), "DATA.PATH_PREFIX", str(data), "DATA.CACHE_DIR", str(store))
        return load_config(tiny.CONFIG, [*place, "TRAIN.EVAL_SPLITS", "['val_dry','arid']", *map(str, opts)])

    return settings


def sizes(cfgs, *to_come):
    """Bytes and what is there already, by kind."""
    found = {}
    for kind, _, size, there in needed(cfgs, *to_come):
        before = found.get(kind, (0, 0))
        found[kind] = (before[0] + size, before[1] + there)
    return found


def test_what_is_said_is_what_a_run_takes(settings, tmp_path):
    cfg = settings("TRAIN.KEEP_CHECKPOINTS", 1)
    told = sizes([cfg])
    assert told["decoded clips"] == (CLIPS * CLIP, 0)
    run_experiment(cfg)
    taken = sizes([cfg])
    assert taken["decoded clips"][1] == pytest.approx(CLIPS * CLIP, rel=0.01)
    weights = bytes_of_checkpoints(cfg, {})
    assert 0.9 * weights < taken["checkpoints"][1] < weights + 2**20, "a file has a few kilobytes more than its numbers"


def test_checkpoints_by_network_optimizer_and_how_many_are_kept(settings):
    known = {}
    usual = bytes_of_checkpoints(settings("TRAIN.KEEP_CHECKPOINTS", 2), known)
    assert bytes_of_checkpoints(settings("TRAIN.KEEP_CHECKPOINTS", 1), known) == usual * 2 / 3
    assert bytes_of_checkpoints(settings("SOLVER.MAX_EPOCH", 40, "TRAIN.KEEP_CHECKPOINTS", 0), known) == usual * 41 / 3
    assert bytes_of_checkpoints(settings("SOLVER.OPTIMIZING_METHOD", "sgd"), known) == usual * 2 / 3
    assert bytes_of_checkpoints(settings("TRAIN.METHOD", "mean_teacher"), known) == usual * 4 / 3
    assert len(known) == 1
    assert bytes_of_checkpoints(settings("UNIFORMER.EMBED_DIM", "[16, 16, 32, 32]"), known) > 2 * usual


def test_clips_that_the_first_job_makes(settings, tmp_path):
    cfg = settings("DATA.PATH_PREFIX", tmp_path / "nothing")
    assert sizes([cfg])["decoded clips"] == (0, 0)
    assert sizes([cfg, cfg], "10x20x4x6")["decoded clips"] == (10 * 20 * 4 * 6 * 3, 0)


def test_clips_that_are_too_large_for_the_store_do_not_count(settings, monkeypatch):
    monkeypatch.setattr(schedule_disk, "MAX_STORED_BYTES", CLIP - 1)
    assert sizes([settings()])["decoded clips"] == (0, 0)


def test_a_disk_that_is_too_small_is_refused(settings, monkeypatch, tmp_path):
    assert look_at_disk([settings()]).startswith("disk: the schedule takes about ")
    free = type("Usage", (), {"free": 10**6})
    monkeypatch.setattr(schedule_disk.shutil, "disk_usage", lambda path: free)
    with pytest.raises(InputError, match=rf"disk: the schedule still writes about .* below {tmp_path}, where 1.0 MB"):
        look_at_disk([settings()])
    assert look_at_disk([]) == ""


def test_only_decoded_clips_in_the_own_folder_are_given_back(settings, tmp_path):
    own, other = settings(), settings(store=tmp_path / "elsewhere")
    for cfg in (own, other):
        next(iter(build_loader(cfg, "val_dry", "val", train=False, views=1, crops=1)))
    (tmp_path / "out/cache/mine.npy").write_bytes(b"mine")
    stored = len(list((tmp_path / "out/cache").iterdir())) - 1
    freed = give_back([own, other, own], tmp_path / "out")
    assert freed == pytest.approx(stored * CLIP, rel=0.01) and stored
    assert [path.name for path in (tmp_path / "out/cache").iterdir()] == ["mine.npy"]
    assert len(list((tmp_path / "elsewhere").iterdir())) == stored
    (tmp_path / "out/cache/mine.npy").unlink()
    assert give_back([own], tmp_path / "out") == 0 and not (tmp_path / "out/cache").exists()


TRAIN = """
import pathlib, sys
out, cache = pathlib.Path(sys.argv[1]), pathlib.Path("out/cache")
for folder in (out, cache):
    folder.mkdir(parents=True, exist_ok=True)
for name in sys.argv[2:sys.argv.index("--")]:
    (out / name).write_text("predictions")
(cache / ("0" * 32 + ".npy")).write_bytes(bytes(1000))
"""


@pytest.fixture
def schedule(tiny, repo, tmp_path):
    """Run a schedule whose trainings only fill the store; `more` are keys of it."""

    def schedule(*words, **more):
        python = shlex.quote(sys.executable)
        touch = f"{python} -c 'import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[1])'"
        (tmp_path / "train.py").write_text(TRAIN)
        made = {
            "root": "out", "data": "data", "voters": ["a"], "experts": [], "rounds": 1, "frames": 4, "crop": 8,
            "data_ready": "ready", "make_data": touch + " {data}/ready",
            "select": touch + " {data}/pseudo/stage{stage}.csv", "vote": touch + " {root}/submission/arid_pred.csv",
            "train": f"{python} train.py {{out}} total_unlabelx4x8x1x1.pkl testx4x8x3x3.pkl -- --cfg "
            f"{shlex.quote(str(tiny.CONFIG))} OUTPUT_DIR {{out}} DATA.PATH_PREFIX {tmp_path}/data DATA.CACHE_DIR "
            f"{tmp_path}/out/cache {{opts}}",
        }  # fmt: skip
        (tmp_path / "s.yaml").write_text(yaml.safe_dump({**made, **more}))
        for folder in ("data/pseudo", "out/submission"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(repo / "tools/schedule.py"), "s.yaml", "-j", "1", "--nolock", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)

    return schedule


def test_a_schedule_says_its_disk_and_gives_it_back(schedule, tmp_path):
    pytest.importorskip("snakemake")
    done = schedule("--config", f"root={tmp_path}/out", clips="10x1000x100x100")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("disk: the schedule takes about 0.3 GB (decoded clips 0.3 GB, checkpoints ")
    assert " of 6 jobs done, ETA " in done.stdout
    assert "of decoded clips given back (--config keep_cache=true keeps them)" in lines[-1]
    assert not (tmp_path / "out/cache").exists() and (tmp_path / "out/submission/arid_pred.csv").exists()


def test_a_schedule_that_the_disk_cannot_hold_starts_no_job(schedule, tmp_path):
    pytest.importorskip("snakemake")
    done = schedule(clips="100000000x1000x100x100")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: disk: the schedule still writes about 30000")
    assert not (tmp_path / "data/ready").exists()
    done = schedule("--config", "disk=ignore", "keep_cache=true", clips="100000000x1000x100x100")
    assert done.returncode == 0 and list((tmp_path / "out/cache").iterdir())
    assert json.loads((tmp_path / "out/marks/jobs.json").read_text()).keys() >= {"data", "vote"}
