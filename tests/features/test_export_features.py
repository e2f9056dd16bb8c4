"""Exports, read back by the rules that the toolkits document."""

import contextlib
import json
import os
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from slowfast.apps.export_features import export_features
from slowfast.features.store import load_features, save_features
from slowfast.utils.errors import InputError

ACTIONS = {"database": {
    "Dash_1": {"subset": "training", "annotations": [
        {"label": "Phone", "segment": [0.8, 3.2]}, {"label": "Drink", "segment": [4.0, 5.0]}]},
    "Nobody_9": {"subset": "training", "annotations": [{"label": "Yawn", "segment": [0, 1]}]},
}}  # fmt: skip


@pytest.fixture
def annotations(tmp_path):
    path = tmp_path / "actions.json"
    path.write_text(json.dumps(ACTIONS))
    return path


def test_actionformer(finished, tmp_path, annotations):
    out = tmp_path / 'out: "1" #'
    said = export_features(finished, out, "actionformer", annotations)
    assert said.startswith("5 videos") and "1 annotated ones have no features (Nobody_9)" in said
    config = yaml.safe_load((out / "dataset.yaml").read_text())["dataset"]
    database = json.loads(Path(config["json_file"]).read_text())["database"]
    assert set(database) == {"Dash_1", "Rear_1", "Right_1", "Dashboard_2", "Right_2"}
    for key, video in database.items():
        feats = np.load(f"{config['feat_folder']}/{config['file_prefix']}{key}{config['file_ext']}")
        assert feats.dtype == np.float32 and feats.shape[1] == config["input_dim"]
        stride, window = config["feat_stride"], config["num_frames"]
        assert len(feats) == (round(video["duration"] * video["fps"]) - window) // stride + 1
    video = database["Dash_1"]
    assert video["subset"] == "training" and database["Rear_1"]["subset"] == "test"
    assert {action["label"]: action["label_id"] for action in video["annotations"]} == {"Drink": 0, "Phone": 1}
    assert config["num_classes"] == 3
    # The loader's grid: seconds -> features, with the centre of the first window at 0.
    offset = 0.5 * config["num_frames"] / config["feat_stride"]
    grid = np.array(video["annotations"][0]["segment"]) * video["fps"] / config["feat_stride"] - offset
    features = load_features(finished / "user_1/Dash_1.npz")
    centres = (features.start_frame + features.window / 2) / features.fps
    np.testing.assert_allclose(np.interp(grid, np.arange(len(centres)), centres), [0.8, 3.2])


def test_opentad(finished, tmp_path, annotations):
    export_features(finished, tmp_path / "out", "opentad", annotations)
    values: dict = {}
    exec((tmp_path / "out/dataset.py").read_text(), values)
    config = values["features"]
    database = json.loads(Path(config["ann_file"]).read_text())["database"]
    assert Path(config["class_map"]).read_text().split("\n") == ["Drink", "Phone", "Yawn", ""]
    features = load_features(finished / "user_1/Dash_1.npz")
    np.testing.assert_array_equal(
        np.load(f"{config['data_path']}/Dash_1.{values['load']['feat_format']}"), features.feats
    )
    assert features.feats.shape[1] == values["in_channels"]
    video = database["Dash_1"]
    fps = video["frame"] / video["duration"]
    seconds = (np.arange(len(features.feats)) * config["feature_stride"] + config["offset_frames"]) / fps
    np.testing.assert_allclose(seconds, (features.start_frame + features.window / 2) / features.fps)


def test_plain_arrays(finished, tmp_path):
    export_features(finished, tmp_path, "npy")
    index = json.loads((tmp_path / "index.json").read_text())
    for key, video in index.items():
        feats, probs = np.load(tmp_path / f"{key}.npy"), np.load(tmp_path / f"{key}.probs.npy")
        assert len(feats) == len(probs) == len(video["start_time"]) == len(video["end_time"])
        assert video["duration"] == pytest.approx(video["frame"] / video["fps"])
        assert (video["stride"], video["window"]) == (8, 16)


def test_equal_names_are_told_apart(finished, tmp_path):
    source = tmp_path / "features"
    for folder in ("user_1", "user_2"):
        (source / folder).mkdir(parents=True)
        (source / folder / "Dash.npz").write_bytes((finished / "user_1/Dash_1.npz").read_bytes())
    export_features(source, tmp_path / "out", "npy")
    assert set(json.loads((tmp_path / "out/index.json").read_text())) == {"user_1__Dash", "user_2__Dash"}


def actions(**action) -> str:
    return json.dumps({"database": {"a": {"annotations": [action]}}})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"database": []}', actions(label=3, segment=[0, 1]), actions(label="x", segment=[5, 1]),
     actions(label="x", segment=[0, float("inf")]), actions(label="x", segment=[float("nan"), 1]),
     actions(label="x", segment=[0, 1], score=float("nan")), actions(label="x\ny", segment=[0, 1]),
     actions(label=" ", segment=[0, 1]), actions(label="\ud800", segment=[0, 1]),
     actions(label="x", segment=[0, 10**400]), actions(label="x", segment=[0, 1, 2]),
     actions(label="x", segment=["0", "1"]), actions(label="x", segment=[True, 3]),
     actions(label="x", segment=[None, 3]), actions(label="x", segment="01"), actions(label=["x"], segment=[0, 1]),
     actions(label="x"), "[" * 100000,
     '{"database": ' + '{"a":' * 100000,
     '{"database": {"a": {"annotations": [{"label": "x", "segment": [0, 1e999]}]}}}', '{"database": {"a": 3}}',
     '{"database": {"a": {"subset": 3}}}', '{"database": {"a": {"annotations": [3]}}}'],
    ids=range(26),
)  # fmt: skip
def test_wrong_annotations_are_refused(finished, tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match="bad.json: not annotations"):
        export_features(finished, tmp_path / "out", "actionformer", tmp_path / "bad.json")


@pytest.mark.parametrize("depth", [300, 600, *range(930, 990, 6)])
def test_deep_annotations_are_written_or_refused(finished, tmp_path, depth):
    action = '{"label": "x", "segment": [0, 1], "more": ' + "[" * depth + "]" * depth + "}"
    (tmp_path / "deep.json").write_text(f'{{"database": {{"Dash_1": {{"annotations": [{action}]}}}}}}')
    with contextlib.suppress(InputError):
        export_features(finished, tmp_path / "out", "actionformer", tmp_path / "deep.json")


def test_wrong_features_are_refused(finished, tmp_path):
    with pytest.raises(InputError, match="holds no features"):
        export_features(tmp_path, tmp_path / "out", "npy")
    (tmp_path / "in/a").mkdir(parents=True)
    (tmp_path / "in/a/half.npz").write_bytes((finished / "user_1/Dash_1.npz").read_bytes()[:300])
    with pytest.raises(InputError, match="half.npz: not a whole npz"):
        export_features(tmp_path / "in", tmp_path / "out", "npy")
    with pytest.raises(InputError, match="cannot be read"):
        export_features(finished, tmp_path / "out", "npy", tmp_path / "none.json")


def test_command(tool, finished, tmp_path, capsys):
    arguments = ["--format", "opentad", "--features", finished, "--output-dir", tmp_path / "out"]
    assert tool("export_features", *arguments) == 0
    assert "5 videos written" in capsys.readouterr().out
    assert tool("export_features", "--format", "hdf5", *arguments[2:]) == 2


def database_of(out: Path) -> dict:
    return json.loads((out / "annotations.json").read_text())["database"]


def write_actions(path: Path, **videos) -> Path:
    """Annotations of videos given as (subset, labels)."""
    rows = {name: {"subset": subset, "annotations": [{"label": label, "segment": [0, 1]} for label in labels]}
            for name, (subset, labels) in videos.items()}  # fmt: skip
    path.write_text(json.dumps({"database": rows}))
    return path


def test_numbers_of_classes_are_the_same_in_every_export(finished, tmp_path):
    both = write_actions(tmp_path / "a.json", Dash_1=("training", ["Phone", "Drink"]), Rear_1=("test", ["Phone"]))
    part = write_actions(tmp_path / "b.json", Rear_1=("test", ["Phone"]))
    said = export_features(finished, tmp_path / "train", "actionformer", both)
    assert "the subset 'test' has no action of Drink" in said and "'training'" not in said
    classes = tmp_path / "train/category_idx.txt"
    assert f"classes 0 = Drink, 1 = Phone: other exports keep these with --classes {classes}" in said
    assert classes.read_text() == "Drink\nPhone\n"
    said = export_features(finished, tmp_path / "test", "opentad", part, classes=classes)
    assert "WARNING" not in said and "other exports" not in said
    for out in ("train", "test"):
        assert database_of(tmp_path / out)["Rear_1"]["annotations"][0]["label_id"] == 1
        assert (tmp_path / out / "category_idx.txt").read_text() == "Drink\nPhone\n"
    # A class that comes last shifts nothing when it is absent.
    classes.write_text("Phone\nDrink\n")
    assert "WARNING" not in export_features(finished, tmp_path / "c", "actionformer", both, classes=classes)
    assert database_of(tmp_path / "c")["Rear_1"]["annotations"][0]["label_id"] == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [("Drink\n", "lacks the label 'Phone'"), ("Phone\nPhone\n", "twice"), ("", "lacks"), (b"\xff\xfe", "no UTF-8"),
     (None, "No such file")],
)  # fmt: skip
def test_wrong_classes_are_refused(finished, tmp_path, content, words):
    actions = write_actions(tmp_path / "a.json", Dash_1=("training", ["Phone"]))
    if content is not None:
        (tmp_path / "classes.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=f"--classes .*{words}"):
        export_features(finished, tmp_path / "out", "opentad", actions, classes=tmp_path / "classes.txt")


def copy_features(finished: Path, path: Path, **changes) -> Path:
    """A feature file with other values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_features(path, replace(load_features(finished / "user_1/Dash_1.npz"), **changes))
    return path


def test_classes_of_the_network_stand_beside_its_features(finished, tmp_path):
    names = tuple("Wave Run Sit".split())
    copy_features(finished, tmp_path / "in/u/a.npz", class_names=names)
    copy_features(finished, tmp_path / "in/u/old.npz", class_names=())
    for kind in ("opentad", "npy"):
        export_features(tmp_path / "in", tmp_path / kind, kind)
        assert (tmp_path / kind / "category_idx.txt").read_text() == "Wave\nRun\nSit\n"
    export_features(finished, tmp_path / "out", "opentad")
    classes = load_features(finished / "user_1/Dash_1.npz").probs.shape[1]
    assert (tmp_path / "out/category_idx.txt").read_text().split() == [str(number) for number in range(classes)]
    copy_features(finished, tmp_path / "in/u/z.npz", class_names=names[::-1])
    with pytest.raises(InputError, match="another stride, window, width or classes"):
        export_features(tmp_path / "in", tmp_path / "out", "npy")


def test_times_that_a_toolkit_cannot_know_are_refused(finished, tmp_path):
    """A clip whose rate falls from 30 to 10 frames a second in the dark."""
    late = load_features(finished / "user_1/Dash_1.npz").start_time
    copy_features(finished, tmp_path / "in/u/a.npz", start_time=late + np.linspace(0, 14.5, len(late)))
    for kind in ("actionformer", "opentad"):
        with pytest.raises(InputError, match=r"a.npz: the frame rate.*changes.*14.5 s off.*--fps"):
            export_features(tmp_path / "in", tmp_path / "out", kind)
    export_features(tmp_path / "in", tmp_path / "out", "npy")
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert index["a"]["start_time"][-1] == pytest.approx(late[-1] + 14.5)


def test_values_that_are_no_numbers_are_not_exported(finished, tmp_path):
    feats = load_features(finished / "user_1/Dash_1.npz").feats.copy()
    feats[0, 0] = np.nan
    copy_features(finished, tmp_path / "in/u/a.npz", feats=feats)
    with pytest.raises(InputError, match="not all finite"):
        export_features(tmp_path / "in", tmp_path / "out", "npy")


def test_no_two_videos_become_one_file(finished, tmp_path):
    names = ["a/x", "b/x", "a/a__x", "a__b/y", "c/y", "a/b__y", "c/" + "n" * 250]
    for name in names:
        copy_features(finished, tmp_path / f"in/{name}.npz")
    assert export_features(tmp_path / "in", tmp_path / "out", "npy").startswith(f"{len(names)} videos")
    assert len(list((tmp_path / "out").glob("*.npy"))) == 2 * len(names)
    assert {"a__x", "b__x", "a__a__x"} <= set(json.loads((tmp_path / "out/index.json").read_text()))


def test_names_in_any_encoding(finished, tmp_path):
    composed, apart = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    for name in (os.fsdecode(b"no\xe9"), apart, "~a", "back\\slash"):
        copy_features(finished, tmp_path / "in/u" / f"{name}.npz")
    actions = write_actions(tmp_path / "a.json", **{composed: ("training", ["Phone"])})
    said = export_features(tmp_path / "in", tmp_path / "out", "actionformer", actions)
    assert said.startswith("4 videos") and "no features" not in said
    database = database_of(tmp_path / "out")
    assert set(database) == {"no\\xe9", apart, "~a", "back\\slash"} and database[apart]["annotations"]
    assert all((tmp_path / "out/features" / f"{key}.npy").is_file() for key in database)


def test_deleted_videos_are_not_exported(helpers, clips, tmp_path):
    videos = tmp_path / "videos"
    shutil.copytree(clips / "user_1", videos / "user_1")
    helpers.extract(videos, tmp_path / "in")
    (videos / "user_1/Rear_1.mp4").unlink()
    said = export_features(tmp_path / "in", tmp_path / "out", "npy")
    assert "2 videos written" in said and "1 left out, the video is no longer there (user_1/Rear_1.mp4)" in said
    assert set(json.loads((tmp_path / "out/index.json").read_text())) == {"Dash_1", "Right_1"}
    # Features that have moved to another machine, without their videos, are all there is.
    shutil.rmtree(videos)
    assert "3 videos written" in export_features(tmp_path / "in", tmp_path / "out2", "npy")
