"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


def shared_folder() -> Path:
    """Return the folder of reference data ($NIGHTCRAWLER_SHARED, else ../shared beside the repository)."""
    return Path(os.environ.get("NIGHTCRAWLER_SHARED", REPO.parent / "shared"))


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
