"""One door to the decoders: names from other systems, and imports that go one way."""

import ast
import graphlib
import os
import unicodedata
from pathlib import Path

import pytest

from slowfast.lists.names import find_file
from slowfast.video import BACKENDS, VideoError, open_video
from slowfast.video.stream import StreamedVideo

NFC, NFD = (unicodedata.normalize(form, "Café ü.mp4") for form in ("NFC", "NFD"))


@pytest.fixture
def folder(making, tmp_path) -> Path:
    (tmp_path / NFD[:5]).mkdir()
    making.write(tmp_path / NFD[:5] / NFD, making.noise(2))
    return tmp_path


@pytest.mark.parametrize("name", [f"{NFC[:4]}/{NFC}", f"{NFD[:5]}/{NFC}", f"{NFC[:4]}\\{NFD}", rf"{NFC[:4]}\.\{NFC}"])
def test_names_as_other_systems_spell_them(folder, monkeypatch, name):
    monkeypatch.chdir(folder)
    for path in (folder / name, name):
        assert len(open_video(path)) == 2
        assert os.path.samefile(find_file(path), folder / NFD[:5] / NFD)
    assert len(list(StreamedVideo(folder / name).frames())) == 2


def test_names_as_they_are_come_first(making, tmp_path):
    for name, count in ((NFC, 1), (NFD, 2), ("a\\b.mp4", 3), ("~.mp4", 4), ("~nobody.mp4", 4), ("x" * 251 + ".mp4", 4)):
        making.write(tmp_path / name, making.noise(count, 32, 32))
        assert len(open_video(tmp_path / name)) == count, name
    name = os.fsdecode(b"no\xe9.mp4")
    os.rename(tmp_path / NFC, tmp_path / name)
    assert len(open_video(tmp_path / name)) == 1
    for missing in ("none.mp4", "none\\a.mp4", "..\\..\\none.mp4", "a\0b", "\\", ""):
        with pytest.raises(VideoError, match="does not exist|cannot be reached|this is a folder"):
            open_video(tmp_path / "none" / missing if missing else "")


def test_the_imports_of_the_room_have_no_circle(repo):
    """Also not inside functions; the package itself, which gathers names, stands above its files."""
    files = {path.stem: path for path in (repo / "slowfast/video").glob("*.py")}
    graph = {name: set() for name in files}
    for name, path in files.items():
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        modules = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        inside = [module for module in modules if f"{module}.".startswith("slowfast.video.")]
        graph[name] |= {module.removeprefix("slowfast.video").lstrip(".") or "__init__" for module in inside}
    graphlib.TopologicalSorter(graph).prepare()
    assert {"decord", "pyav", "torchcodec"} <= graph["opening"] and graph["reader"] == set()
    assert BACKENDS == ("pyav", "decord", "torchcodec")
