"""Exports, read back by the rules that the toolkits document."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from slowfast.apps.export_features import export_features
from slowfast.features.store import load_features
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
    assert config["num_classes"] == 2
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
    assert Path(config["class_map"]).read_text().split("\n") == ["Drink", "Phone", ""]
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
    ["", "[]", "{}", '{"database": []}', actions(label=3, segment=[0, 1]), actions(label="x", segment=[5, 1])],
)
def test_wrong_annotations_are_refused(finished, tmp_path, text):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match="bad.json: not annotations"):
        export_features(finished, tmp_path / "out", "actionformer", tmp_path / "bad.json")


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
