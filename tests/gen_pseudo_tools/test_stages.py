import json
import pickle

import numpy as np
import pytest

from slowfast.parents import Input, MadeOf

EXPECTED_COUNTS = {1: 156, 2: 107, 3: 179, 4: 300}


def tool(stage):
    return f"gen_pseudo_tools/generate_pseudo_label_stage{stage}.py"


def small_inputs(kit, folder, rows=6, classes=11, names=None):
    """Four confident voters for a few videos; returns arguments and names."""
    names = names or [f"v{row}.mp4" for row in range(rows)]
    scores = 12.0 * np.eye(classes, dtype=np.float32)[np.arange(rows) % classes]
    arguments = ["--list", kit.write_list(folder / "list.csv", names)]
    for voter in kit.VOTERS:
        arguments += [f"--{voter}", kit.write_pkl(folder / f"{voter}.pkl", scores, video_names=names)]
    return arguments, names, scores


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
@pytest.mark.parametrize("with_names", [False, True], ids=["by_row", "by_name"])
def test_golden_rows(stage, with_names, golden, golden_inputs, run_tool, kit, tmp_path):
    arguments, _ = golden_inputs("predictions", with_names)
    result = run_tool(tool(stage), *arguments, "--output", tmp_path / "out" / "stage.csv")
    assert (result.code, result.err) == (0, "")
    text = (tmp_path / "out" / "stage.csv").read_bytes().decode()
    assert "\r" not in text
    found, found_probs = kit.read_rows(text)
    wanted, wanted_probs = kit.read_rows((golden / "pseudo" / f"stage{stage}.csv").read_text())
    assert found == wanted
    np.testing.assert_allclose(found_probs, wanted_probs, atol=1e-6, rtol=0)
    assert len(found) == EXPECTED_COUNTS[stage]


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_golden_edge_rows(stage, golden, golden_inputs, run_tool, kit, tmp_path):
    arguments, _ = golden_inputs("edge_mixed")
    result = run_tool(tool(stage), *arguments, "--output", tmp_path / "o.csv")
    assert result.code == 0
    assert "1 of 10 videos have no scores" in result.err and "e5.mp4" in result.err
    lines = json.loads((golden / "pseudo" / "expected.json").read_text())["edge"]["edge_mixed"][f"stage{stage}"]["csv"]
    wanted, wanted_probs = kit.read_rows("\n".join(line for line in lines if not line.startswith("e5.mp4")))
    found, found_probs = kit.read_rows((tmp_path / "o.csv").read_text())
    assert found == wanted
    np.testing.assert_allclose(found_probs, wanted_probs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_empty_selection_writes_nothing(stage, golden_inputs, run_tool, kit, tmp_path):
    arguments, _ = golden_inputs("edge_empty")
    (tmp_path / "o.csv").write_text("before")
    result = run_tool(tool(stage), *arguments, "--output", tmp_path / "o.csv")
    assert result.code == 2 and "selects none of the 5 rows" in result.err
    assert (tmp_path / "o.csv").read_text() == "before" and not (tmp_path / "o.json").exists()


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_predictions_of_another_round_than_the_one_before_are_refused(stage, run_tool, kit, tmp_path):
    arguments, names, scores = small_inputs(kit, tmp_path)
    for number, voter in enumerate(kit.VOTERS):
        weights = Input(str(number), round=1)
        made_of = MadeOf("predictions", {"weights": weights}).as_plain()
        kit.write_pkl(tmp_path / f"{voter}.pkl", scores, video_names=names, made_of=made_of)
    result = run_tool(tool(stage), *arguments, "--output", tmp_path / "stage.csv")
    assert result.code == (0 if stage == 2 else 2)
    assert stage == 2 or f"ssv2.pkl is of round 1, but predictions of round {stage - 1} belong here" in result.err
    assert run_tool(tool(stage), *arguments, "--output", tmp_path / "stage.csv", "--mixed").code == 0


def test_record_names_its_parents(run_tool, kit, tmp_path):
    arguments, names, _ = small_inputs(kit, tmp_path)
    run_tool(tool(1), *arguments, "--output", tmp_path / "stage1.csv")
    record = json.loads((tmp_path / "stage1.json").read_text())
    assert record["kept"] == record["pool"] == len(names)
    assert record["kept_per_class"] == [1] * 6 + [0] * 5
    assert record["weights"]["usual"] == {"ssv2": 0.375, "uni": 0.375, "mvit": 0.1, "sf": 0.1}
    assert record["thresholds"][:2] == [0.509, 0.385]
    assert all(len(record["inputs"][voter]["sha256"]) == 64 for voter in kit.VOTERS)


def test_rows_follow_the_list_and_nan_rows_never_enter(run_tool, kit, tmp_path):
    arguments, names, scores = small_inputs(kit, tmp_path)
    scores[6 % len(scores)] = np.nan
    kit.write_pkl(tmp_path / "sf.pkl", scores[::-1], video_names=names[::-1])
    result = run_tool(tool(4), *arguments, "--output", tmp_path / "o.csv")
    assert result.code == 0 and "v0.mp4" in result.err
    rows, _ = kit.read_rows((tmp_path / "o.csv").read_text())
    assert [row[0] for row in rows] == names[1:]


def spoil_length(kit, folder, names, scores):
    kit.write_pkl(folder / "uni.pkl", scores[:-1])
    return "has 5 rows and no names, but"


def spoil_named_length(kit, folder, names, scores):
    kit.write_pkl(folder / "uni.pkl", scores[:-1], video_names=names[:-1])
    return "lacks 'v5.mp4'"


def spoil_names(kit, folder, names, scores):
    kit.write_pkl(folder / "mvit.pkl", scores, video_names=["other.mp4", *names[1:]])
    return "lacks 'v0.mp4'"


def spoil_extra(kit, folder, names, scores):
    kit.write_pkl(folder / "mvit.pkl", np.concatenate([scores, scores[:1]]), video_names=[*names, "more.mp4"])
    return "'more.mp4', which is not in the list"


def spoil_twice(kit, folder, names, scores):
    kit.write_pkl(folder / "sf.pkl", scores, video_names=[names[1], *names[1:]])
    return "'v1.mp4' stands twice"


def spoil_list_twice(kit, folder, names, scores):
    kit.write_list(folder / "list.csv", [names[1], *names[1:]])
    return "'v1.mp4' stands twice"


def spoil_classes(kit, folder, names, scores):
    kit.write_pkl(folder / "uni.pkl", scores[:, :9], video_names=names)
    return "has 9 classes but"


def spoil_all_classes(kit, folder, names, scores):
    for voter in kit.VOTERS:
        kit.write_pkl(folder / f"{voter}.pkl", scores[:, :9], video_names=names)
    return "the published rules are for 11"


def spoil_class_names(kit, folder, names, scores):
    kit.write_pkl(folder / "uni.pkl", scores, video_names=names, class_names=[f"a{k}" for k in range(11)])
    kit.write_pkl(folder / "sf.pkl", scores, video_names=names, class_names=[f"b{k}" for k in range(11)])
    return "same classes in the same order"


def spoil_all_nan(kit, folder, names, scores):
    kit.write_pkl(folder / "uni.pkl", np.full_like(scores, np.nan), video_names=names)
    return "selects none"


def spoil_malicious(kit, folder, names, scores):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    (folder / "uni.pkl").write_bytes(pickle.dumps({"video_preds": scores, "video_labels": Evil()}))
    return "asks for 'builtins.print'"


def spoil_truncated(kit, folder, names, scores):
    (folder / "uni.pkl").write_bytes((folder / "uni.pkl").read_bytes()[:60])
    return "damaged"


def spoil_absent(kit, folder, names, scores):
    (folder / "uni.pkl").unlink()
    return "does not exist, but --uni needs it"


def spoil_list_absent(kit, folder, names, scores):
    (folder / "list.csv").unlink()
    return "the list does not exist"


def spoil_list_empty(kit, folder, names, scores):
    (folder / "list.csv").write_text("")
    return "the list is empty"


def spoil_list_label(kit, folder, names, scores):
    kit.write_list(folder / "list.csv", names, ["walk"] * 6)
    return "line 1: has the label 'walk'"


SPOILERS = [value for name, value in sorted(globals().items()) if name.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_bad_input_is_one_sentence_and_touches_nothing(spoil, run_tool, kit, tmp_path):
    arguments, names, scores = small_inputs(kit, tmp_path)
    output = tmp_path / "o.csv"
    output.write_text("before")
    phrase = spoil(kit, tmp_path, names, scores)
    result = run_tool(tool(1), *arguments, "--output", output)
    assert result.code == 2
    errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and phrase in errors[0]
    assert "Traceback" not in result.err and "executed" not in result.out
    assert output.read_text() == "before" and not (tmp_path / "o.json").exists()


def test_other_kind_of_score_is_said(run_tool, kit, tmp_path):
    arguments, names, scores = small_inputs(kit, tmp_path)
    kit.write_pkl(tmp_path / "mvit.pkl", scores, video_names=names, score_kind="logits")
    result = run_tool(tool(1), *arguments, "--output", tmp_path / "o.csv")
    assert result.code == 0 and "tuned for probs of mvit" in result.err


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_help_has_an_example(stage, run_tool):
    result = run_tool(tool(stage), "--help")
    assert result.code == 0 and "example:" in result.out
