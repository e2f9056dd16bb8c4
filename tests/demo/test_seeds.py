"""Mean and range over seeds, and the marked part of a text."""

import json
import subprocess
import sys

import pytest

from slowfast.demo.seeds import replace_marked, seeds_table


def run(seed, mean, vote, precision=90.0, **more):
    ladder = [
        {"step": "gamma", "model": "a", "views": 1, "crops": 1, "top1": 0.0},
        {"step": "gamma", "model": "mean", "views": 1, "crops": 1, "top1": mean},
        {"step": "gamma", "model": "vote", "views": 1, "crops": 1, "top1": vote},
        {"step": "ensemble", "model": "vote", "views": 3, "crops": 3, "top1": vote + 1},
    ]
    pseudo = [{"stage": 1, "selected": 40 + seed, "pool": 100, "precision": precision}]
    return {"seed": seed, "mode": "quick", "seconds": {}, "ladder": ladder, "pseudo_labels": pseudo, **more}


def test_mean_and_range():
    table = seeds_table([run(0, 50.0, 60.0), run(2, 53.0, 61.0, 92.0, seconds={"wall": 300.0})])
    assert table.splitlines() == [
        "| step | views x crops | mean of the voters | vote |",
        "|---|---|---|---|",
        "| `gamma` | 1x1 | 51.5 (50.0 to 53.0) | 60.5 (60.0 to 61.0) |",
        "| `ensemble` | 3x3 |  | 61.5 (61.0 to 62.0) |",
        "",
        "| round | kept of the pool, % | precision, % |",
        "|---|---|---|",
        "| 1 | 41.0 (40.0 to 42.0) | 91.0 (90.0 to 92.0) |",
        "",
        "Seeds 0, 2; wall time 5.0 minutes.",
    ]


def test_one_seed_has_no_range():
    lines = seeds_table([run(3, 50.0, 60.0)]).splitlines()
    assert lines[2] == "| `gamma` | 1x1 | 50.0 | 60.0 |" and lines[-1] == "Seed 3."


def test_only_the_marked_part_is_replaced():
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    once = replace_marked(text, "x", "new")
    assert once == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    assert replace_marked(once, "x", "new") == once
    with pytest.raises(ValueError, match="<!-- y -->"):
        replace_marked(text, "y", "new")


def test_readme_holds_the_marks(repo):
    text = (repo / "README.md").read_text()
    for mark in ("quick", "full"):
        assert replace_marked(text, f"demo-figures:{mark}", "x") != text


def tool(repo, *arguments):
    command = [sys.executable, str(repo / "tools" / "ladder_table.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_tool_writes_between_the_marks_or_nothing(repo, tmp_path):
    for seed in (0, 1):
        (tmp_path / f"{seed}.json").write_text(json.dumps(run(seed, 50.0, 60.0)))
    readme = tmp_path / "README.md"
    readme.write_text("<!-- demo-figures:quick -->\n<!-- /demo-figures:quick -->\n")
    files = (tmp_path / "0.json", tmp_path / "1.json")
    assert tool(repo, *files, "--readme", readme).returncode == 0
    written = readme.read_text()
    assert "| `gamma` | 1x1 | 50.0 (50.0 to 50.0)" in written
    for wrong in ((*files, "--mark", "full"), (files[0], files[0]), (tmp_path / "none.json",)):
        done = tool(repo, *wrong, "--readme", readme)
        assert done.returncode == 2 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    assert readme.read_text() == written
