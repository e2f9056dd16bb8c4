"""Select pseudo-labels with an estimate of their precision from held-out light clips."""

import json

import numpy as np
import pytest

TOOL = "gen_pseudo_tools/select_pseudo_labels.py"
CLASSES = 4


@pytest.fixture
def world(kit, tmp_path):
    """Predictions of three voters for a pool, which they know as `known` says, and for 60 light clips."""

    def write(place, known, size, seed, labels=True):
        rng = np.random.default_rng(seed)
        truth_N = rng.integers(0, CLASSES, size)
        paths = []
        for voter in range(3):
            label_N = np.where(rng.random(size) < known, truth_N, rng.integers(0, CLASSES, size))
            names = [f"{place}{row}.mp4" for row in range(size)]
            path = tmp_path / place / f"{voter}.pkl"
            shown = truth_N if labels else np.full(size, -1)
            paths.append(kit.write_pkl(path, 3.0 * np.eye(CLASSES)[label_N], video_names=names, video_labels=shown))
        return paths, names, truth_N

    return write


def call(run_tool, tmp_path, pool, light, *more):
    result = run_tool(TOOL, "--predictions", *pool, "--light", *light, "--output", tmp_path / "t.csv", *more)
    assert result.code == 0, result.err
    return result.out, json.loads((tmp_path / "t.json").read_text())


def test_sound_labels_go_on(world, run_tool, tmp_path):
    pool, *_ = world("pool", 0.8, 200, 1, labels=False)
    light, *_ = world("light", 0.8, 60, 2)
    said, record = call(run_tool, tmp_path, pool, light, "--at-most", 0.5)
    assert record["worth_training"] and record["estimated_precision"] > 0.75 and record["kept"] == 100
    assert record["estimate"]["light_clips"] == 60 and len(record["inputs"]["light"]) == 3
    assert f"about {100 * record['estimated_precision']:.0f} % of these labels are right" in said


def test_labels_of_guessing_voters_are_not_worth_it_unless_forced(world, run_tool, tmp_path):
    pool, *_ = world("pool", 0.15, 200, 1, labels=False)
    light, *_ = world("light", 0.8, 60, 2)
    said, record = call(run_tool, tmp_path, pool, light, "--at-most", 0.5)
    assert record["worth_training"] is False and record["estimated_precision"] < 0.5 and record["kept"] == 100
    assert "below 60 %: not worth training on" in record["verdict"] and record["verdict"] in said
    _, record = call(run_tool, tmp_path, pool, light, "--at-most", 0.5, "--force")
    assert record["worth_training"] is True and record["estimated_precision"] < 0.5


def test_an_earlier_round_that_was_poor_is_not_forgotten(world, run_tool, tmp_path):
    light, *_ = world("light", 0.8, 60, 2)
    pool, *_ = world("pool", 0.15, 200, 1, labels=False)
    call(run_tool, tmp_path, pool, light, "--coverage", 1)
    (tmp_path / "t.csv").rename(tmp_path / "first.csv")
    (tmp_path / "t.json").rename(tmp_path / "first.json")
    pool, *_ = world("pool", 0.9, 200, 1, labels=False)
    _, record = call(run_tool, tmp_path, pool, light, "--at-most", 0.5, "--tables", tmp_path / "first.csv")
    assert record["worth_training"] is False


def test_without_held_out_clips_nothing_is_estimated_and_the_round_goes_on(world, run_tool, tmp_path, kit):
    pool, *_ = world("pool", 0.8, 100, 1, labels=False)
    light, names, truth_N = world("light", 0.8, 60, 2)
    trained = kit.write_list(tmp_path / "train.csv", names, truth_N)
    said, record = call(run_tool, tmp_path, pool, light, "--at-most", 0.5, "--trained", trained)
    assert "not estimated: no light clips are held out" in said
    assert record["estimated_precision"] is None and "worth_training" not in record and record["kept"] == 50
    unlabelled, *_ = world("none", 0.8, 60, 3, labels=False)
    assert "have no labels" in call(run_tool, tmp_path, pool, unlabelled)[0]


def test_a_class_without_a_label_is_told(run_tool, kit, tmp_path):
    names = [f"{row}.mp4" for row in range(30)]
    path = kit.write_pkl(tmp_path / "p.pkl", 3.0 * np.eye(4)[np.arange(30) % 3], video_names=names)
    result = run_tool(
        TOOL, "--predictions", path, "--coverage", 0.5, "--rule", "margin", "--output", tmp_path / "t.csv"
    )
    assert result.code == 0 and "note: no selected video has the class 3: " in result.err


def test_light_files_belong_to_the_voters(world, run_tool, tmp_path):
    pool, *_ = world("pool", 0.8, 40, 1, labels=False)
    light, *_ = world("light", 0.8, 40, 2)
    result = run_tool(TOOL, "--predictions", *pool, "--light", *light[:2], "--output", tmp_path / "t.csv")
    assert result.code == 2 and "--light has 2 files for 3 voters" in result.err


@pytest.fixture
def open_pool(kit, tmp_path):
    """Voters' files of 120 clips they know and 30 of no class, of which they say anything, and of light clips."""
    rng = np.random.default_rng(5)
    light_N = np.arange(60) % CLASSES
    truth_N = np.concatenate([rng.integers(0, CLASSES, 120), np.full(30, -1)])

    def write(place, label_N, seen_N):
        names = [f"{row}.mp4" for row in range(len(label_N))]
        more = {"video_names": names, "video_labels": seen_N, "score_kind": "logits"}
        logits = 3.0 * np.eye(CLASSES + 1)[label_N][:, :CLASSES]
        noise = [0.2 * rng.random(logits.shape) for _ in range(3)]
        return [kit.write_pkl(tmp_path / place / f"{row}.pkl", logits + add, **more) for row, add in enumerate(noise)]

    return write("pool", truth_N, np.full(150, -1)), write("light", light_N, light_N)


def test_clips_of_no_class_are_left_out(open_pool, run_tool, tmp_path):
    pool, light = open_pool
    _, record = call(run_tool, tmp_path, pool, light, "--coverage", 1)
    assert record["kept"] == 150 and "unknown" not in record
    said, record = call(run_tool, tmp_path, pool, light, "--coverage", 1, "--unknown", 0.2)
    kept = {row.split(",")[0] for row in (tmp_path / "t.csv").read_text().split()}
    assert record["kept"] == 120 and record["unknown"] == 30 and kept == {f"{row}.mp4" for row in range(120)}
    assert "left out 30 clips that are least like any class of the light clips (--unknown 0.2)" in said


def test_a_person_knows_better_what_a_clip_shows(open_pool, run_tool, tmp_path):
    pool, light = open_pool
    (tmp_path / "fixed.csv").write_text("149.mp4,2\n")
    options = ("--coverage", 0.5, "--unknown", 0.2, "--fixed", tmp_path / "fixed.csv")
    call(run_tool, tmp_path, pool, light, *options)
    rows = [row.split(",")[:2] for row in (tmp_path / "t.csv").read_text().split()]
    assert ["149.mp4", "2"] in rows and not {f"{row}.mp4" for row in range(120, 149)} & {name for name, _ in rows}


@pytest.mark.parametrize("share, text", [(1, "leaves nothing to select"), (-0.1, "not a share")])
def test_a_share_that_cannot_be_left_out(open_pool, run_tool, tmp_path, share, text):
    pool, light = open_pool
    words = ("--predictions", *pool, "--light", *light, "--output", tmp_path / "t.csv", f"--unknown={share}")
    result = run_tool(TOOL, *words)
    assert result.code == 2 and text in result.err


def test_what_is_of_no_class_is_told_by_light_clips_alone(open_pool, run_tool, tmp_path):
    pool, light = open_pool
    result = run_tool(TOOL, "--predictions", *pool, "--output", tmp_path / "t.csv", "--unknown", 0.2)
    assert result.code and "--unknown compares the pool with held-out light clips: no predictions" in result.err
    assert not (tmp_path / "t.csv").exists()
