"""A network of a few thousand weights, and videos made on the spot."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent


def load(path: Path, name: str) -> ModuleType:
    """Import a file."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HELPERS = load(HERE / "helpers.py", "feature_helpers")


@pytest.fixture(scope="session")
def helpers() -> ModuleType:
    """The module `helpers.py`."""
    return HELPERS


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> Path:
    """Two drivers with three videos each, of 12 to 60 frames."""
    root = tmp_path_factory.mktemp("track3")
    for number, (driver, name, frames) in enumerate(
        [("user_1", "Dash_1", 60), ("user_1", "Rear_1", 41), ("user_1", "Right_1", 24),
         ("user_2", "Dashboard_2", 33), ("user_2", "rear_2", 12), ("user_2", "Right_2", 57)]
    ):  # fmt: skip
        HELPERS.write_video(root / driver / f"{name}.mp4", frames, seed=number)
    return root


@pytest.fixture(scope="session")
def finished(clips, tmp_path_factory) -> Path:
    """The features of all clips, from one undisturbed run."""
    output = tmp_path_factory.mktemp("features")
    HELPERS.extract(clips, output)
    return output


@pytest.fixture
def tool(monkeypatch):
    """Run a tool with arguments in this process; return its exit status."""

    def call(name: str, *arguments) -> int:
        module = load(HERE.parents[1] / "tools" / f"{name}.py", f"tool_{name}")
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            module.cli.run(module.main)
        return caught.value.code

    return call
