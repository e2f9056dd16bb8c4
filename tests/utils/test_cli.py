"""Exit codes: 0, 1 internal, 2 bad input, 75 preempted, 130 interrupted."""

import argparse
import errno
import importlib
import os
import subprocess
import sys

import pytest

from slowfast.utils import cli
from slowfast.utils.errors import ConfigError, InputError, LockedError
from slowfast.utils.files import write_text


def status_of(main) -> int:
    """Return the exit status of a tool with this main."""
    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    return caught.value.code


def raiser(error):
    def main():
        raise error

    return main


def test_success_and_own_status():
    assert status_of(lambda: None) == 0
    assert status_of(lambda: 2) == 2


@pytest.mark.parametrize("kind", [InputError, ConfigError, LockedError])
def test_bad_input_is_one_sentence_without_traceback(kind, capsys):
    assert status_of(raiser(kind("list.csv, row 3: no label; add one"))) == 2
    assert capsys.readouterr().err == "error: list.csv, row 3: no label; add one\n"


def test_internal_failure_shows_where(capsys):
    assert status_of(raiser(ValueError("broken"))) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text and text.endswith("internal error: ValueError: broken\n")


def test_a_package_that_is_missing_is_named(capsys):
    assert status_of(lambda: importlib.import_module("fvcore_that_is_nowhere.common")) == 2
    text = capsys.readouterr().err
    assert text.startswith("error: the module fvcore_that_is_nowhere is not installed; ") and "pip install -e ." in text
    assert status_of(lambda: importlib.import_module("slowfast.nowhere")) == 1


def test_full_disk_says_what_to_do(capsys):
    error = OSError(errno.ENOSPC, "No space left on device", "out/best.pyth")
    assert status_of(raiser(error)) == 1
    text = capsys.readouterr().err
    assert "Traceback" not in text and "out/best.pyth" in text and "it resumes" in text


@pytest.mark.parametrize("place", ["file/below/out.csv", "folder", "x" * 300])
def test_impossible_place_is_one_sentence(place, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    assert status_of(lambda: write_text(tmp_path / place, "text")) == 2
    text = capsys.readouterr().err
    assert "Traceback" not in text and len(text.splitlines()) == 1
    assert text.startswith(f"error: {tmp_path}") and text.endswith("; check the path and its permissions\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_stops(capsys):
    assert status_of(raiser(cli.Preempted("saved at epoch 3"))) == 75
    assert capsys.readouterr().err == "stopped: saved at epoch 3\n"
    assert status_of(raiser(KeyboardInterrupt())) == 130


def test_help_ends_with_the_example(capsys):
    parser = cli.make_parser("Do a thing.", "python tools/thing.py --list a.csv")
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.rstrip().endswith("example:\n  python tools/thing.py --list a.csv")


def test_wrong_usage_is_status_2(capsys):
    parser = cli.make_parser("Do a thing.", "python tools/thing.py")
    assert status_of(lambda: parser.parse_args(["--none"])) == 2


def test_numbers_above_zero():
    assert cli.at_least_one("12") == 12
    for text in ("0", "-1", "1.5", "", "many"):
        with pytest.raises(argparse.ArgumentTypeError, match="above 0"):
            cli.at_least_one(text)


def test_any_name_can_be_printed():
    script = "from slowfast.utils import cli; cli.run(lambda: print('\\udcff \xfc'))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stdout.strip()) == (0, b"\\udcff \\xfc")


def test_terminal_codes_in_names_are_spelled_out():
    """They would clear the screen, colour it, or show another name than the file has."""
    name = "a\x1b[31m\rb\x9b2J\u202ecod.mp4\tc"
    script = f"from slowfast.utils import cli, errors\ndef main():\n    print({name!r})\n    raise errors.InputError"
    script += f"({name!r})\ncli.run(main)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=os.environ, encoding="utf-8")
    shown = "a\\x1b[31m\\rb\\x9b2J\\u202ecod.mp4\tc\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, shown, f"error: {shown}")
