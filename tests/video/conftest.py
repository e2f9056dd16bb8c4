"""Small clips made on the spot."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def making() -> ModuleType:
    """The module `making.py`."""
    spec = importlib.util.spec_from_file_location("video_making", Path(__file__).with_name("making.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
