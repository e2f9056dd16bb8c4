"""The tree of a result's parents, what of it has changed, the first difference of two results."""

import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from slowfast.apps.selection import Sources, Wish, select
from slowfast.apps.why import compare, tree_of
from slowfast.ensemble.predictions import Predictions, save_predictions
from slowfast.ensemble.provenance import record_report
from slowfast.parents import Input, MadeOf, input_of_file, write_record
from slowfast.parents.record import record_path
from slowfast.utils.errors import InputError


def rows(path, count, shift=0):
    path.write_text("".join(f"v{row}.mp4,{(row + shift) % 3}\n" for row in range(count)))


def predictions(folder, name, seed, count=20, torch="2.14.1", **settings):
    """Write predictions made from a list and weights; return the PKL."""
    rng = np.random.default_rng(seed)
    weights = folder / f"{name}.pth"
    weights.write_bytes(rng.bytes(64))
    made_of = MadeOf("predictions", {"weights": input_of_file(weights), "list": Input("1" * 64)},
                     {"gamma": 0.25, **settings}, {"torch": torch})  # fmt: skip
    names = [f"v{row}.mp4" for row in range(count)]
    found = Predictions(rng.normal(size=(count, 3)), np.full(count, -1), names, "logits", 1, made_of=made_of.as_plain())
    save_predictions(folder / f"{name}.pkl", found)
    write_record(folder / f"{name}.pkl", made_of, {"weights": weights})
    return folder / f"{name}.pkl"


@pytest.fixture
def table(tmp_path):
    """A table of two voters."""
    rows(tmp_path / "pool.csv", 20)
    voters = [predictions(tmp_path, "a", 1), predictions(tmp_path, "b", 2)]
    select(Sources(voters, list=[tmp_path / "pool.csv"]), Wish(coverage=0.5), tmp_path / "stage1.csv")
    return tmp_path / "stage1.csv"


def test_tree_goes_down_to_lists_and_weights(table):
    tree = tree_of(table)
    assert [(node.role, len(node.parents)) for node in tree.parents] == [
        ("predictions 1", 2), ("predictions 2", 2), ("list", 0)
    ]  # fmt: skip
    assert [node.state for node in tree.parents] == ["as it was"] * 3 and tree.changed() == []
    assert tree.made_of.round == 0 and any("weights" in line and "a.pth" in line for line in tree.lines())


def test_what_changed_since_is_told(table, tmp_path):
    (tmp_path / "a.pth").write_bytes(b"other")
    rows(tmp_path / "pool.csv", 21)
    (tmp_path / "b.pkl").unlink()
    said = "\n".join(tree_of(table).changed())
    assert "a.pth: changed: the content of a.pth" in said and "b.pkl: gone" in said and "pool.csv: changed" in said


def test_time_and_copies_change_nothing(table, tmp_path):
    (tmp_path / "pool.csv").touch()
    shutil.copy(tmp_path / "a.pkl", tmp_path / "copy.pkl")
    assert tree_of(table).changed() == []
    assert compare(tmp_path / "a.pkl", tmp_path / "copy.pkl") == []


def test_first_difference_of_two(tmp_path):
    one, two = predictions(tmp_path, "a", 1), predictions(tmp_path, "b", 1, gamma=0.5)
    assert compare(one, two)[0] == "gamma 0.25 and 0.5"
    assert compare(one, predictions(tmp_path, "c", 1, torch="2.15.0")) == ["torch 2.14.1 and 2.15.0"]
    assert compare(one, predictions(tmp_path, "d", 2))[0] == "the content of weights"


def test_first_difference_lies_deep(table, tmp_path):
    (tmp_path / "other").mkdir()
    rows(tmp_path / "other/pool.csv", 20)
    voters = [predictions(tmp_path / "other", "a", 1), predictions(tmp_path / "other", "b", 2, views=3)]
    select(Sources(voters, list=[tmp_path / "other/pool.csv"]), Wish(coverage=0.5), tmp_path / "other/stage1.csv")
    assert compare(table, tmp_path / "other/stage1.csv")[0] == "views not set and 3"


@pytest.mark.parametrize("damage", ["edited", "another's", "none", "loop", "nonsense"])
def test_what_is_not_recorded_is_unknown(damage, table, tmp_path):
    record = record_path(table)
    content = json.loads(record.read_text())
    if damage == "edited":
        content["made_of"]["inputs"] = {"list": 7, "x": {"digest": [], "rows": "no"}}
        content["circumstances"]["paths"] = ["a"]
        content["circumstances"]["lists"] = {"": {"path": 3}}
        record.write_text(json.dumps(content))
    elif damage == "another's":
        shutil.copy(record, record_path(tmp_path / "pool.csv"))
        table = tmp_path / "pool.csv"
    elif damage == "none":
        record.unlink()
    elif damage == "loop":
        content["circumstances"]["paths"]["list"] = str(table)
        record.write_text(json.dumps(content))
    else:
        record.write_text("[" * 100_000)
    tree = tree_of(table)
    assert tree.lines() and (tree.made_of is None or damage in ("edited", "loop"))
    unknown = {"edited": "since then: 3: gone", "loop": "since then: "}.get(damage, "unknown: nothing was recorded for")
    assert unknown in tree.verdict()
    found = compare(table, tmp_path / "a.pkl")
    assert found and (tree.made_of is not None or found[0].startswith("unknown: nothing was recorded"))
    with pytest.raises(InputError, match="does not exist"):
        tree_of(tmp_path / "nothing.csv")


def test_command(table, tmp_path, repo):
    def call(*words):
        command = [sys.executable, str(repo / "tools/why.py"), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    begin = time.monotonic()
    done = call(table, "--json", tmp_path / "why.json")
    assert done.returncode == 0 and "nothing has changed since" in done.stdout, done.stderr
    assert json.loads((tmp_path / "why.json").read_text())["changed"] == [] and time.monotonic() - begin < 60
    rows(tmp_path / "pool.csv", 3)
    assert call(table).returncode == 3
    assert call(tmp_path / "nothing").returncode == 2
    assert call(tmp_path / "a.pkl", tmp_path / "b.pkl").stdout == "the content of weights\n"


def test_a_report_has_parents(table, tmp_path):
    (tmp_path / "report.html").write_text("page")
    record_report(tmp_path / "report.html", [tmp_path / "a.pkl", table])
    assert [len(node.parents) for node in tree_of(tmp_path / "report.html").parents] == [2, 3]
