"""What the report of a schedule holds, with labels and without, and what is said about what is wrong."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from slowfast.apps.report.make import Options, choose_films, make_report
from slowfast.ensemble.predictions import Predictions, load_predictions, save_predictions
from slowfast.utils.errors import InputError

from .schedule import CLASSES, HOSTILE, make_schedule


@pytest.fixture(scope="module")
def schedule(tmp_path_factory):
    """Root, names and truth of a schedule with clips."""
    root = tmp_path_factory.mktemp("schedule") / "run"
    return root, *make_schedule(root)


def values_of(page: str) -> dict:
    """Return what the page's script reads."""
    return json.loads(re.search(r'<script type="application/json" id="values">(.*?)</script>', page, re.S)[1])


@pytest.fixture(scope="module")
def labelled(schedule):
    root = schedule[0]
    truth = [root / "data" / "truth.csv"]
    data = make_report([root], root / "labelled.html", Options(truth=truth, clips=6))
    return data, (root / "labelled.html").read_text()


@pytest.fixture(scope="module")
def plain(schedule):
    root = schedule[0]
    data = make_report([root], root / "plain.html", Options(clips=None))
    return data, (root / "plain.html").read_text()


def test_without_labels_no_accuracy_is_claimed(plain):
    data, page = plain
    assert not data.ladder and not data.steps
    assert {"<h2>Pseudo-labels</h2>", "<h2>Agreement</h2>", "<h2>Curves</h2>", "<h2>Clips</h2>"} <= set(
        re.findall(r"<h2>[^<]*</h2>", page)
    )
    assert "estimated precision" in page and "Precision by given label" not in page
    assert all(entry.precision is None and entry.estimated == 77.0 for entry in data.rounds)


def test_rounds_and_what_changed(schedule, plain):
    rounds = plain[0].rounds
    assert [(entry.title, entry.selected, entry.pool) for entry in rounds] == [("stage1", 20, 30), ("stage2", 30, 30)]
    same, other, new, gone = rounds[1].changes
    assert (same + other, new, gone) == (20, 10, 0) and rounds[0].changes is None
    assert sum(rounds[0].shares_K) == pytest.approx(100)


def test_agreement_of_voters_and_rounds(schedule, plain):
    root = schedule[0]
    heats = {heat.title: heat for heat in plain[0].heats}
    assert len(heats) == 4
    heat = heats["exp_adapt_bn, 1 x 1"]
    pkls = sorted((root / "exp_adapt_bn").glob("*/total_unlabelx4x32x1x1.pkl"))
    labels = [load_predictions(pkl).video_preds.argmax(axis=1) for pkl in pkls]
    assert heat.columns[heat.rows[0]] == pytest.approx([100.0, 100 * float(np.mean(labels[0] == labels[1]))])
    assert heats["rounds, all voters together, total_unlabel"].rows == [
        "exp_adapt_bn", "exp_pseudo_stage1", "exp_pseudo_stage2",
    ]  # fmt: skip


def test_with_labels_accuracy_precision_and_confusion(schedule, labelled):
    root, names, truth_N = schedule
    data, page = labelled
    row = next(row for row in data.ladder if row.step == "exp_pseudo_stage2" and row.model == "mvit")
    scores_NK = load_predictions(root / "exp_pseudo_stage2/mvit/total_unlabelx4x32x1x1.pkl").video_preds
    assert row.top1 == pytest.approx(100 * np.mean(scores_NK.argmax(axis=1) == truth_N))
    assert all(step.confusion_KK.sum() == 30 for step in data.steps) and "Confusion matrices" in page
    assert 60 < data.rounds[1].precision < 95 and not data.notes


def test_curves_of_metrics_and_log(plain):
    titles = {curve.title for curve in plain[0].curves}
    assert titles == {"loss", "learning rate", "top-1 of arid, %", "clips/s", "waiting for data", "memory"}
    rate = next(curve for curve in plain[0].curves if curve.title == "clips/s")
    assert list(rate.lines.values())[0] == [(0.2, 31.5), (1.0, 31.5)]


def test_clips_that_play_and_those_that_do_not(plain):
    films = {film["n"]: film for film in plain[0].films}
    assert "does not exist" in films["gone.mp4"]["e"] and "cannot be read" in films["damaged.mp4"]["e"]
    assert films[HOSTILE]["f"].startswith("data:video/mp4;base64,")
    assert sum("f" in film for film in films.values()) == 28


def test_names_are_text_never_markup(labelled):
    _, page = labelled
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img" not in page and "<script>alert" not in page and "uni<_script>" not in page
    assert "&lt;script&gt;alert(1)" in page and "uni&lt;_script&gt;&lt;b&gt;" in page
    values = values_of(page)
    assert HOSTILE in [film["n"] for film in values["clips"]] and values["classes"] == CLASSES


def test_many_clips_lie_beside_the_page_and_are_made_once(schedule, monkeypatch):
    root = schedule[0]
    monkeypatch.setattr("slowfast.apps.report.make.EMBEDDED", 3)
    data = make_report([root], root / "a name.html", Options(clips=8))
    beside = sorted((root / "a name_clips").iterdir())
    playing = [film["f"] for film in data.films if "f" in film]
    assert len(beside) == len(playing) and all(address.startswith("a%20name_clips/") for address in playing)
    before = [path.stat().st_mtime_ns for path in beside]
    make_report([root], root / "a name.html", Options(clips=8))
    assert [path.stat().st_mtime_ns for path in beside] == before


def test_half_of_the_clips_are_the_least_certain():
    films = [{"m": index / 100, "l": index % 4} for index in range(100)][::-1]
    chosen = choose_films(films, 20)
    margins = [films[index]["m"] for index in chosen]
    assert margins[:10] == [index / 100 for index in range(10)] and len(set(chosen)) == 20
    assert {films[index]["l"] for index in chosen[10:]} == {0, 1, 2, 3}
    assert choose_films(films, 0) == [] and len(choose_films(films, 500)) == 100


def test_what_is_damaged_is_said_and_the_rest_goes_on(tmp_path):
    make_schedule(tmp_path / "run", videos=False)
    run = tmp_path / "run" / "exp_adapt_bn" / "mvit"
    (run / "total_unlabelx4x32x1x1.pkl").write_bytes(b"nonsense")
    with open(run / "metrics.jsonl", "a") as handle:
        handle.write('{"_type": "train_iter", "epo\n"text"\n')
    (run / "config.yaml.resolved").write_text("{")
    (tmp_path / "run/data/pseudo/stage1.csv").write_text("a.mp4,0\n")
    (tmp_path / "truth.csv").write_text("nowhere.mp4,1\nsub/3.mp4,1\n")
    data = make_report([tmp_path / "run"], tmp_path / "r.html", Options(truth=[tmp_path / "truth.csv"], clips=2))
    notes = "\n".join(data.notes)
    for words in ("total_unlabelx4x32x1x1.pkl", "2 lines cannot be read", "stage1.csv", "1 of 2 labels", "nowhere.mp4"):
        assert words in notes
    assert [entry.title for entry in data.rounds] == ["stage2"] and data.ladder


def test_tables_alone_are_reported_without_whole_rankings(schedule, tmp_path):
    pseudo = schedule[0] / "data" / "pseudo"
    shutil.copytree(pseudo, tmp_path / "pseudo")
    shutil.copy(pseudo / "stage1.csv", tmp_path / "pseudo" / "whole1.csv")
    data = make_report([tmp_path / "pseudo"], tmp_path / "r.html", Options(truth=[schedule[0] / "data" / "truth.csv"]))
    assert [entry.title for entry in data.rounds] == ["stage1", "stage2"] and not data.films
    assert data.rounds[1].precision > 60


def test_files_of_the_original_code_have_no_names(tmp_path):
    folder = tmp_path / "step" / "net"
    folder.mkdir(parents=True)
    save_predictions(folder / "testx8x8x1x1.pkl", Predictions(np.eye(3, dtype=np.float32), np.arange(3)))
    data = make_report([tmp_path], tmp_path / "r.html", Options())
    assert [row.top1 for row in data.ladder] == [100.0] * 3 and data.films[0]["n"] == "row 1"
    assert "--videos" in data.films[0]["e"] and data.class_names == ["class 0", "class 1", "class 2"]


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_without_anything_is_refused(tmp_path, make):
    if make:
        (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match="x"):
        make_report([tmp_path / "x"], tmp_path / "r.html", Options())


def test_runs_with_other_classes_are_refused(tmp_path):
    for voter, classes in (("a", 3), ("b", 4)):
        (tmp_path / "s" / voter).mkdir(parents=True)
        preds = Predictions(np.ones((2, classes), np.float32), np.zeros(2), ["x", "y"], "logits", 1)
        save_predictions(tmp_path / "s" / voter / "testx8x8x1x1.pkl", preds)
    with pytest.raises(InputError, match="the same classes"):
        make_report([tmp_path], tmp_path / "r.html", Options())


def test_the_command(schedule, repo):
    root = schedule[0]
    command = [sys.executable, repo / "tools/report.py", root, "--output", root / "c.html", "--clips", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "30 clips, 2 of them play" in done.stdout, done.stderr
    done = subprocess.run([*command, "--gamma", "0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--gamma is 0.0" in done.stderr
