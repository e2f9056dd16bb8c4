"""A pseudo-label table is trained on only as it was written."""

import json

import pytest

from slowfast.ensemble.provenance import check_table
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
