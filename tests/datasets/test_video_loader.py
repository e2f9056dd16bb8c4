"""Batches: their form, their independence of workers, and what happens to damaged files and lost workers."""

import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from slowfast.config import dump_config
from slowfast.datasets import video_loader
from slowfast.datasets.loader import build_dataset, build_loader
from slowfast.utils.errors import InputError
from slowfast.video import opening

NAMES = [f"clip {number}.mp4" for number in range(7)]


@pytest.fixture
def damage(root, clips):
    """A function that replaces clips of the data root by files that hold no video."""

    def replace(*numbers: int) -> None:
        (root / "videos").unlink()
        (root / "videos").mkdir()
        for number, name in enumerate(NAMES):
            if number in numbers:
                (root / "videos" / name).write_bytes(b"\0\1\2\3" * 50)
            else:
                (root / "videos" / name).symlink_to(clips / name)

    return replace


def test_training_batch(cfg):
    cfg.AUG.NUM_SAMPLE = 2
    loader = build_loader(cfg, "train_pseudo_label", "target", train=True)
    batches = list(loader)
    assert len(batches) == len(loader) == 3
    batch = batches[0]
    assert batch["clips"].shape == (4, 3, 4, 24, 24) and batch["clips"].dtype == torch.float32
    assert batch["labels"].dtype == batch["index"].dtype == torch.int64
    index = batch["index"].tolist()
    assert index[0] == index[1] and index[2] == index[3] and batch["names"] == [NAMES[row] for row in index]
    assert batch["labels"].tolist() == [row % 3 for row in index]
    assert batch["probs"].shape == (4, 3) and batch["probs"].dtype == torch.float32
    assert batch["probs"][:, 0].tolist() == pytest.approx([0.1 * row for row in index])
    assert not torch.equal(batch["clips"][0], batch["clips"][1])
    assert batch["failed"] == [] and "partial" not in batch
    assert "probs" not in next(iter(build_loader(cfg, "train_label", "source", train=True)))


def test_evaluation_batch(cfg):
    cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS, cfg.TEST.BATCH_SIZE = 2, 3, 18
    batches = list(build_loader(cfg, "arid", "test", train=False))
    assert [len(batch["names"]) for batch in batches] == [3, 3, 1]
    assert batches[0]["clips"].shape == (18, 3, 4, 32, 32)
    assert torch.cat([batch["index"] for batch in batches]).tolist() == list(range(7))
    times = batches[0]["clips"].mean(dim=(1, 3, 4)).view(3, 2, 3, 4)
    assert (times.diff(dim=-1) > 0).all(), "later frames are brighter"
    assert (times[:, 1, 1] > times[:, 0, 1]).all(), "view 1 lies after view 0"
    assert (times[..., 2, :] > times[..., 0, :]).all(), "crop 2 is the right one, which is brighter"
    validation = next(iter(build_loader(cfg, "arid", "val_dark", train=False)))
    assert validation["clips"].shape == (7, 3, 4, 32, 32), "validation is 1 x 1"


def test_gamma_of_the_role(cfg):
    cfg.DATA.GAMMA.VAL_DARK = 0.25
    dark, bright, given = (
        next(iter(build_loader(cfg, "arid", role, train=False, gamma=gamma)))["clips"].mean()
        for role, gamma in (("val_dark", None), ("val_bright", None), ("val_bright", 0.25))
    )
    assert dark > bright + 0.5 and given == dark


def test_processes_read_disjoint_rows(cfg):
    rows = [
        [row for batch in build_loader(cfg, "arid", "test", train=False, views=1, crops=1, rank=rank, world_size=2)
         for row in batch["index"].tolist()] for rank in range(2)
    ]  # fmt: skip
    assert rows == [[0, 2, 4, 6], [1, 3, 5]]
    with pytest.raises(InputError, match="does not divide"):
        build_loader(cfg, "train_label", "source", train=True, world_size=3)


def whole_epoch(cfg, workers: int, start_batch: int = 0, epoch: int = 2) -> list[torch.Tensor]:
    loader = build_loader(cfg, "train_label", "source", train=True, num_workers=workers)
    loader.set_epoch(epoch, start_batch)
    return [batch["clips"] for batch in loader]


def test_results_do_not_depend_on_workers_and_resume_exactly(cfg):
    cfg.AUG.ENABLE, cfg.AUG.NUM_SAMPLE, cfg.AUG.RE_PROB = True, 2, 1.0
    alone = whole_epoch(cfg, 0)
    assert all(torch.equal(*pair) for pair in zip(alone, whole_epoch(cfg, 2)))
    assert all(torch.equal(*pair) for pair in zip(alone[2:], whole_epoch(cfg, 1, start_batch=2)))
    assert not torch.equal(alone[0], whole_epoch(cfg, 0, epoch=3)[0])


@pytest.mark.parametrize("workers", [0, 1])
def test_uint8_hand_over_gives_the_same_clips(cfg, workers):
    cfg.AUG.ENABLE, cfg.AUG.NUM_SAMPLE, cfg.AUG.RE_PROB = True, 2, 1.0
    cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS, cfg.TEST.BATCH_SIZE = 2, 3, 12
    plain = whole_epoch(cfg, 0), [batch["clips"] for batch in build_loader(cfg, "arid", "test", train=False)]
    cfg.DATA.DEVICE_TRANSFORM = True
    loader = build_loader(cfg, "arid", "test", train=False, num_workers=workers)
    later = whole_epoch(cfg, workers), [batch["clips"] for batch in loader]
    for expected, got in zip(plain, later):
        assert len(expected) == len(got)
        for pair in zip(expected, got):
            torch.testing.assert_close(*(clips.cpu() for clips in pair), atol=1e-5, rtol=0)


def test_global_generators_are_left_alone(cfg):
    torch.manual_seed(0)
    np.random.seed(0)
    whole_epoch(cfg, 0)
    assert np.random.rand() == np.random.RandomState(0).rand()
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(0)))


def test_same_row_of_two_splits_is_augmented_differently(cfg):
    source, target = (build_dataset(cfg, split, role, train=True) for split, role in (
        ("train_label", "source"), ("train_pseudo_label", "target")))  # fmt: skip
    assert source[0].frames[0].rng.random() != target[0].frames[0].rng.random()


def test_persistent_workers_follow_the_epoch(cfg):
    loader = build_loader(cfg, "train_label", "source", train=True, num_workers=1)
    for epoch in (0, 1):
        loader.set_epoch(epoch)
        clips = [batch["clips"] for batch in loader]
        assert all(torch.equal(*pair) for pair in zip(clips, whole_epoch(cfg, 0, epoch=epoch)))


def test_class_balanced_targets_only(cfg, root):
    cfg.TRAIN.CLASS_BALANCED = True
    (root / "list.csv").write_text("\n".join(f"{name},{int(number > 4)}" for number, name in enumerate(NAMES)))
    (root / "pseudo.csv").write_text((root / "list.csv").read_text())
    counts = {}
    for split, role in (("train_label", "source"), ("train_pseudo_label", "target")):
        loader = build_loader(cfg, split, role, train=True)
        counts[role] = sum(batch["labels"].sum().item() for batch in loader)
    assert counts["target"] == 3 and counts["source"] <= 2


def test_damaged_training_clips_are_replaced_and_named(cfg, damage, caplog):
    damage(1, 4)
    loader = build_loader(cfg, "train_label", "source", train=True)
    for epoch in range(3):
        loader.set_epoch(epoch)
        batches = list(loader)
        assert all(batch["clips"].shape[0] == 2 for batch in batches)
        assert not {1, 4} & {row for batch in batches for row in batch["index"].tolist()}
    assert set(loader.failed) == {NAMES[1], NAMES[4]}


def test_damaged_test_clips_are_left_out_and_named(cfg, damage):
    damage(1, 2, 3)
    cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS = 1, 1
    batches = list(build_loader(cfg, "arid", "test", train=False, batch_size=2))
    assert [batch["index"].tolist() for batch in batches] == [[0], [], [4, 5], [6]]
    failed = [report for batch in batches for report in batch["failed"]]
    assert [(row, name) for row, name, _ in failed] == [(row, NAMES[row]) for row in (1, 2, 3)]
    assert all("no video container" in reason for _, _, reason in failed)


@pytest.mark.parametrize("train", [True, False])
def test_too_many_damaged_clips_stop_the_run(cfg, damage, train):
    damage(0, 1, 2, 3)
    cfg.DATA.MAX_FAILED = 0.4
    loader = build_loader(cfg, "train_label", "source", train=train)
    with pytest.raises(InputError, match="of 7 videos cannot be read.*DATA.MAX_FAILED 0.4.*check_videos"):
        for epoch in range(5):
            loader.set_epoch(epoch)
            list(loader)


def test_nothing_readable_is_no_endless_search(cfg, damage):
    damage(*range(7))
    cfg.DATA.MAX_FAILED = 1.0
    with pytest.raises(InputError, match="cannot be read"):
        list(build_loader(cfg, "train_label", "source", train=True))
    assert [len(batch["names"]) for batch in build_loader(cfg, "arid", "test", train=False, views=1, crops=1)] == [
        0
    ] * 4


def test_partly_readable_clips_are_named_once(cfg, root, shared):
    (root / "videos").unlink()
    (root / "videos").symlink_to(shared / "videos/broken")
    (root / "list.csv").write_text("truncated_half.avi,0\nbyte_flips_few.mp4,1\n")
    loader = build_loader(cfg, "arid", "test", train=False, views=1, crops=1)
    for _ in range(2):
        assert sum(len(batch["names"]) for batch in loader) == 2
    assert set(loader.partial) == {"truncated_half.avi"} and not loader.failed


@pytest.fixture
def trap(monkeypatch):
    """A function that makes the reading of clip 3 do something in a worker."""

    def set_trap(action) -> None:
        real = opening.check_file
        main = os.getpid()

        def check(path) -> None:
            if os.path.basename(path) == NAMES[3] and os.getpid() != main:
                action()
            real(path)

        monkeypatch.setattr(opening, "check_file", check)

    return set_trap


def rows_and_failures(loader) -> tuple[list[int], list[tuple[int, str]]]:
    batches = list(loader)
    rows = [row for batch in batches for row in batch["index"].tolist()]
    return rows, [(row, reason) for batch in batches for row, _, reason in batch["failed"]]


def test_a_file_that_kills_its_worker_is_named_and_the_rest_is_read(cfg, trap, monkeypatch):
    monkeypatch.setattr(video_loader, "_POLL", 0.3)
    trap(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    loader = build_loader(cfg, "arid", "test", train=False, views=1, crops=1, num_workers=2)
    rows, failed = rows_and_failures(loader)
    assert rows == [0, 1, 2, 4, 5, 6]
    assert failed == [(3, "the decoding process was lost (SIGSEGV)")]


def test_a_file_that_never_ends_is_named_and_the_rest_is_read(cfg, trap, monkeypatch):
    monkeypatch.setattr(video_loader, "_POLL", 0.3)
    trap(lambda: time.sleep(600))
    cfg.DATA_LOADER.TIMEOUT = 3
    start = time.monotonic()
    loader = build_loader(cfg, "arid", "test", train=False, views=1, crops=1, num_workers=2)
    rows, failed = rows_and_failures(loader)
    assert rows == [0, 1, 2, 4, 5, 6] and failed == [(3, "the decoding process was lost (too slow)")]
    assert time.monotonic() - start < 60


def test_a_worker_killed_from_outside_costs_nothing(cfg, trap, monkeypatch, tmp_path):
    monkeypatch.setattr(video_loader, "_POLL", 0.3)
    mark = tmp_path / "killed"

    def once() -> None:
        if not mark.exists():
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)

    trap(once)
    loader = build_loader(cfg, "train_label", "source", train=True, num_workers=1)
    loader.set_epoch(2)
    clips = [batch["clips"] for batch in loader]
    assert mark.exists() and not loader.failed
    assert all(torch.equal(*pair) for pair in zip(clips, whole_epoch(cfg, 0)))


def test_full_shared_memory_is_explained(cfg, trap, monkeypatch):
    monkeypatch.setattr(video_loader, "_POLL", 0.3)
    trap(lambda: os.kill(os.getpid(), signal.SIGBUS))
    with pytest.raises(InputError, match="--shm-size"):
        list(build_loader(cfg, "arid", "test", train=False, views=1, crops=1, num_workers=1))


def test_errors_of_the_program_are_not_hidden(cfg, monkeypatch):
    def wrong(*_: object) -> None:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr("slowfast.datasets.views.apply_gamma", wrong)
    for workers in (0, 1):
        with pytest.raises(RuntimeError, match="a fault of the program"):
            list(build_loader(cfg, "arid", "test", train=False, num_workers=workers))


def test_workers_ignore_a_signal_to_the_whole_job(cfg):
    loader = build_loader(cfg, "train_label", "source", train=True, num_workers=1)
    batches = iter(loader)
    next(batches)
    worker = loader._loader._iterator._workers[0]
    subprocess.run(["kill", "-TERM", str(worker.pid)], check=True)
    assert len(list(batches)) == 2 and worker.is_alive()


def test_lists_and_augmentation_are_checked_when_building(cfg, root):
    (root / "list.csv").write_text("clip 0.mp4,-1\n")
    with pytest.raises(InputError, match="no label"):
        build_dataset(cfg, "arid", "val_dark", train=False)
    assert build_dataset(cfg, "arid", "test", train=False).records[0].label == -1
    cfg.AUG.ENABLE, cfg.AUG.AA_TYPE = True, "augmix"
    with pytest.raises(InputError, match="AUG.AA_TYPE"):
        build_dataset(cfg, "arid", "bn", train=True)


def test_darkness_as_an_augmentation_of_labelled_clips(cfg):
    assert not cfg.AUG.DARKEN, "off by default"
    cfg.DATA.TRAIN_JITTER_SCALES, cfg.AUG.DARKEN_PROB = [48, 48], 1.0
    cfg.DATA.GAMMA.TARGET = 1.0
    light = torch.cat(whole_epoch(cfg, 0))
    cfg.AUG.DARKEN = True
    dark, again = torch.cat(whole_epoch(cfg, 0)), torch.cat(whole_epoch(cfg, 1))
    assert dark.mean() < light.mean() - 0.5 and torch.equal(dark, again)
    cfg.DATA.GAMMA.TARGET = 0.5
    brightened = torch.cat(whole_epoch(cfg, 0))
    assert brightened.mean() > dark.mean() + 0.5, "darkened clips are brightened as dark ones are"
    target = build_dataset(cfg, "train_pseudo_label", "target", train=True)
    assert target.views.darken_prob == 0.0, "the pool is dark already"


@pytest.fixture
def few_handles():
    """A function that leaves a number of file handles to this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    def leave(number: int) -> None:
        free = [handle for handle in range(before[0]) if not os.path.lexists(f"/proc/self/fd/{handle}")]
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[number], before[1]))

    yield leave
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_too_few_handles_for_the_workers(cfg, few_handles, capfd):
    loader = build_loader(cfg, "arid", "test", train=False, views=1, crops=1, num_workers=4)
    few_handles(30)
    with pytest.raises(InputError, match=r"'arid' with 4 decoding processes: too few file handles: .*ulimit -n"):
        list(loader)
    assert capfd.readouterr().err == "", "half-started loaders complain when they are forgotten"


def test_a_video_is_not_blamed_for_handles_that_lack(cfg, few_handles):
    loader = build_loader(cfg, "arid", "test", train=False, views=1, crops=1, num_workers=0)
    few_handles(0)
    with pytest.raises(InputError, match="too few file handles"):
        list(loader)
    assert not loader.failed


@pytest.mark.parametrize("options", ["ro", "size=300k", "nr_inodes=1"])
def test_shared_memory_that_cannot_be_used(cfg, options, tmp_path):
    """In a mount namespace of its own: read-only, small, and full /dev/shm."""
    script = tmp_path / "load.py"
    (tmp_path / "cfg.yaml").write_text(dump_config(cfg))
    script.write_text(
        "from slowfast.config import load_config\nfrom slowfast.datasets.loader import build_loader\n"
        f"cfg = load_config({str(tmp_path / 'cfg.yaml')!r}, ['MODEL.ARCH', 'sf'])\n"
        "try:\n    for _ in build_loader(cfg, 'arid', 'test', train=False, num_workers=1): pass\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    command = f"mount -t tmpfs -o {options} tmpfs /dev/shm || exit 77; exec {shlex.quote(sys.executable)} {script}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this user has no mount namespaces")
    expected = r"InputError split 'arid' with 1 decoding processes: shared memory .*--shm-size.*DATA_LOADER.NUM_WORKERS"
    assert re.match(expected, done.stdout), done.stdout + done.stderr
