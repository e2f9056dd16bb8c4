"""Files appear whole or not at all."""

import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

from slowfast.utils.files import (
    aside_prefix,
    atomic_write,
    fitting_name,
    printable,
    remove_leftovers,
    sha256_of,
    write_json,
    write_text,
)


def test_appears_whole_in_a_new_folder(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with atomic_write(path) as aside:
        aside.write_text("one")
        assert not path.exists() and aside.parent == path.parent
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_failure_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_os_error_names_a_file(tmp_path):
    with pytest.raises(OSError) as caught, atomic_write(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_text_keeps_line_ends_and_letters(tmp_path):
    write_text(tmp_path / "a.csv", "é,1\r\nb,2\n")
    assert (tmp_path / "a.csv").read_bytes() == "é,1\r\nb,2\n".encode()


def test_json_round_trip_and_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2.5, "é"]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"b": [1, 2.5, "é"]}
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"b": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["b"] == [1, 2.5, "é"]


def test_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 1000).hexdigest()


def test_leftovers_of_killed_processes_go_and_nothing_else(tmp_path):
    for name in (".best.pyth.123.tmp", ".lock", "a.tmp", ".hidden", "best.pyth"):
        (tmp_path / name).write_text("x")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", ".lock", "a.tmp", "best.pyth"]
    remove_leftovers(tmp_path / "none")


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "n" * 240 + ".npz", os.fsdecode(b"\xff" * 250)])
def test_the_longest_names_are_written(tmp_path, name):
    write_text(tmp_path / name, "x")
    with pytest.raises(ValueError), atomic_write(tmp_path / name) as aside:
        aside.write_text("half")
        assert re.fullmatch(rf"{re.escape(aside_prefix(tmp_path / name))}{os.getpid()}\.tmp", aside.name)
        assert len(os.fsencode(aside.name)) <= 255 and aside.name != name
        raise ValueError
    assert os.listdir(tmp_path) == [name] and (tmp_path / name).read_text() == "x"
    assert aside_prefix(tmp_path / name) != aside_prefix(tmp_path / ("o" + name[1:]))


def test_names_are_cut_to_what_fits():
    assert fitting_name("clip", ".npz") == "clip.npz" and fitting_name("n" * 251, ".npz") == "n" * 251 + ".npz"
    for stem in ("n" * 252, "ü" * 126, os.fsdecode(b"\xff" * 252)):
        cut = fitting_name(stem, ".npz")
        assert len(os.fsencode(cut)) <= 255 and cut.endswith(".npz") and cut == fitting_name(stem, ".npz")
        assert cut != fitting_name(stem[:-1] + "x", ".npz")
    assert printable(os.fsdecode(b"no\xe9 \xc3\xbc")) == "no\\xe9 ü"


def test_what_killed_processes_left_of_a_file_goes_when_it_is_written_again(tmp_path):
    """Each file by itself: another one's, and that of a process that still writes, stay."""
    script = (
        "import sys, time; from slowfast.utils.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as aside:\n    aside.write_text('half'); print('there', flush=True)\n"
        "    time.sleep(60)"
    )
    writers = {}
    for name in ("killed.csv", "alive.csv"):
        command = [sys.executable, "-c", script, tmp_path / name]
        writers[name] = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ)
        assert writers[name].stdout.readline()
    writers["killed.csv"].kill()
    writers["killed.csv"].wait()
    (tmp_path / ".killed.csv.old.7.tmp").write_text("of another file")
    assert len(list(tmp_path.iterdir())) == 3
    for name in writers:
        write_text(tmp_path / name, "whole")
    alive = f".alive.csv.{writers['alive.csv'].pid}.tmp"
    writers["alive.csv"].kill()
    writers["alive.csv"].wait()
    assert {path.name for path in tmp_path.iterdir()} == {"killed.csv", "alive.csv", ".killed.csv.old.7.tmp", alive}


def test_links_and_pipes_with_such_names_are_not_touched(tmp_path):
    os.mkfifo(tmp_path / ".a.csv.7.tmp")
    (tmp_path / ".a.csv.8.tmp").symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_text("x")
    write_text(tmp_path / "a.csv", "whole")
    assert len(list(tmp_path.iterdir())) == 4 and (tmp_path / "precious").read_text() == "x"
