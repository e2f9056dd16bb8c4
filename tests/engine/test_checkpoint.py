"""Checkpoints: whole or not there, free of code, verified, pruned."""

import errno
import logging
import random

import numpy as np
import pytest
import torch

from slowfast.engine import checkpoint
from slowfast.engine.checkpoint import (
    CheckpointFolder,
    DamagedCheckpoint,
    load_checkpoint,
    rng_state,
    save_checkpoint,
    set_rng_state,
    state_digest,
    stored_training,
    unwrap,
    verify_checkpoint,
)
from slowfast.utils.errors import InputError


def state_of(epoch: int, iteration: int = 0) -> dict:
    """A small training state."""
    weights = {"w": torch.arange(6.0).reshape(2, 3) + epoch, "n": torch.tensor(epoch), "e": torch.zeros(0)}
    return {"model_state": weights, "epoch": epoch, "iteration": iteration, "best": {"arid": 12.5}, "cfg": "A: 1\n"}


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints", keep=2)


def flip(path, place=0.5):
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)


def test_round_trip_and_equal_bytes(tmp_path):
    save_checkpoint(tmp_path / "a.pyth", state_of(3))
    save_checkpoint(tmp_path / "b.pyth", state_of(3))
    assert (tmp_path / "a.pyth").read_bytes() == (tmp_path / "b.pyth").read_bytes()
    loaded = load_checkpoint(tmp_path / "a.pyth")
    assert state_digest(loaded) == state_digest(state_of(3)) != state_digest(state_of(4))
    assert torch.load(tmp_path / "a.pyth", weights_only=True)["epoch"] == 3


def test_every_flipped_bit_is_found_or_harmless(tmp_path):
    path = tmp_path / "a.pyth"
    save_checkpoint(path, state_of(3))
    whole, expected = path.read_bytes(), state_digest(state_of(3))
    refused = 0
    for place in np.linspace(0, 0.9999, 60):
        path.write_bytes(whole)
        flip(path, place)
        try:
            state = load_checkpoint(path)
        except DamagedCheckpoint:
            refused += 1
            continue
        state = {key: value for key, value in state.items() if key in state_of(3)}
        assert state_digest(state) == expected
    assert refused > 10


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_files_are_refused_in_words(tmp_path, share):
    path = tmp_path / "a.pyth"
    save_checkpoint(path, state_of(3))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DamagedCheckpoint, match="a.pyth"):
        load_checkpoint(path)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pyth")
    torch.save({"weights": 1}, tmp_path / "other.pyth")
    with pytest.raises(DamagedCheckpoint, match="model_state"):
        load_checkpoint(tmp_path / "other.pyth")
    (tmp_path / "text.pyth").write_text("hello")
    with pytest.raises(DamagedCheckpoint):
        load_checkpoint(tmp_path / "text.pyth")


def test_weights_of_others_are_no_training_and_not_refused_here(tmp_path):
    path = tmp_path / "a.pyth"
    for content in (
        {"w": torch.ones(2)},
        {"state_dict": {"w": torch.ones(2)}},
        [1, 2],
        {"model_state": {}, "epoch": 1},
    ):
        torch.save(content, path)
        assert stored_training(path) is None
    path.write_bytes(b"PK\x03\x04 no archive")
    assert stored_training(path) is None
    torch.save({"model_state": {}, "epoch": 4, "optimizer_state": {}, "cfg": ""}, path)
    assert stored_training(path)["epoch"] == 4


def test_a_digest_that_does_not_match_is_refused_everywhere(tmp_path):
    state = {**state_of(3), "optimizer_state": {}, "digest": "0" * 64}
    torch.save(state, tmp_path / "a.pyth")
    with pytest.raises(DamagedCheckpoint, match="digest"):
        load_checkpoint(tmp_path / "a.pyth")
    with pytest.raises(DamagedCheckpoint, match="digest"):
        verify_checkpoint(tmp_path / "a.pyth")
    verify_checkpoint(tmp_path / "none.pyth")


def test_a_state_of_this_library_without_its_digest_is_damaged(tmp_path):
    state = {**state_of(3), "optimizer_state": {}, "metrics_position": 0, "digesu": "0" * 64}
    torch.save(state, tmp_path / "a.pyth")
    with pytest.raises(DamagedCheckpoint, match="digest"):
        load_checkpoint(tmp_path / "a.pyth")
    with pytest.raises(DamagedCheckpoint, match="digest"):
        verify_checkpoint(tmp_path / "a.pyth")


def test_a_file_that_cannot_be_reached_is_not_called_damaged(tmp_path):
    (tmp_path / "a.pyth").mkdir()
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path / "a.pyth")
    assert not isinstance(caught.value, DamagedCheckpoint) and "cannot be read" in str(caught.value)


def test_the_writer_of_torch_means_a_full_disk(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "a.pyth", state_of(1))
    before = (tmp_path / "a.pyth").read_bytes()

    def fail(state, handle):
        handle.write(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:659] . unexpected pos 128 vs 22")

    monkeypatch.setattr(checkpoint.torch, "save", fail)
    with pytest.raises(OSError, match="space") as caught:
        save_checkpoint(tmp_path / "a.pyth", state_of(2))
    assert caught.value.errno == errno.ENOSPC and str(tmp_path) in caught.value.filename
    assert (tmp_path / "a.pyth").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.pyth"]


def test_old_ones_are_pruned_and_the_last_is_found(folder):
    for epoch in range(4):
        folder.save_epoch(state_of(epoch), epoch, latest=False)
    assert [path.name[-7:] for path in folder.numbered()] == ["03.pyth", "04.pyth"]
    assert load_checkpoint(folder.find_last())["epoch"] == 3
    folder.clear()
    assert folder.find_last() is None and not list(folder.folder.iterdir())


def test_keep_zero_keeps_all(tmp_path):
    folder = CheckpointFolder(tmp_path)
    for epoch in range(5):
        folder.save_epoch(state_of(epoch), epoch, latest=True)
    assert len(folder.numbered()) == 5
    assert load_checkpoint(tmp_path / "checkpoint_latest.pyth")["epoch"] == 4


def test_the_furthest_one_wins(folder):
    folder.save_epoch(state_of(0), 0, latest=False)
    folder.save_partial(state_of(0, iteration=2))
    assert folder.find_last().name == "checkpoint_partial.pyth"
    partial = (folder.folder / "checkpoint_partial.pyth").read_bytes()
    folder.save_epoch(state_of(1), 1, latest=False)
    assert not (folder.folder / "checkpoint_partial.pyth").exists()
    (folder.folder / "checkpoint_partial.pyth").write_bytes(partial)
    assert folder.find_last().name == "checkpoint_epoch_00002.pyth"


def test_damaged_ones_are_named_and_passed_over(folder, caplog):
    for epoch in range(2):
        folder.save_epoch(state_of(epoch), epoch, latest=False)
    folder.save_partial(state_of(1, iteration=1))
    for path in (folder.folder / "checkpoint_partial.pyth", folder.numbered()[-1]):
        path.write_bytes(path.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING, logger="slowfast"):
        logging.getLogger("slowfast").propagate = True
        assert folder.find_last().name == "checkpoint_epoch_00001.pyth"
    assert "checkpoint_epoch_00002.pyth" in caplog.text and "checkpoint_partial.pyth" in caplog.text
    # A damaged one of a later epoch must not push a new one of an earlier epoch out.
    folder.keep = 1
    folder.save_epoch(state_of(1), 1, latest=False)
    assert [path.name for path in folder.numbered()] == ["checkpoint_epoch_00002.pyth"]
    assert load_checkpoint(folder.find_last())["epoch"] == 1


def test_all_damaged_is_none(folder):
    folder.save_epoch(state_of(0), 0, latest=True)
    (folder.folder / "checkpoint_latest.pyth").write_bytes(b"PK\x03\x04 damaged")
    folder.numbered()[0].write_bytes(b"")
    assert folder.find_last() is None


def test_random_generators_go_on(tmp_path):
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    random.random(), np.random.standard_normal(), torch.rand(1)
    save_checkpoint(tmp_path / "a.pyth", {"model_state": {}, "rng": rng_state()})
    expected = [random.random(), np.random.standard_normal(), torch.rand(3).tolist()]
    random.seed(9), np.random.seed(9), torch.manual_seed(9)
    set_rng_state(load_checkpoint(tmp_path / "a.pyth")["rng"])
    assert [random.random(), np.random.standard_normal(), torch.rand(3).tolist()] == expected


def test_unwrap_finds_the_network():
    inner = torch.nn.Linear(2, 2)
    assert unwrap(torch.nn.DataParallel(inner)) is inner and unwrap(inner) is inner
