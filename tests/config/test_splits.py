"""Splits of any name, class names that belong to one set, and texts of the command line that stay what they are."""

import logging

import pytest

from slowfast.config import config_difference, dump_config, load_config
from slowfast.config.load import REPO_ROOT
from slowfast.utils.errors import ConfigError

BASE = "_BASE_: needed.yaml\n"
NEEDED = "MODEL: {ARCH: uniformer}\nTRAIN: {DATASET: ug2}\nTEST: {DATASET: ug2}\n"


@pytest.fixture
def load(tmp_path):
    def make(text, *opts):
        path = tmp_path / "a.yaml"
        (tmp_path / "needed.yaml").write_text(NEEDED)
        path.write_text(BASE + text)
        return load_config(path, opts)

    return make


def test_splits_of_any_name(load, tmp_path):
    cfg = load(
        "DATA: {SPLITS: {hmdb_dark: [b.csv, B], mine: [c.csv, '', light]}}\n",
        "DATA.SPLITS.other", "['d.csv', 'D', 'dark']", "DATA.SPLITS.flow", "[e e.csv, E]", "TEST.DATA_SELECT", "mine",
        "TEST.ALSO", "['other:1x1', 'hmdb_dark']",
    )  # fmt: skip
    assert cfg.DATA.SPLITS.hmdb_dark == ["b.csv", "B"] and cfg.DATA.SPLITS.mine == ["c.csv", "", "light"]
    assert cfg.DATA.SPLITS.other == ["d.csv", "D", "dark"] and cfg.DATA.SPLITS.flow == ["e e.csv", "E"]
    (tmp_path / "again.yaml").write_text(dump_config(cfg))
    assert load_config(tmp_path / "again.yaml") == cfg
    other = load("")
    assert config_difference(cfg, other)["DATA.SPLITS.mine"] == (["c.csv", "", "light"], None)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("[b.csv]", "DATA.SPLITS.x is ['b.csv'], [list, folder] or [list, folder, light] (or dark) is needed"),
        ("[b.csv, B, light, dark]", "DATA.SPLITS.x is"), ("[b.csv, 3]", "DATA.SPLITS.x is"),
        ("[b.csv, B, bright]", "DATA.SPLITS.x has 'bright' as its third part, light or dark is needed"),
        ("b.csv", "a.yaml: DATA.SPLITS.x is 'b.csv', a list is needed"),
    ],
)  # fmt: skip
def test_entries_that_cannot_be(entry, sentence, load):
    with pytest.raises(ConfigError) as caught:
        load(f"DATA: {{SPLITS: {{x: {entry}}}}}\n")
    assert sentence in str(caught.value)


def test_names_that_no_file_can_have(load):
    with pytest.raises(ConfigError, match="letters, digits and _"):
        load("DATA: {SPLITS: {'a/b': [b.csv, B]}}\n")
    with pytest.raises(ConfigError, match="PATH_LABEL_SEPARATOR is ''"):
        load("DATA: {PATH_LABEL_SEPARATOR: ''}\n")
    with pytest.raises(ConfigError, match="'nowhere', a split of DATA.SPLITS is needed"):
        load("", "TEST.DATA_SELECT", "nowhere")


def test_class_names_of_another_set_are_dropped(load, caplog):
    names = "DATA: {CLASS_NAMES: [a, b, c]}\nMODEL: {NUM_CLASSES: 3}\n"
    assert load(names).DATA.CLASS_NAMES == ["a", "b", "c"]
    with caplog.at_level(logging.WARNING):
        assert load(names, "MODEL.NUM_CLASSES", "5").DATA.CLASS_NAMES == []
    assert "the 3 DATA.CLASS_NAMES" in caplog.text
    caplog.clear()
    load("DATA: {CLASS_NAMES: []}\nMODEL: {NUM_CLASSES: 3}\n")  # as a resolved configuration without names has it
    assert not caplog.text
    with pytest.raises(ConfigError, match="DATA.CLASS_NAMES has 2 names, MODEL.NUM_CLASSES is 3"):
        load(names, "DATA.CLASS_NAMES", "[a, b]")


def test_arid_configurations_carry_the_names():
    for path in sorted(REPO_ROOT.glob("exp_*/*/config.yaml")):
        names = load_config(path).DATA.CLASS_NAMES
        assert names == "Drink Jump Pick Pour Push Run Sit Stand Turn Walk Wave".split(), path


def test_a_text_of_the_command_line_stays_what_it_is(load):
    for text in ("1e5", "0x10", "1_000", "2024_01_02", "12:30", "True", "1.0", "[run] 1", "[run]"):
        assert text == load("", "OUTPUT_DIR", text).OUTPUT_DIR
    assert load("", "OUTPUT_DIR", "'a b'").OUTPUT_DIR == "a b"
    assert load("OUTPUT_DIR: 1e5\n").OUTPUT_DIR == "1e5"
    assert load("", "SOLVER.BASE_LR", "2e-5", "SOLVER.COSINE_END_LR", "1e-6").SOLVER.BASE_LR == 2e-5
