"""Every kind of change against selection, vote and report: records and bytes change where it counts, only there."""

import hashlib
import os
import shutil
import socket

import numpy as np
import pytest
import yaml

from slowfast.apps.report.make import Options, make_report
from slowfast.apps.selection import Sources, Wish, select
from slowfast.apps.vote import vote
from slowfast.ensemble.predictions import Predictions, save_predictions
from slowfast.ensemble.rules import submission_rules
from slowfast.parents import Input, MadeOf, input_of_clips, input_of_rows, read_record
from slowfast.utils.errors import InputError

RULES = {
    "num_classes": 3, "per_clip": True, "score_kinds": {"a": "logits", "b": "logits"}, "anchor": "a",
    "anchor_labels": [], "anchored": {"a": 1.0}, "override": {"labels": [], "model": "a"}, "vote": [0],
    "files": {"all": {name: f"exp_pseudo_stage1/{name}/testx4x8x1x1.pkl" for name in "ab"}},
    "corrections": {"none": []}, "modes": {0: {"files": "all", "weights": {"a": 0.5, "b": 0.5}, "corrections": "none"}},
}  # fmt: skip
SETTINGS = {"clips": "clip", "weights": "weights", "gamma": 0.25}


def test_again(folder, voters="ab", **changed):
    """Write the predictions of both lists as a test would: other rows, clips, weights or gamma give other scores."""
    known = {**SETTINGS, **changed}
    for voter in voters:
        for step, split in (("exp_adapt_bn", "total_unlabel"), ("exp_pseudo_stage1", "test")):
            names = [row.split(",")[0] for row in (folder / f"{split}.csv").read_text().splitlines()]
            clips = [f"{known['clips']} {name}" for name in names]
            weights = hashlib.sha256(f"{known['weights']} {voter} {step}".encode()).hexdigest()
            inputs = {"weights": Input(weights, round=int(split == "test")), "clips": input_of_clips(clips),
                      "list": input_of_rows(name.encode() for name in names)}  # fmt: skip
            seeds = [hashlib.sha256(f"{weights} {clip} {known['gamma']}".encode()).digest() for clip in clips]
            scores = np.stack([np.random.default_rng([*seed]).normal(size=3) for seed in seeds])
            made_of = MadeOf("predictions", inputs, {"gamma": known["gamma"]}).as_plain()
            path = folder / step / voter / f"{split}x4x8x1x1.pkl"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_predictions(path, Predictions(scores, np.full(len(names), -1), names, "logits", 1, made_of=made_of))
            (path.parent / "config.yaml.resolved").write_text("MODEL: {ARCH: mvit}\n")


def make(folder, coverage=0.5, **_):
    """Call selection, vote and report; return identity and bytes of each."""
    voters = [folder / f"exp_adapt_bn/{voter}/total_unlabelx4x8x1x1.pkl" for voter in "ab"]
    table, submission, report = folder / "stage1.csv", folder / "submission/arid_pred.csv", folder / "report.html"
    select(Sources(voters, list=[folder / "total_unlabel.csv"]), Wish(coverage=coverage), table)
    vote(submission_rules(folder / "rules.yaml"), folder, folder / "test.csv", submission.parent)
    make_report([folder], report, Options(clips=0))
    made = {"selection": table, "vote": submission, "report": report}
    return {
        place: (read_record(path)[0].identity(), path.read_bytes() if place != "report" else b"")
        for place, path in made.items()
    }


@pytest.fixture
def folder(tmp_path):
    """Lists, rules and predictions."""
    folder = tmp_path / "work"
    folder.mkdir()
    for split, count in (("total_unlabel", 12), ("test", 6)):
        (folder / f"{split}.csv").write_text("".join(f"{split}{row}.mp4,-1\n" for row in range(count)))
    (folder / "rules.yaml").write_text(yaml.safe_dump(RULES))
    test_again(folder)
    return folder


def lists(change):
    """Change the rows of both lists."""

    def changed(folder):
        for path in (folder / "total_unlabel.csv", folder / "test.csv"):
            path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    return changed


def touch(folder):
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


def other_weight(folder):
    rules = {**RULES, "modes": {0: {**RULES["modes"][0], "weights": {"a": 0.7, "b": 0.3}}}}
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules))


ALL = {"selection", "vote", "report"}
# What a change of a training or a test does to those that follow: their predictions are others.
CHANGES = {
    "coverage": (None, {"coverage": 0.8}, {"selection", "report"}),
    "rate": (None, {"weights": "of another rate"}, ALL),
    "seed": (None, {"weights": "of another seed"}, ALL),
    "label": (None, {"weights": "of other labels"}, ALL),
    "list row": (lists(lambda rows: rows[:-1]), {}, ALL),
    "clip content": (None, {"clips": "other clip"}, ALL),
    "clip order": (lists(lambda rows: rows[::-1]), {}, ALL),
    "starting weights": (None, {"weights": "of other starting weights"}, ALL),
    "gamma": (None, {"gamma": 0.5}, ALL),
    "voter weight": (other_weight, {}, {"vote"}),
    "key without effect": (None, {}, set()),
    "path": (None, {}, set()),  # every second call is in another folder
    "time": (touch, {}, set()),
    "host": (None, {}, set()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_touches(name, folder, tmp_path, monkeypatch):
    change, settings, touched = CHANGES[name]
    before = make(folder)
    assert before == make(folder)
    moved = tmp_path / "elsewhere/work"
    shutil.copytree(folder, moved)
    if name == "host":
        monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    if change is not None:
        change(moved)
    if touched - {"vote"}:
        test_again(moved, **settings)
    after = make(moved, **settings)
    changed = {place for place in ALL if before[place] != after[place]}
    assert changed == touched
    assert all(before[place][0] != after[place][0] for place in touched), "the record tells"
    shutil.rmtree(moved / "submission")
    assert make(moved, **settings) == after, "as from nothing"


@pytest.mark.parametrize("name", ["list row", "clip content", "clip order", "gamma"])
def test_one_voter_alone_that_knows_of_a_change_is_refused(name, folder):
    change, settings, _ = CHANGES[name]
    if change is not None:
        change(folder)
    test_again(folder, voters="b", **settings)
    said = {"clip content": "saw other clips", "gamma": "are of gamma 0.25 and 0.5"}.get(name, "made with another list")
    with pytest.raises(InputError, match=said):
        make(folder)


def test_the_report_knows_how_it_was_asked(folder):
    identities = []
    for options in (Options(clips=0), Options(clips=0, gamma=0.5), Options(clips=0, title="Another")):
        make_report([folder], folder / "report.html", options)
        identities.append(read_record(folder / "report.html")[0].identity())
    assert len(set(identities)) == 3


test_again.__test__ = False
