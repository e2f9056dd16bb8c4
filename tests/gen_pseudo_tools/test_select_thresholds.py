import json

import numpy as np
import pytest

TOOL = "gen_pseudo_tools/select_thresholds.py"


def test_golden_search(golden, golden_inputs, run_tool, kit, tmp_path):
    arguments, arrays = golden_inputs("predictions")
    truth = kit.write_list(tmp_path / "truth.csv", arrays["ids"], arrays["labels"])
    result = run_tool(TOOL, "--truth", truth, *arguments, "--json", tmp_path / "t.json")
    assert (result.code, result.err) == (0, "")
    found = json.loads((tmp_path / "t.json").read_text())
    expected = json.loads((golden / "pseudo" / "expected.json").read_text())["threshold_search"]
    assert found["threshold_search"].keys() == expected.keys()
    for label, wanted in expected.items():
        search = found["threshold_search"][label]
        assert search["num_real"] == wanted["num_real"]
        keys = ("th", "selected", "correct", "precision", "selected_over_real")
        for point, printed in zip(search["improvements"], wanted["printed_improvements"], strict=True):
            assert [point[key] for key in keys] == [printed[key] for key in keys]
        best = search["optimum"]
        recall = best["correct"] / wanted["num_real"]
        assert best["f1"] == pytest.approx(2 * best["precision"] * recall / (best["precision"] + recall))
        assert found["thresholds"][label] == wanted["optimum"]["th"]
        assert search["best_f1"]["f1"] >= best["f1"]


def test_rows_without_truth_do_not_count(golden_inputs, run_tool, kit, tmp_path):
    arguments, arrays = golden_inputs("predictions")
    part = slice(100, 300)
    truth = kit.write_list(tmp_path / "truth.csv", arrays["ids"][part], arrays["labels"][part])
    assert run_tool(TOOL, "--truth", truth, *arguments, "--json", tmp_path / "t.json").code == 0
    found = json.loads((tmp_path / "t.json").read_text())
    assert found["labelled_rows"] == 200
    counts = np.bincount(arrays["labels"][part], minlength=11).tolist()
    assert [found["threshold_search"][str(label)]["num_real"] for label in range(11)] == counts


def test_truth_of_other_videos(golden_inputs, run_tool, kit, tmp_path):
    arguments, _ = golden_inputs("edge_mixed")
    truth = kit.write_list(tmp_path / "truth.csv", ["x.mp4"], [3])
    result = run_tool(TOOL, "--truth", truth, *arguments, "--json", tmp_path / "t.json")
    assert result.code == 2 and "labels none of the videos" in result.err
    assert not (tmp_path / "t.json").exists()


def test_labelled_videos_without_scores(golden_inputs, run_tool, kit, tmp_path):
    arguments, arrays = golden_inputs("edge_mixed")
    truth = kit.write_list(tmp_path / "truth.csv", arrays["ids"], [3] * 10)
    kit.write_pkl(tmp_path / "uni.pkl", np.full_like(arrays["uni"], np.nan))
    result = run_tool(TOOL, "--truth", truth, *arguments, "--json", tmp_path / "t.json")
    assert result.code == 2 and "none of the videos" in result.err and "has scores" in result.err
    assert not (tmp_path / "t.json").exists()


def test_truth_with_a_class_too_many(golden_inputs, run_tool, kit, tmp_path):
    arguments, arrays = golden_inputs("edge_mixed")
    truth = kit.write_list(tmp_path / "truth.csv", arrays["ids"], [11] * 10)
    result = run_tool(TOOL, "--truth", truth, *arguments)
    assert result.code == 2 and "has the label 11" in result.err


def test_class_without_labelled_row(golden_inputs, run_tool, kit, tmp_path):
    arguments, arrays = golden_inputs("edge_mixed")
    truth = kit.write_list(tmp_path / "truth.csv", arrays["ids"], [3, 8, 7, 6, 0, 0, 9, 5, 10, 4])
    result = run_tool(TOOL, "--truth", truth, *arguments, "--json", tmp_path / "t.json")
    assert result.code == 0 and "no labelled row" in result.out
    assert json.loads((tmp_path / "t.json").read_text())["thresholds"]["1"] is None
