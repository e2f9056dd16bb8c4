"""Empty files with the names of clips, the small exports beside, and a writer of text files."""

from pathlib import Path

import pytest

from slowfast.apps.formats.clip import Options
from slowfast.apps.formats.kinds import read_export


@pytest.fixture
def samples() -> Path:
    """Small exports: made by the tools that their tests name, with invented names."""
    return Path(__file__).parent / "samples"


@pytest.fixture
def videos(tmp_path) -> Path:
    """Four clips, nothing inside."""
    folder = tmp_path / "clips"
    for name in ("walk/a.mp4", "walk/night walk 01.mp4", "wave/c.mp4", "wave/d.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def put(tmp_path):
    """Writes a text file below a temporary folder."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def read():
    """Reads an export: read(kind, source, **options)."""
    return lambda kind, source, **options: read_export(kind, source, Options(**options))
