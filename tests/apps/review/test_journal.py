"""Decisions survive kills, halves of lines and several writers."""

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from slowfast.apps.review.journal import Decision, Journal
from slowfast.utils.errors import InputError


def names_of(journal: Journal) -> dict[str, tuple[str, int]]:
    return {key: (one.decision, one.label) for key, one in journal.decided.items()}


def test_the_last_decision_wins_and_undo_brings_the_one_before(tmp_path):
    journal = Journal(tmp_path / "t.review.jsonl")
    journal.append(Decision("a.mp4", "confirm", 1, 1))
    journal.append(Decision("./a.mp4", "correct", 2, 1))
    assert names_of(journal) == {"a.mp4": ("correct", 2)}
    journal.append(Decision("a.mp4", "undo"))
    assert names_of(journal) == {"a.mp4": ("confirm", 1)}
    journal.append(Decision("a.mp4", "undo"))
    journal.append(Decision("a.mp4", "undo"))
    assert names_of(journal) == {} == names_of(Journal(journal.path))


def test_two_writers_see_each_other(tmp_path):
    one, two = Journal(tmp_path / "j.jsonl"), Journal(tmp_path / "j.jsonl")
    one.append(Decision("a", "confirm", 0, 0))
    two.append(Decision("b", "reject"))
    assert names_of(two) == {"a": ("confirm", 0), "b": ("reject", -1)}
    one.refresh()
    assert names_of(one) == names_of(two)


def test_decisions_are_put_in_order_once_a_change(tmp_path):
    one, two = Journal(tmp_path / "j.jsonl"), Journal(tmp_path / "j.jsonl")
    one.append(Decision("a", "confirm", 0, 0))
    before = one.decided
    one.refresh()
    assert one.decided is before
    two.append(Decision("b", "reject"))
    one.refresh()
    assert list(one.decided) == ["a", "b"]
    one.path.write_bytes(b"")
    one.refresh()
    assert one.decided == {}


def test_a_line_cut_off_costs_that_line_only(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    journal.append(Decision("a", "confirm", 0, 0))
    with open(journal.path, "ab") as handle:
        handle.write(b'{"name": "b", "deci')
    again = Journal(journal.path)
    assert (list(names_of(again)), again.damaged) == (["a"], 0)  # it may still be written
    again.append(Decision("c", "reject"))
    fresh = Journal(journal.path)
    assert (list(names_of(fresh)), fresh.damaged) == (["a", "c"], 1) == (list(names_of(again)), again.damaged)


@pytest.mark.parametrize(
    "line",
    ["null", "[]", "7", '"text"', "{}", '{"name": "a"}', '{"name": 3, "decision": "confirm", "label": 0}',
     '{"name": "a", "decision": "praise", "label": 0}', '{"name": "a", "decision": "correct", "label": -1}',
     '{"name": "a", "decision": "confirm", "label": true}', "[" * 100_000, '{"name": "", "decision": "reject"}'],
)  # fmt: skip
def test_lines_that_are_no_decision_are_counted(tmp_path, line):
    path = tmp_path / "j.jsonl"
    path.write_text(f'{line}\n{{"name": "b", "decision": "reject", "extra": 1}}\n')
    journal = Journal(path)
    assert (list(names_of(journal)), journal.damaged) == (["b"], 1)


def test_a_writer_waits_for_another(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    with open(journal.path, "ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        writer = threading.Thread(target=journal.append, args=(Decision("a", "reject"),), daemon=True)
        writer.start()
        writer.join(0.3)
        assert writer.is_alive() and not journal.path.stat().st_size
    writer.join(10)
    assert list(names_of(journal)) == ["a"]


def test_another_journal_in_its_place_is_read_anew(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    for name in "abc":
        journal.append(Decision(name, "reject"))
    journal.path.write_text(json.dumps({"name": "z", "decision": "reject"}) + "\n")
    journal.refresh()
    assert list(names_of(journal)) == ["z"]


def test_a_decision_that_cannot_be_saved_is_refused(tmp_path):
    journal = Journal(tmp_path / "no" / "j.jsonl")
    with pytest.raises(InputError, match="not saved"):
        journal.append(Decision("a", "reject"))
    assert names_of(journal) == {}


WRITER = """
import sys
from pathlib import Path
from slowfast.apps.review.journal import Decision, Journal
journal = Journal(Path(sys.argv[1]))
for index in range(100000):
    journal.append(Decision(f"{sys.argv[2]}-{index}", "confirm", 0, 0))
    print(index, flush=True)
"""


def kill_writers(path, repo, rounds: int) -> None:
    """Kill two writers of one journal at random moments; every acknowledged decision must be there."""
    acknowledged = set()
    for turn in range(rounds):
        command = [sys.executable, "-c", WRITER, str(path)]
        environment = {**os.environ, "PYTHONPATH": str(repo)}
        writers = {
            name: subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True, env=environment)
            for name in (f"a{turn}", f"b{turn}")
        }
        for writer in writers.values():
            writer.stdout.readline()
        time.sleep(random.Random(turn).random() * 0.05)
        for name, writer in writers.items():
            writer.send_signal(signal.SIGKILL)
            rest = writer.stdout.read().split("\n")[:-1]
            acknowledged |= {f"{name}-0"} | {f"{name}-{line}" for line in rest if line.isdecimal()}
            writer.wait()
    journal = Journal(path)
    assert acknowledged <= set(journal.decided) and len(acknowledged) > 2 * rounds
    assert journal.damaged <= 2 * rounds


def test_kills_lose_nothing(tmp_path, repo):
    kill_writers(tmp_path / "j.jsonl", repo, 2)


@pytest.mark.slow
def test_fifty_times_two_kills_lose_nothing(tmp_path, repo):
    kill_writers(tmp_path / "j.jsonl", repo, 50)
