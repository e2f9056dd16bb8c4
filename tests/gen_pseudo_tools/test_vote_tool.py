import numpy as np
import pytest

from slowfast.ensemble.rules import submission_rules

TOOL = "test_ensemble_vote.py"
FILES = [(layout, model, path) for layout, files in submission_rules().files.items() for model, path in files.items()]


@pytest.fixture
def experiment_root(golden, kit, tmp_path):
    """The golden predictions in the folders of the experiments."""
    arrays = np.load(golden / "ensemble" / "predictions.npz")
    for _, model, path in FILES:
        kit.write_pkl(tmp_path / path, arrays[f"{model}_{path[-7:-4]}"], video_names=arrays["names"].tolist())
    kit.write_list(tmp_path / "test.csv", arrays["names"])
    return tmp_path


def call(run_tool, root, *more):
    return run_tool(TOOL, "--exp-root", root, "--list", root / "test.csv", "--output-dir", root / "submission", *more)


def test_golden_submission(experiment_root, golden, run_tool):
    result = call(run_tool, experiment_root)
    assert (result.code, result.err) == (0, "")
    for name in ["arid_pred.csv", *(f"arid_pred_{mode}.csv" for mode in range(5))]:
        found = (experiment_root / "submission" / name).read_bytes()
        assert found == (golden / "ensemble" / name).read_bytes(), name


def test_rows_in_another_order_are_joined_by_name(experiment_root, golden, kit, run_tool):
    arrays = np.load(golden / "ensemble" / "predictions.npz")
    order = np.random.default_rng(1).permutation(400)
    path = FILES[0][2]
    kit.write_pkl(experiment_root / path, arrays["ssv2_1x3"][order], video_names=arrays["names"][order].tolist())
    assert call(run_tool, experiment_root).code == 0
    found = (experiment_root / "submission" / "arid_pred.csv").read_bytes()
    assert found == (golden / "ensemble" / "arid_pred.csv").read_bytes()


def test_missing_files_are_named_together(experiment_root, run_tool):
    (experiment_root / FILES[1][2]).unlink()
    (experiment_root / FILES[9][2]).unlink()
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "2 of 10 prediction files are missing" in result.err
    assert FILES[1][2] in result.err and FILES[9][2] in result.err
    assert not (experiment_root / "submission").exists()


def test_videos_without_scores(experiment_root, golden, kit, run_tool):
    arrays = np.load(golden / "ensemble" / "predictions.npz")
    scores = arrays["sf_1x3"].copy()
    scores[17] = np.nan
    path = next(path for layout, model, path in FILES if (layout, model) == ("1x3", "sf"))
    kit.write_pkl(experiment_root / path, scores, video_names=arrays["names"].tolist())
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "1 videos have no scores" in result.err and str(arrays["names"][17]) in result.err
    assert not (experiment_root / "submission").exists()
    assert call(run_tool, experiment_root, "--fill-missing").code == 0
    assert "nan" not in (experiment_root / "submission" / "arid_pred.csv").read_text()


def test_other_class_count(experiment_root, kit, run_tool):
    for _, _, path in FILES:
        kit.write_pkl(experiment_root / path, np.ones((400, 5), "f4"))
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "has 5 classes, but the corrections are for 11" in result.err


def test_list_of_another_length(experiment_root, kit, run_tool):
    kit.write_list(experiment_root / "test.csv", ["a.mp4", "b.mp4"])
    result = call(run_tool, experiment_root)
    assert result.code == 2 and "does not belong to" in result.err
