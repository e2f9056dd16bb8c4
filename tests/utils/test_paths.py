"""Paths: configurations from the repository root, arguments from the current directory first."""

from pathlib import Path

from slowfast.utils.paths import REPO_ROOT, argument_path, output_path, repo_path


def test_root_is_the_repository(repo):
    assert repo.resolve() == REPO_ROOT


def test_configured_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert repo_path("data/a.csv") == REPO_ROOT / "data" / "a.csv"
    assert repo_path("./data") == REPO_ROOT / "data"
    assert repo_path(tmp_path) == tmp_path
    assert repo_path("~/x") == Path.home() / "x"


def test_argument_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setup.py").write_text("")
    assert argument_path("setup.py") == tmp_path / "setup.py"
    assert argument_path("pyproject.toml") == REPO_ROOT / "pyproject.toml"
    assert argument_path(tmp_path / "none") == tmp_path / "none"


def test_names_that_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert argument_path("~/x") == output_path("~/x") == Path.home() / "x"
    assert output_path("~nobody such.mp4") == tmp_path / "~nobody such.mp4"
    for name in ("~", "~root", "~nobody such.mp4"):
        (tmp_path / name).write_text("x")
        assert argument_path(name) == output_path(name) == tmp_path / name
