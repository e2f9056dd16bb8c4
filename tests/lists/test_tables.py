import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast.lists.tables import read_names, read_table, write_table

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(NAMES, min_size=1, max_size=8), seed=st.integers(0, 999))
def test_tables_come_back_exactly(names, seed, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    probs = np.random.default_rng(seed).dirichlet(np.ones(3) * 0.1, size=len(names))
    write_table(path, names, probs.argmax(axis=1), probs)
    found = read_table(path)
    assert found.names == names and found.labels.tolist() == probs.argmax(axis=1).tolist()
    np.testing.assert_array_equal(found.probs, probs)


def test_numbers_are_the_shortest_text(tmp_path):
    write_table(tmp_path / "t.csv", ["-_a.mp4"], np.array([1]), np.array([[8.88974088569458e-14, 0.5]]))
    assert (tmp_path / "t.csv").read_bytes() == b"-_a.mp4,1,8.88974088569458e-14,0.5\n"


def test_lists_of_all_kinds(tmp_path):
    (tmp_path / "l.csv").write_text('a.mp4,3\n\n"b,c.mp4",-1\r\nd.mp4\n')
    names, labels = read_names(tmp_path / "l.csv")
    assert names == ["a.mp4", "b,c.mp4", "d.mp4"] and labels.tolist() == [3, -1, -1]


@pytest.mark.parametrize(
    ("row", "name", "label"),
    [
        ("kick, hard.mp4,3", "kick, hard.mp4", 3), ("a,1,b.mp4,-1", "a,1,b.mp4", -1), ('a"b.mp4,2', 'a"b.mp4', 2),
        (" a.mp4 , 4", "a.mp4", 4), ("a.mp4,1,0.25,0.75", "a.mp4", 1), ("a.mp4,0,,", "a.mp4", 0),
        ('"x, y.mp4",5', "x, y.mp4", 5),
    ],
)  # fmt: skip
def test_names_as_they_come(row, name, label, tmp_path):
    (tmp_path / "l.csv").write_text(f"\ufeff{row}\n  \n", encoding="utf-8")
    names, labels = read_names(tmp_path / "l.csv")
    assert (names, labels.tolist()) == ([name], [label])


def test_empty_cells_are_missing(tmp_path):
    (tmp_path / "t.csv").write_text("a,0,,\nb,1,0.2,0.8\n")
    assert np.isnan(read_table(tmp_path / "t.csv").probs).tolist() == [[True, True], [False, False]]


MEASURE = """
import resource, sys
from slowfast.lists.names import check_unique
from slowfast.lists.tables import read_names
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
names, labels = read_names(sys.argv[1])
check_unique(names, "list")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("row", ["c{}.mp4,{}\n", "夜/{:08d}.mp4,{}\n"])
def test_a_long_list_needs_three_times_its_size(row, repo, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("".join(row.format(number, number % 11) for number in range(250_000)), encoding="utf-8")
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 3 * path.stat().st_size
