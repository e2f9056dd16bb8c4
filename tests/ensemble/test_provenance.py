"""A pseudo-label table is trained on only as it was written, and votes are taken of what belongs together."""

import json

import numpy as np
import pytest

from slowfast.datasets.sources import round_of_table
from slowfast.ensemble import Predictions, load_predictions, save_predictions
from slowfast.ensemble.provenance import check_table, check_voters, made_of_vote
from slowfast.lists.tables import write_table
from slowfast.parents import Input, MadeOf, write_record
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "stage1.csv"
    path.write_text("a.mp4,1,0.1,0.9\n")
    return path


def record(table, digest):
    table.with_suffix(".json").write_text(json.dumps({"output": {"path": table.name, "sha256": digest}}))


def test_as_written_or_without_a_record(table, tmp_path):
    check_table(table)
    check_table(tmp_path / "none.csv")
    record(table, sha256_of(table))
    check_table(table)


def test_changed_since(table):
    record(table, sha256_of(table))
    table.write_text("a.mp4,0,0.1,0.9\n")
    with pytest.raises(InputError, match=r"stage1.csv: differs .* delete stage1.json if the change is meant"):
        check_table(table)


@pytest.mark.parametrize("text", ["", "[]", '{"output": 3}', "{" * 100_000])
def test_a_damaged_record(table, text):
    table.with_suffix(".json").write_text(text)
    with pytest.raises(InputError, match=r"stage1.json: cannot be read"):
        check_table(table)


def voter(name, *, rounds=1, clips="1", gamma=0.25, known=True):
    inputs = {"weights": Input(name[-5:] * 9, round=rounds), "list": Input("l" * 64, 2), "clips": Input(clips * 64, 2)}
    made_of = MadeOf("predictions", inputs, {"gamma": gamma}).as_plain() if known else None
    return Predictions(np.zeros((2, 3)), np.zeros(2), ["a", "b"], "logits", 1, source=name, made_of=made_of)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"rounds": 2}, "one.pkl and two.pkl are of round 1 and 2"),
        ({"clips": "2"}, "one.pkl and two.pkl saw other clips"),
        ({"gamma": 0.5}, "one.pkl and two.pkl are of gamma 0.25 and 0.5"),
    ],
)
def test_voters_that_do_not_belong_together_are_refused_by_name(other, said, capsys):
    voters = [voter("one.pkl"), voter("two.pkl", **other)]
    with pytest.raises(InputError, match=f"{said}: test the older one again, or pass --mixed"):
        check_voters(voters)
    check_voters(voters, mixed=True)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("other", [{}, {"known": False}, {"rounds": -1}])
def test_voters_that_fit_or_are_unknown_pass(other, capsys):
    check_voters([voter("one.pkl"), voter("two.pkl", **other)])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("folder", "belongs"), [("exp_adapt_bn", 0), ("exp_pseudo_stage2", 2), ("exp_experts", 1)])
def test_voters_that_are_all_of_one_wrong_round_are_refused(folder, belongs, capsys):
    voters = [voter(f"work/{folder}/a/one.pkl"), voter(f"work/{folder}/b/two.pkl")]
    said = f"a/one.pkl is of round 1, but predictions of round {belongs} belong here: test that round again, or pass"
    if belongs == 1:  # the folder does not say
        check_voters(voters)
    else:
        with pytest.raises(InputError, match=said):
            check_voters(voters)
        check_voters(voters, mixed=True)
        assert said.rpartition(":")[0] in capsys.readouterr().err
    check_voters(voters, of_round=1)
    with pytest.raises(InputError, match="of round 1, but predictions of round 3 belong here"):
        check_voters(voters, of_round=3)
    check_voters([voter(f"{folder}/one.pkl", known=False), voter(f"{folder}/two.pkl", rounds=-1)], of_round=3)


def test_a_copy_of_a_voter_is_told(capsys):
    check_voters([voter("one.pkl"), voter("copied/one.pkl")])
    assert "one.pkl and copied/one.pkl are predictions of the same weights" in capsys.readouterr().err


def test_rounds_count_from_table_to_table(tmp_path):
    (tmp_path / "pool.csv").write_text("a,0\nb,1\n")
    save_predictions(tmp_path / "p.pkl", voter("p", rounds=1))
    write_table(tmp_path / "stage2.csv", ["a", "b"], np.array([0, 1]), np.full((2, 3), 0.3))
    files = {"predictions 1": tmp_path / "p.pkl", "list": tmp_path / "pool.csv"}
    write_record(tmp_path / "stage2.csv", made_of_vote("table", files, {}), files)
    assert round_of_table(tmp_path / "stage2.csv") == 2
    # A table of earlier rounds is a witness; one without a record makes the round unknown.
    witness = {**files, "table 1": tmp_path / "stage2.csv"}
    assert made_of_vote("table", witness, {}).round == 1
    (tmp_path / "stage2.csv").write_text("changed by hand\n")
    assert made_of_vote("table", witness, {}).round == -1 == round_of_table(tmp_path / "stage2.csv")


@pytest.mark.parametrize(
    "made_of",
    [7, "x", [1], {"kind": "predictions"}, {"kind": "predictions", "settings": {"gamma": np.zeros(3), 3: b""}}],
)
def test_an_edited_record_of_a_voter_is_unknown(made_of, tmp_path, capsys):
    for name in ("one", "two"):
        preds = Predictions(np.zeros((2, 3)), np.zeros(2), ["a", "b"], "logits", 1, made_of=made_of)
        save_predictions(tmp_path / f"exp_pseudo_stage1/{name}.pkl", preds)
    paths = [tmp_path / "exp_pseudo_stage1/one.pkl", tmp_path / "exp_pseudo_stage1/two.pkl"]
    check_voters([load_predictions(path) for path in paths])
    assert made_of_vote("table", dict(zip("ab", paths)), {}).round == -1 and capsys.readouterr().err == ""
