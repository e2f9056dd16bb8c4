"""The corrected table, its record, and the corrections that win in the next selection."""

import json
import subprocess
import sys

import numpy as np
import pytest

from slowfast.apps.review.export import export
from slowfast.apps.review.journal import Decision
from slowfast.apps.review.state import open_review
from slowfast.ensemble.provenance import check_table
from slowfast.lists.tables import read_names, read_table
from slowfast.utils.errors import InputError
from slowfast.utils.files import sha256_of

from ..report.schedule import HOSTILE


@pytest.fixture
def decided(table):
    """A review with one decision of each kind, and one on a clip of another table."""
    review = open_review(table)
    rows = {"confirm": 3, "correct": 4, "reject": 5}
    for decision, row in rows.items():
        review.decide("tab", row, decision, (int(review.table.labels[row]) + 1) % 3)
    review.journal.append(Decision("other.mp4", "reject"))
    return review, table


def test_confirmed_outweighs_rejected_stays_out(decided, tmp_path):
    review, source = decided
    counts = export(review, source, tmp_path / "out.csv")
    assert counts == {"confirm": 1, "correct": 1, "reject": 1, "undecided": 27, "of_other_clips": 1, "damaged": 0}
    before, after = review.table, read_table(tmp_path / "out.csv")
    assert after.names == before.names[:5] + before.names[6:] and HOSTILE in after.names
    assert after.labels[3] == before.labels[3] and after.labels[4] == (before.labels[4] + 1) % 3
    assert after.probs[3, after.labels[3]] == after.probs[4, after.labels[4]] == 1.0
    assert after.probs[3:5].sum() == 2.0
    assert np.array_equal(after.probs[5:], before.probs[6:]) and np.array_equal(after.probs[:3], before.probs[:3])


def test_the_record_names_parents_and_fits_the_table(decided, tmp_path):
    review, source = decided
    export(review, source, tmp_path / "out.csv")
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["inputs"]["table"][0]["sha256"] == sha256_of(source)
    assert record["inputs"]["journal"][0]["sha256"] == sha256_of(review.journal.path)
    assert (record["pool"], record["kept"], sum(record["kept_per_class"])) == (30, 29, 29)
    assert record["measured_precision"]["reviewed"] + record["measured_precision"]["sampled"] <= 3
    check_table(tmp_path / "out.csv")


def test_the_corrections_are_read_by_the_next_selection(decided, tmp_path, repo, voters):
    review, source = decided
    export(review, source, tmp_path / "out.csv")
    names, labels_N = read_names(tmp_path / "out_corrections.csv", labelled=True)
    assert names == review.table.names[3:6] and labels_N.tolist()[2] == -1
    command = [sys.executable, repo / "gen_pseudo_tools/select_pseudo_labels.py", "--predictions", *voters]
    command += ["--fixed", tmp_path / "out_corrections.csv", "--output", tmp_path / "next.csv", "--coverage", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    chosen = read_table(tmp_path / "next.csv")
    found = dict(zip(chosen.names, chosen.labels.tolist()))
    assert [found.get(name, -1) for name in names] == labels_N.tolist()


def test_nothing_to_export_or_the_table_itself_is_refused(table, tmp_path):
    review = open_review(table)
    with pytest.raises(InputError, match="no decision"):
        export(review, table, tmp_path / "out.csv")
    review.decide("tab", 0, "reject", -1)
    with pytest.raises(InputError, match="under review"):
        export(review, table, table)
    for row in range(1, 30):
        review.decide("tab", row, "reject", -1)
    with pytest.raises(InputError, match="every clip was rejected"):
        export(review, table, tmp_path / "out.csv")


def test_the_command_exports_without_a_page(decided, tmp_path, repo):
    command = [sys.executable, repo / "tools/review.py", decided[1], "--export", tmp_path / "out.csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "1 confirm, 1 correct, 1 reject, 27 undecided" in done.stdout, done.stderr
    assert len(read_table(tmp_path / "out.csv").names) == 29
