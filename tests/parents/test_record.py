"""Records: equal for equal results, differences in words, beside the result what may differ."""

import json

import pytest

from slowfast.parents import Input, MadeOf, differences, input_of_rows, read_record, versions, write_record
from slowfast.parents.record import record_path, version_differences


def training(**changed):
    inputs = {"list train_label": input_of_rows([b"a 1", b"b 2"]), "starting weights": Input("77" * 32)}
    inputs |= changed.pop("inputs", {})
    return MadeOf("training", inputs, {"SOLVER.BASE_LR": 0.1, **changed}, {"torch": "2.14.1"})


def test_equal_content_is_the_same_identity_whatever_the_versions():
    other = training()
    other.made_with = {"torch": "2.15.0"}
    assert training().identity() == other.identity()
    assert differences(training(), other) == []
    assert version_differences(training(), other) == ["torch 2.14.1 and 2.15.0"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SOLVER.BASE_LR": 0.2}, "SOLVER.BASE_LR 0.1 and 0.2"),
        ({"TRAIN.METHOD": "x"}, "TRAIN.METHOD not set and x"),
        ({"inputs": {"list train_label": input_of_rows([b"a 1", b"b 3"])}}, "row 2 of list train_label"),
        ({"inputs": {"list train_label": input_of_rows([b"a 1"])}}, "row 2 of list train_label, 2 and 1 rows"),
        ({"inputs": {"starting weights": Input("88" * 32)}}, "the content of starting weights"),
        ({"inputs": {"starting weights": Input("missing")}}, "starting weights is missing"),
        ({"inputs": {"table": Input("88" * 32)}}, "table now only"),
    ],
)
def test_a_difference_is_said_and_changes_the_identity(changed, said):
    new = training(**changed)
    assert differences(training(), new) == [said]
    assert new.identity() != training().identity()


def test_round_is_that_of_the_furthest_input():
    assert training().round == 0
    assert training(inputs={"table": Input("1" * 64, round=2)}).round == 2


def test_record_beside_a_result(tmp_path):
    write_record(tmp_path / "best.pyth", training(), {"list train_label": tmp_path / "train.csv"})
    made_of, circumstances = read_record(tmp_path / "best.pyth")
    assert made_of == training()
    assert circumstances["paths"] == {"list train_label": str(tmp_path / "train.csv")}
    assert {"command", "host", "time", "commit"} <= circumstances.keys()


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"made_of": 3, "circumstances": []}', "[" * 50_000])
def test_damaged_and_absent_records_are_unknown(text, tmp_path):
    if text is not None:
        record_path(tmp_path / "x.pkl").write_text(text)
    assert read_record(tmp_path / "x.pkl") == (None, {})


def test_an_edited_record_is_no_traceback(tmp_path):
    plain = {"kind": "table", "inputs": {"a": 3, "b": {"digest": 5}}, "settings": [], "made_with": None}
    record_path(tmp_path / "x").write_text(json.dumps({"made_of": plain}))
    made_of, _ = read_record(tmp_path / "x")
    assert made_of.inputs == {"a": Input("unknown"), "b": Input("unknown")}


def test_versions_name_code_and_torch():
    assert len(versions()["code"]) == 16
    assert versions()["torch"].startswith(("2.", "3."))


def test_small_form_has_no_marks():
    assert "marks" not in json.dumps(training().as_plain(marks=False))
    assert MadeOf.from_plain(training().as_plain(marks=False)).identity() == training().identity()


@pytest.mark.parametrize(
    "plain",
    [None, 7, [], {}, {"kind": 5}, {"kind": "a", "settings": {3: 1, "b": 2}}, {"kind": "a", "settings": {"g": {1}}}],
)
def test_what_is_no_record_is_unknown(plain):
    assert MadeOf.from_plain(plain) is None


def test_an_edited_record_is_read_with_what_is_unknown():
    plain = {"kind": "predictions", "inputs": {"weights": {"digest": 5, "round": True, "marks": 7}, "list": 3},
             "settings": [], "made_with": {"torch": [1]}}  # fmt: skip
    made_of = MadeOf.from_plain(plain)
    assert made_of.inputs["weights"] == Input("unknown") == made_of.inputs["list"] and made_of.settings == {}
    assert made_of.identity() and differences(made_of, training()) and differences(training(), made_of)
    assert MadeOf.from_plain({"kind": "predictions", "inputs": []}).round == -1 == MadeOf("training").round
