from pathlib import Path

"""One run per output folder."""

import fcntl
import logging
import multiprocessing
import os
import time

import pytest

from slowfast.utils.errors import InputError, LockedError
from slowfast.utils.lock import folder_lock


def test_second_run_is_refused_and_told_who_holds_it(tmp_path):
    with folder_lock(tmp_path / "out"), pytest.raises(LockedError) as caught, folder_lock(tmp_path / "out"):
        pass
    assert str(tmp_path / "out") in str(caught.value) and f"process {os.getpid()}" in str(caught.value)


def test_free_again_afterwards_also_after_a_failure(tmp_path):
    with pytest.raises(RuntimeError), folder_lock(tmp_path):
        raise RuntimeError
    with folder_lock(tmp_path):
        pass


def _hold_and_fork(folder, ready):
    """Hold the lock, start a process that outlives this one, and die without a word."""
    context = folder_lock(folder)
    context.__enter__()
    if os.fork() == 0:
        ready.set()
        time.sleep(60)
        os._exit(0)
    time.sleep(60)


def test_free_as_soon_as_its_process_is_killed_though_a_child_lives_on(tmp_path):
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    holder = fork.Process(target=_hold_and_fork, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(20)
    children = [int(pid) for pid in Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()]
    try:
        with pytest.raises(LockedError, match=f"process {holder.pid}"), folder_lock(tmp_path):
            pass
        holder.kill()
        holder.join()
        with folder_lock(tmp_path):
            pass
    finally:
        for pid in children:
            os.kill(pid, 9)


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", fail)
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    with folder_lock(tmp_path):
        pass
    assert "cannot be locked" in caplog.text


def test_a_folder_that_cannot_be_made_is_one_sentence():
    with pytest.raises(InputError, match="/proc/none/out: this folder cannot be made"), folder_lock("/proc/none/out"):
        pass


@pytest.mark.parametrize("name", [".lock", "stdout.log", "metrics.jsonl", "checkpoints", "tensorboard"])
@pytest.mark.parametrize("dangling", [False, True])
def test_links_where_a_run_writes_are_refused_by_name(name, dangling, tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    if not dangling and name in ("checkpoints", "tensorboard"):
        outside.mkdir()
    elif not dangling:
        outside.write_text("mine")
    (run / name).symlink_to(outside)
    with pytest.raises(InputError, match=rf"{name}: a link"), folder_lock(run):
        pass
    assert not outside.is_file() or outside.read_text() == "mine"
    assert outside.exists() is not dangling


def test_a_copy_made_of_hard_links_writes_into_its_own_files(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    for folder in (run, outside):
        folder.mkdir()
    for name in ("stdout.log", "metrics.jsonl"):
        (outside / name).write_text("mine\n")
        os.link(outside / name, run / name)
    with folder_lock(run), open(run / "stdout.log", "a") as log:
        log.write("more\n")
    assert (run / "stdout.log").read_text() == "mine\nmore\n" and (run / "metrics.jsonl").read_text() == "mine\n"
    assert (outside / "stdout.log").read_text() == "mine\n"
    (outside / ".lock").write_text("mine")
    (run / ".lock").unlink()
    os.link(outside / ".lock", run / ".lock")
    with pytest.raises(InputError, match=r"\.lock: a link"), folder_lock(run):
        pass
    assert (outside / ".lock").read_text() == "mine"


def test_a_pipe_in_place_of_the_lock_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(InputError, match="special file"), folder_lock(tmp_path):
        pass


def test_a_run_folder_that_is_a_link_itself_is_the_users_choice(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "real")
    with folder_lock(tmp_path / "run"):
        assert (tmp_path / "real/.lock").is_file()
