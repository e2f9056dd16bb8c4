"""tools/check_videos.py: every file in the table, damaged ones with their reason, and a gamma for the dark ones."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from slowfast.apps import check_videos as check
from slowfast.apps.check_videos import check_files, files_of_list, suggest_gamma, write_report
from slowfast.lists.endings import find_files
from slowfast.utils.errors import InputError
from slowfast.video.probe import VideoFacts, probe


def run(repo, *arguments, cwd=None) -> subprocess.CompletedProcess:
    command = [sys.executable, str(repo / "tools/check_videos.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_damaged_folder(repo, shared, tmp_path):
    done = run(repo, shared / "videos/broken", "--output", tmp_path / "r/table.csv", cwd="/")
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "r/table.csv", newline="") as handle:
        rows = {row["name"]: row for row in csv.DictReader(handle)}
    assert len(rows) == 21 and sum(row["readable"] == "1" for row in rows.values()) == 10
    assert "zzzz" in rows["unknown_codec.mp4"]["error"] and rows["truncated_half.avi"]["frames"] == "77"
    assert "34 damaged packets" in rows["byte_flips_many.mp4"]["problems"]
    summary = json.loads((tmp_path / "r/table.json").read_text())
    assert summary["unreadable"] == 11 and summary["read_in_part"] == 8 and summary["dark"] == 0
    assert run(repo, shared / "videos/broken", "--output", tmp_path / "x.csv", "--strict").returncode == 2


def test_wrong_arguments(repo, tmp_path):
    for source in (tmp_path, tmp_path / "none.csv"):
        done = run(repo, source)
        assert done.returncode == 2 and str(source) in done.stderr and "Traceback" not in done.stderr
    assert "example:" in run(repo, "--help").stdout


def test_list_and_its_folder(root, clips):
    names, paths = files_of_list(root / "list.csv", clips)
    assert names[0] == "clip 0.mp4" and paths[0] == clips / "clip 0.mp4"
    (root / "Test").symlink_to(clips)
    assert files_of_list(root / "pseudo.csv")[1][6] == root / "Test" / "clip 6.mp4"
    (root / "blank.csv").write_text("clip 0.mp4 3\n")
    assert files_of_list(root / "blank.csv")[0] == ["clip 0.mp4"]
    (root / "bad.csv").write_text("clip 0.mp4,3\nnonsense\n")
    with pytest.raises(InputError, match="line 2"):
        files_of_list(root / "bad.csv")


def test_search_goes_to_any_depth(tmp_path):
    for name in ("b/c/x.MKV", "a.mp4", "b/.hidden.mp4", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [str(path.relative_to(tmp_path)) for path in find_files(tmp_path)] == ["a.mp4", "b/c/x.MKV"]


def test_missing_files_are_rows(tmp_path, clips):
    facts = check_files([clips / "clip 1.mp4", tmp_path / "none.mp4"], workers=1)
    assert [fact.readable for fact in facts] == [True, False] and "does not exist" in facts[1].error
    assert write_report(tmp_path / "r.csv", ["a", "b"], facts)["readable"] == 1


def test_facts_of_a_clip(clips, shared):
    fact = probe(clips / "clip 2.mp4")
    assert (fact.readable, fact.frames, fact.width, fact.height, fact.fps, fact.seconds) == (True, 12, 64, 48, 12, 1)
    assert 70 < fact.luma < 95 and not fact.dark and sum(fact.histogram) == pytest.approx(1)
    dark = probe(shared / "videos/dark/Stand_1_9.mp4")
    assert dark.dark and dark.luma == pytest.approx(8.2, abs=1.0)


def crash(path) -> None:
    if path.name == "2":
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.name == "4":
        time.sleep(60)
    return VideoFacts(str(path), readable=True)


def test_crashes_and_hangs_are_errors_of_their_file(monkeypatch, tmp_path):
    monkeypatch.setattr(check, "probe", lambda path, backend, timeout: crash(path))
    facts = check_files([tmp_path / str(number) for number in range(7)], workers=2, timeout=1.0)
    assert [fact.readable for fact in facts] == [True, True, False, True, False, True, True]
    assert "SIGSEGV" in facts[2].error and "longer than 1 s" in facts[4].error


def test_suggested_gamma(shared):
    paths = sorted((shared / "realset_dark/videos").glob("00*.mp4"))
    assert suggest_gamma([probe(path) for path in paths]) == pytest.approx(0.25, abs=0.101)

    def flat(level: int) -> VideoFacts:
        shares = tuple(float(grey == level) for grey in range(256))
        return VideoFacts("", readable=True, luma=level, histogram=shares)

    assert suggest_gamma([flat(115)]) == 1.0 and suggest_gamma([]) == 1.0
    assert suggest_gamma([flat(52)]) == 0.5, "255 * (52 / 255) ** 0.5 is 115"
    assert suggest_gamma([flat(0)]) <= 1.0


def test_links_that_lead_back_end(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for name in ("a/x.mp4", "other/y.mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a")
    (tmp_path / "a/side").symlink_to(tmp_path / "other")
    assert [str(path.relative_to(tmp_path)) for path in find_files(tmp_path / "a")] == [
        "a/b/up/other/y.mp4", "a/side/y.mp4", "a/x.mp4"
    ]  # fmt: skip


def test_the_timeout_reaches_the_decoder(shared):
    facts = check_files([shared / "videos/armwrestle_340x256.mp4"], workers=1, timeout=0.001)
    assert not facts[0].readable and "longer than" in facts[0].error


def test_any_file_name_is_reported(repo, clips, tmp_path):
    (tmp_path / "in").mkdir()
    for name in (b"\xff\xfe.mp4", "ü 😀.mp4".encode(), b"a\nb.mp4", b'comma,"quote".mp4'):
        os.symlink(clips / "clip 0.mp4", os.fsencode(tmp_path) + b"/in/" + name)
    (tmp_path / "in/no\xe9.mp4").write_bytes(b"\0" * 100)
    done = run(repo, tmp_path / "in", "--output", tmp_path / "r.csv")
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "r.csv", newline="", encoding="utf-8") as handle:
        rows = {row["name"]: row["readable"] for row in csv.DictReader(handle)}
    assert rows == {
        "\ufffd\ufffd.mp4": "1",
        "ü 😀.mp4": "1",
        "a\nb.mp4": "1",
        'comma,"quote".mp4': "1",
        "no\xe9.mp4": "0",
    }
