"""Log lines on the terminal and in stdout.log."""

import logging

import pytest

from slowfast.utils.logging import get_logger, setup_logging


@pytest.fixture(autouse=True)
def restore():
    """Give the package's logger back as it was."""
    root = logging.getLogger("slowfast")
    before = (list(root.handlers), root.propagate, root.level)
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.propagate = before[0], before[1]
    root.setLevel(before[2])


def test_lines_go_to_terminal_and_file_and_append(tmp_path, capsys):
    for text in ("first", "second"):
        setup_logging(tmp_path / "out")
        get_logger("engine.test").info(text)
    assert capsys.readouterr().err.count("first") == 1
    lines = (tmp_path / "out" / "stdout.log").read_text().splitlines()
    assert [line.rsplit("] ", 1)[1] for line in lines] == ["first", "second"]


def test_other_processes_warn_only_and_write_no_file(tmp_path, capsys):
    setup_logging(tmp_path / "out", main_process=False)
    get_logger("slowfast.x").info("quiet")
    get_logger("slowfast.x").warning("loud")
    text = capsys.readouterr().err
    assert "loud" in text and "quiet" not in text
    assert not (tmp_path / "out").exists()


def test_codes_in_names_are_spelled_out_and_any_bytes_are_written(tmp_path, capsys):
    setup_logging(tmp_path)
    get_logger("test").warning("%s cannot be read", "a\x1b[2Jb\udcff")
    assert "WARNING] a\\x1b[2Jb\\udcff cannot be read\n" in (tmp_path / "stdout.log").read_text(encoding="utf-8")
    assert "\x1b" not in capsys.readouterr().err
