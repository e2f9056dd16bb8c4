"""Fixtures shared by all tests."""

import importlib.util
import logging
import os
import sys
from pathlib import Path

import pytest

from slowfast.utils.plugins import loaded_plugins

REPO = Path(__file__).resolve().parents[1]


def shared_folder() -> Path:
    """Return the folder of reference data ($NIGHTCRAWLER_SHARED, else ../shared beside the repository)."""
    return Path(os.environ.get("NIGHTCRAWLER_SHARED", REPO.parent / "shared"))


@pytest.fixture(autouse=True)
def log_as_before():
    """What a command makes of the package's log ends with its test."""
    log = logging.getLogger("slowfast")
    propagate, level, handlers = log.propagate, log.level, log.handlers[:]
    yield
    log.propagate, log.handlers[:] = propagate, handlers
    log.setLevel(level)


@pytest.fixture(autouse=True)
def plugins_as_before():
    """Own code that a test loads is not named in the failures of later ones."""
    before = set(loaded_plugins())
    yield
    new = set(loaded_plugins()) - before
    for name in [name for name, module in sys.modules.items() if new and getattr(module, "__file__", None) in new]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def no_interpreter_of_the_caller(monkeypatch):
    """The scripts find their interpreter themselves, whatever `$PYTHON` whoever started the tests has."""
    monkeypatch.delenv("PYTHON", raising=False)


@pytest.fixture(scope="session")
def repo() -> Path:
    """The repository root."""
    return REPO


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data; tests that need it skip where it is absent."""
    folder = shared_folder()
    if not (folder / "golden").is_dir():
        pytest.skip("reference data not found: set NIGHTCRAWLER_SHARED")
    return folder


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    """The folder of golden figures."""
    return shared / "golden"


@pytest.fixture(scope="session")
def tiny():
    """The module of the tiny runs."""
    path = Path(__file__).parent / "engine/tiny.py"
    spec = importlib.util.spec_from_file_location("tiny_runs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def server(tiny):
    """Starts runs and commands quickly, in processes that have torch loaded already."""
    server = tiny.Server()
    yield server
    server.close()
