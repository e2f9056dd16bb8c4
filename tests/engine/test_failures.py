"""What goes wrong around a run ends in one sentence, and the next call goes on: disk, memory, a second run, NaN."""

import os
import shutil
import subprocess
import time

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.engine.preflight import check_inputs, explain_memory
from slowfast.utils.errors import InputError, MemoryLimitError

TRAIN = ("TEST.ENABLE", "False")


def complaint(log: str) -> str:
    """The one sentence of a run that ended badly."""
    assert "Traceback" not in log, log
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, log
    return errors[0]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MiB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this user cannot mount a file system")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("left", [100_000, 0])
def test_a_full_disk(left, small_disk, run, tiny, tmp_path):
    output = small_disk / "run"
    opts = (*TRAIN, "OUTPUT_DIR", str(output))
    assert run("calm", *TRAIN) == 0
    assert run("full", *opts, fault="kill@step:4") == -9
    before = {path.name: path.read_bytes() for path in output.rglob("*.pyth")}
    assert before.keys() == {"checkpoint_epoch_00001.pyth", "best.pyth"}
    with open(small_disk / "filler", "wb") as filler:
        free = os.statvfs(small_disk).f_bavail * 4096
        filler.write(bytes(free - left))
    assert run("full", *opts) == 1
    assert "no space left" in complaint(run.log("full")) and str(output) in complaint(run.log("full"))
    assert {path.name: path.read_bytes() for path in output.rglob("*.pyth")} == before
    assert not list(output.rglob(".*.tmp"))
    (small_disk / "filler").unlink()
    assert run("full", *opts) == 0
    assert tiny.results(output) == tiny.results(tmp_path / "calm")


@pytest.mark.parametrize("fault", ["memory@step:2", "numpy@bn:1", "cuda@step:2"])
def test_too_little_memory_in_training(fault, run):
    assert run("out", *TRAIN, fault=fault) == 2
    text = complaint(run.log("out"))
    assert "out of memory in training" in text and "TRAIN.BATCH_SIZE (now 4)" in text
    assert "raise TRAIN.ACCUMULATE (now 1)" in text
    assert "MODEL.USE_CHECKPOINT (now False) True" in text and "TEST.BATCH_SIZE (now 4)" in text


def test_too_little_memory_in_testing(run):
    assert run("out", *TRAIN, "SOLVER.MAX_EPOCH", "1") == 0
    assert run("out", "SOLVER.MAX_EPOCH", "1", fault="memory@eval:2") == 2
    assert "out of memory in testing" in complaint(run.log("out"))
    assert "TEST.BATCH_SIZE (now 4)" in complaint(run.log("out"))
    assert "ADAPT.BATCH_SIZE (now 16)" in complaint(run.log("out"))


def test_other_errors_are_not_called_lack_of_memory():
    with pytest.raises(RuntimeError, match="shape"), explain_memory(get_cfg(), "training"):
        raise RuntimeError("shape mismatch")
    with pytest.raises(MemoryLimitError, match="NUM_ENSEMBLE_VIEWS"), explain_memory(get_cfg(), "testing"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")


@pytest.mark.parametrize("key", ["DATA.TRAIN_CROP_SIZE", "DATA.TEST_CROP_SIZE"])
def test_clips_too_small_for_the_network(key, run):
    assert run("out", *TRAIN, key, "7") == 2
    assert f"{key} (now 7)" in complaint(run.log("out"))


def test_a_batch_of_one_clip_has_no_statistics(run):
    """The network's own BatchNorm behind the pooling; no advice of another check leads here without a word."""
    one = ("TRAIN.BATCH_SIZE", "1", "AUG.NUM_SAMPLE", "1", "MIXUP.ENABLE", "False", "MODEL.LOSS_FUNC", "cross_entropy")
    mvit = ("MODEL.ARCH", "mvit", "MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.PATCH_STRIDE", "[2, 8, 8]")
    assert run("out", *TRAIN, *one, *mvit, "MVIT.POOL_KV_STRIDE_ADAPTIVE", "[1, 2, 2]", "MVIT.NECK_BN", "True") == 2
    text = complaint(run.log("out"))
    assert "TRAIN.BATCH_SIZE (now 1)" in text and "set MVIT.NECK_BN False" in text


def test_tables_without_the_probabilities_that_the_loss_needs(run):
    assert run("out", *TRAIN, "DATA.PSEUDO_CSV", "train.csv", "MODEL.PSEUDO_LOSS_FUNC", "kl") == 2
    assert "train.csv: 12 rows (the first is row 1) have no probabilities" in complaint(run.log("out"))


def test_compiled_checkpoints_in_an_old_torch(tmp_path, monkeypatch):
    cfg = get_cfg()
    cfg.TRAIN.COMPILE = cfg.MODEL.USE_CHECKPOINT = True
    for oldest, refused in (((99, 1), True), ((2, 0), False)):
        monkeypatch.setattr("slowfast.engine.preflight.COMPILED_CHECKPOINTS", oldest)
        with pytest.raises(InputError) as error:  # the lists are absent in any case
            check_inputs(cfg, tmp_path)
        assert ("both on" in str(error.value)) is refused
        assert ("install torch 99.1 or newer" in str(error.value)) is refused


def test_two_runs_in_one_folder(server, data, run, tmp_path):
    argv = ["OUTPUT_DIR", tmp_path / "out", "DATA.PATH_PREFIX", data, *TRAIN, "SOLVER.MAX_EPOCH", "200"]
    first = server.start(tmp_path / "first.log", argv)
    end = time.monotonic() + 100
    while not (tmp_path / "out/metrics.jsonl").exists():
        assert time.monotonic() < end, (tmp_path / "first.log").read_text()
        time.sleep(0.05)
    assert run("out", *TRAIN) == 2
    text = complaint(run.log("out"))
    assert "is in use by another run" in text and f"process {first}" in text and os.uname().nodename in text
    os.kill(first, 9)
    assert server.wait(first) == -9
    assert run("out", *TRAIN, "TRAIN.AUTO_RESUME", "False") == 0


def test_a_loss_that_is_not_finite_names_the_clips(run, tmp_path):
    assert run("stop", *TRAIN, fault="nan@batch:2") == 2
    assert "loss is nan on the clips train" in complaint(run.log("stop"))
    assert run("skip", *TRAIN, "TRAIN.ON_NAN", "skip", fault="nan@batch:2") == 0
    assert "skipped a step: the loss is nan on the clips train" in run.log("skip")
    state = torch.load(tmp_path / "skip/best.pyth", weights_only=True)["model_state"]
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_damaged_weights_are_not_tested(run, tmp_path):
    assert run("out", "SOLVER.MAX_EPOCH", "1") == 0
    best = tmp_path / "out/best.pyth"
    content = bytearray(best.read_bytes())
    weight = torch.load(best, weights_only=True)["model_state"]["head.weight"]
    content[content.index(weight.numpy().tobytes())] ^= 8
    best.write_bytes(content)
    assert run("out", "SOLVER.MAX_EPOCH", "1", "TRAIN.ENABLE", "False") == 2
    assert "best.pyth: damaged" in complaint(run.log("out"))
    assert run("next", *TRAIN, "TRAIN.CHECKPOINT_FILE_PATH", str(best)) == 2
    assert "best.pyth: damaged" in complaint(run.log("next"))


def test_lost_best_weights_are_told_before_training_goes_on(run, tmp_path):
    assert run("out", *TRAIN, fault="kill@step:5") == -9
    best = tmp_path / "out/best.pyth"
    best.write_bytes(best.read_bytes()[:1000])
    assert run("out", *TRAIN) == 2
    assert "the weights of the best epoch are lost; delete" in complaint(run.log("out"))
    best.unlink()
    assert run("out", *TRAIN) == 0
    assert "the best of the epochs to come" in run.log("out") and best.exists()


def test_best_weights_of_other_settings_are_not_replaced(run, tmp_path):
    assert run("out", *TRAIN, "SOLVER.MAX_EPOCH", "1") == 0
    shutil.rmtree(tmp_path / "out/checkpoints")
    before = (tmp_path / "out/best.pyth").read_bytes()
    assert run("out", *TRAIN, "SOLVER.MAX_EPOCH", "1", "SOLVER.BASE_LR", "0.5") == 2
    assert "other settings or inputs (SOLVER.BASE_LR 0.001 and 0.5)" in complaint(run.log("out"))
    assert (tmp_path / "out/best.pyth").read_bytes() == before


def test_going_on_from_a_state_of_another_folder_takes_no_scores_along(run, tmp_path):
    assert run("first", *TRAIN, "SOLVER.MAX_EPOCH", "1") == 0
    path = tmp_path / "first/checkpoints/checkpoint_epoch_00001.pyth"
    keep = ("TRAIN.CHECKPOINT_FILE_PATH", str(path), "TRAIN.CHECKPOINT_KEEP_EPOCH", "True")
    assert run("second", *TRAIN, *keep) == 0, run.log("second")
    lines = (tmp_path / "second/metrics.jsonl").read_text().splitlines()
    assert all('"epoch": 2' in line for line in lines) and (tmp_path / "second/best.pyth").exists()
    other = ("UNIFORMER.EMBED_DIM", "[8, 8, 8, 8]")
    assert run("third", *TRAIN, *keep, *other) == 2
    assert "CHECKPOINT_KEEP_EPOCH" in complaint(run.log("third"))
