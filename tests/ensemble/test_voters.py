"""Voters as entries of a schedule's configuration, and as options of the vote."""

from pathlib import Path

import pytest

from slowfast.ensemble.voters import Voter, parse_votes, read_schedule, read_voters, schedule_voters
from slowfast.utils.errors import InputError


def test_names_and_mappings_side_by_side():
    entries = ["a", {"name": "b", "experiment": "x", "weight": 2, "frames": 16, "crop": 224, "config": "b.yaml"}]
    first, second = read_voters(entries, frames=8, crop=56)
    assert first == Voter("a", "a", 1.0, 8, 56, "") and first.size == "8x56"
    assert second == Voter("b", "x", 2, 16, 224, "b.yaml") and second.size == "16x224"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "a list of names"),
        ("a", "a list of names"),
        (["a", "b", "a"], "'a' twice"),
        (["a/b"], "voters, entry 1: 'a/b', a name of letters"),
        ([{"weight": 1}], "a name of letters"),
        ([{"name": "a", "wieght": 1}], r"\(a\) has 'wieght', the fields are name, experiment, weight"),
        ([{"name": "a", "weight": 0}], "weight is 0, a number above 0"),
        ([{"name": "a", "weight": float("nan")}], "weight is nan"),
        ([{"name": "a", "frames": "8"}], "frames is '8', a whole number above 0"),
        ([{"name": "a", "config": 3}], "config is 3, a text"),
    ],
)
def test_wrong_entries_are_a_sentence(entries, said):
    with pytest.raises(InputError, match=said):
        read_voters(entries)


def test_schedules_of_the_repository_can_be_read(repo):
    for path in sorted((repo / "workflow").glob("*.yaml")):
        voters, experts = schedule_voters(path)
        assert 2 <= len(voters) <= 10 and {expert.name for expert in experts} <= {voter.name for voter in voters}


def test_an_expert_is_like_its_voter_unless_it_says_so():
    table = {"frames": 8, "crop": 56, "voters": ["a", {"name": "b", "frames": 16, "config": "b.yaml"}]}
    _, experts = read_schedule({**table, "experts": ["b", {"name": "a", "weight": 3}]})
    assert experts == [Voter("b", "b", 1.0, 16, 56, "b.yaml"), Voter("a", "a", 3, 8, 56, "")]
    assert read_schedule({**table, "experts": []})[1] == []


def test_a_schedule_says_where_the_networks_of_its_voters_lie():
    table = {"frames": 8, "crop": 56, "voters": ["a", {"name": "b", "config": "own.yaml"}], "experts": ["a", "b"]}
    voters, experts = read_schedule({**table, "config": "networks/{voter}.yaml"})
    assert (
        [voter.config for voter in voters] == [expert.config for expert in experts] == ["networks/a.yaml", "own.yaml"]
    )
    with pytest.raises(InputError, match="s.yaml: config is 3, the path of a voter's YAML file"):
        read_schedule({**table, "config": 3}, "s.yaml")


def test_options_of_the_vote():
    votes = parse_votes(["a=x/y.pkl", "b=C:0.5", "c=odd:name.pkl", "d=odd:3.pkl:2"])
    assert votes == {
        "a": (Path("x/y.pkl"), 1.0), "b": (Path("C"), 0.5), "c": (Path("odd:name.pkl"), 1.0),
        "d": (Path("odd:3.pkl"), 2.0),
    }  # fmt: skip
    for wrong in ("a", "=x.pkl", "a=", "a=x.pkl:0", "a=x.pkl:-1", "a=x.pkl:inf"):
        with pytest.raises(InputError, match="NAME=FILE"):
            parse_votes([wrong])
    with pytest.raises(InputError, match="'a' twice"):
        parse_votes(["a=x.pkl", "a=y.pkl"])
