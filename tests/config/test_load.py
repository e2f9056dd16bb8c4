"""Reading configurations: bases, overrides, every error in one report."""

import logging

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slowfast.config import config_difference, dump_config, flatten, get_cfg, load_config
from slowfast.utils.errors import ConfigError, InputError

NEEDED = "MODEL: {ARCH: uniformer}\nTRAIN: {DATASET: ug2_sparse}\nTEST: {DATASET: ug2_sparse}\n"


@pytest.fixture
def write(tmp_path):
    """Write a YAML file and return its path; the keys that have no usable default come first."""

    def _write(name: str, text: str, needed: bool = True):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if needed:
            base = tmp_path / f"needed_{path.name}"
            base.write_text(NEEDED)
            path.write_text(f"_BASE_: {base}\n{text}")
        return path

    return _write


def error_of(path, opts=()) -> str:
    """Return the text of the refusal."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, opts)
    return str(caught.value)


def test_file_over_defaults_and_overrides_over_file(write):
    cfg = load_config(write("a.yaml", "SOLVER: {BASE_LR: 0.5, MAX_EPOCH: 3}"), ["SOLVER.MAX_EPOCH", "7"])
    assert (cfg.SOLVER.BASE_LR, cfg.SOLVER.MAX_EPOCH, cfg.SOLVER.MOMENTUM) == (0.5, 7, 0.9)


def test_the_last_override_of_a_key_wins(write):
    cfg = load_config(write("a.yaml", ""), ["RNG_SEED", "3", "RNG_SEED", "4"])
    assert cfg.RNG_SEED == 4


def test_result_is_frozen_and_defaults_stay(write):
    cfg = load_config(write("a.yaml", "RNG_SEED: 5"))
    with pytest.raises(AttributeError):
        cfg.RNG_SEED = 6
    assert get_cfg().RNG_SEED == 1


@pytest.mark.parametrize("text", ["_BASE_: base.yaml", "_BASE_: [base.yaml]", "_BASE_: [other.yaml, base.yaml]"])
def test_base_is_relative_to_its_file_and_later_bases_win(tmp_path, text):
    (tmp_path / "base.yaml").write_text(NEEDED + "RNG_SEED: 11\n")
    (tmp_path / "other.yaml").write_text("RNG_SEED: 12\nLOG_PERIOD: 3\n")
    (tmp_path / "sub.yaml").write_text(text + "\nDATA: {NUM_FRAMES: 4}\n")
    cfg = load_config(tmp_path / "sub.yaml")
    assert (11, 4, 3 if "other" in text else 10) == (cfg.RNG_SEED, cfg.DATA.NUM_FRAMES, cfg.LOG_PERIOD)


def test_base_of_a_base_in_another_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.yaml").write_text("_BASE_: ../two.yaml\nRNG_SEED: 2\n")
    (tmp_path / "two.yaml").write_text(NEEDED + "RNG_SEED: 1\nLOG_PERIOD: 5\n")
    (tmp_path / "top.yaml").write_text("_BASE_: deep/one.yaml\n")
    cfg = load_config(tmp_path / "top.yaml")
    assert (cfg.RNG_SEED, cfg.LOG_PERIOD) == (2, 5)


def test_circle_of_bases_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("_BASE_: b.yaml\n")
    (tmp_path / "b.yaml").write_text("_BASE_: a.yaml\n")
    assert "circle" in error_of(tmp_path / "a.yaml")


def test_several_files_later_ones_win(write):
    first, second = write("a.yaml", "RNG_SEED: 1\nLOG_PERIOD: 2"), write("b.yaml", "RNG_SEED: 3", needed=False)
    cfg = load_config([first, second])
    assert (cfg.RNG_SEED, cfg.LOG_PERIOD) == (3, 2)


def test_missing_file_and_missing_base_are_named(write, tmp_path):
    assert "none.yaml: no such configuration file" in error_of(tmp_path / "none.yaml")
    assert "gone.yaml: no such configuration file" in error_of(write("a.yaml", "_BASE_: gone.yaml", needed=False))


def test_duplicate_key_names_key_and_line(write):
    text = error_of(write("a.yaml", "DATA:\n  NUM_FRAMES: 8\n  MEAN: [0, 0, 0]\n  NUM_FRAMES: 9\n", needed=False))
    assert text.startswith("a.yaml: key DATA.NUM_FRAMES is given twice, again in line 4")


def test_duplicate_section_is_refused(write):
    assert "key DATA is given twice, again in line 2" in error_of(
        write("a.yaml", "DATA: {NUM_FRAMES: 8}\nDATA: {NUM_FRAMES: 8}\n", False)
    )


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("SOLVER.BASE_LRR", "SOLVER.BASE_LR"),
        ("DATA.NUM_FRAME", "DATA.NUM_FRAMES"),
        ("solver.max_epoch", "SOLVER.MAX_EPOCH"),
        ("NUM_CLASSES", "MODEL.NUM_CLASSES"),
        ("DATA.GAMMA.VALDARK", "DATA.GAMMA.VAL_DARK"),
    ],
)
def test_unknown_key_names_the_nearest(write, key, meant):
    text = error_of(write("a.yaml", ""), [key, "1"])
    assert text == f"command line: unknown key {key}, did you mean {meant}?"


def test_all_errors_are_reported_together(write):
    path = write("a.yaml", "SOLVER: {BASE_LRR: 1, MAX_EPOCH: many}\nDATA: {NUM_FRAMES: [8]}")
    text = error_of(path, ["MODEL.NUM_CLASES", "11", "TRAIN.ENABLE", "3", "RNG_SEED"])
    for part in (
        "a.yaml: unknown key SOLVER.BASE_LRR",
        "a.yaml: SOLVER.MAX_EPOCH is 'many'",
        "a.yaml: DATA.NUM_FRAMES is [8]",
        "command line: unknown key MODEL.NUM_CLASES, did you mean MODEL.NUM_CLASSES?",
        "command line: TRAIN.ENABLE is 3",
        "'RNG_SEED' has no value",
    ):
        assert part in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SOLVER.BASE_LR", "fast"), ("TRAIN.ENABLE", "1"), ("TRAIN.ENABLE", "yes"), ("DATA.NUM_FRAMES", "1.5"),
        ("DATA.MEAN", "0.45"), ("AUG.NUM_SAMPLE", "True"), ("SOLVER.MAX_EPOCH", "None"),
    ],
)  # fmt: skip
def test_wrong_type_names_key_value_and_type(write, key, value):
    text = error_of(write("a.yaml", ""), [key, value])
    assert text.startswith(f"command line: {key} is ") and "is needed" in text


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("SOLVER.BASE_LR", "1e-4", 1e-4), ("SOLVER.BASE_LR", "1", 1.0), ("SOLVER.WARMUP_EPOCHS", "10.0", 10.0),
        ("SOLVER.MAX_EPOCH", "3.0", 3), ("TRAIN.ENABLE", "False", False), ("TRAIN.ENABLE", "false", False),
        ("DATA.MEAN", "(0.1, 0.2, 0.3)", [0.1, 0.2, 0.3]), ("DATA.MEAN", "[0.1,0.2,0.3]", [0.1, 0.2, 0.3]),
        ("DATA.PSEUDO_CSV", "pseudo/stage1.csv", "pseudo/stage1.csv"), ("DATA.PSEUDO_CSV", "2024", "2024"),
        ("DATA.PSEUDO_CSV", "None", ""), ("UNIFORMER.PRETRAIN_NAME", "None", None),
        ("UNIFORMER.PRETRAIN_NAME", "some_name", "some_name"), ("DATA.PATH_LABEL_SEPARATOR", ",", ","),
    ],
)  # fmt: skip
def test_values_from_the_command_line(write, key, text, value):
    found = flatten(load_config(write("a.yaml", ""), [key, text]))[key]
    assert found == value and type(found) is type(value)


def test_numbers_in_yaml_without_a_point(write):
    assert flatten(load_config(write("a.yaml", "SOLVER: {BASE_LR: 1e-4}")))["SOLVER.BASE_LR"] == 1e-4


def test_keys_types_duplicates_and_conflicts_in_one_report(write):
    text = error_of(
        write(
            "a.yaml",
            "SOLVER: {BASE_LRR: 1, MAX_EPOCH: many, STEPS: [0, 1]}\nDATA:\n  NUM_FRAMES: 8\n  NUM_FRAMES: 9\n"
            "TEST: {NUM_SPATIAL_CROPS: 2}\n",
        )
    )
    assert text.split("; ") == [
        "a.yaml: key DATA.NUM_FRAMES is given twice, again in line 5",
        "a.yaml: unknown key SOLVER.BASE_LRR, did you mean SOLVER.BASE_LR?",
        "a.yaml: SOLVER.MAX_EPOCH is 'many', a whole number is needed (like 300)",
        "a.yaml: TEST.NUM_SPATIAL_CROPS is 2, 1 or 3 is needed",
        "a.yaml: SOLVER.STEPS and SOLVER.LRS need the same length",
    ]


def test_conflicts_that_follow_from_a_named_error_are_left_out(tmp_path):
    (tmp_path / "a.yaml").write_text(NEEDED.replace("ARCH", "ARHC"))
    assert error_of(tmp_path / "a.yaml") == "a.yaml: unknown key MODEL.ARHC, did you mean MODEL.ARCH?"


def test_several_conflicts_are_reported_together(write):
    text = error_of(write("a.yaml", "TEST: {NUM_SPATIAL_CROPS: 2}\nMODEL: {ARCH: resnet}\nDATA: {GAMMA: {TEST: 0.0}}"))
    for part in ("TEST.NUM_SPATIAL_CROPS is 2", "MODEL.ARCH is 'resnet'", "DATA.GAMMA.TEST is 0.0"):
        assert part in text


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text", "DATA: [1\n", "1: 2\n", "DATA: !!python/object:os.x {}\n"])
def test_what_is_no_configuration_is_one_sentence(write, text):
    message = error_of(write("a.yaml", text, needed=False))
    assert "a.yaml" in message and "\n" not in message


def test_binary_file_is_one_sentence(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00\x80" * 20)
    assert "not valid YAML" in error_of(tmp_path / "a.yaml")


def test_errors_are_input_errors():
    assert issubclass(ConfigError, InputError)


def test_upstream_keys_without_effect_are_named_in_one_warning(write, caplog):
    path = write("a.yaml", "SLOWFAST: {ALPHA: 4}\nUNIFORMER: {NUM_HEADS: [1, 2]}")
    with caplog.at_level(logging.WARNING):
        load_config(path, ["TRAIN.THRESHOLD", "-1", "TRAIN.THRESHOLD", "2"])
    assert [record.getMessage() for record in caplog.records] == [
        "a.yaml: keys without effect here: SLOWFAST.ALPHA TRAIN.THRESHOLD UNIFORMER.NUM_HEADS"
    ]


def test_dump_loads_again(write, tmp_path):
    cfg = load_config(write("a.yaml", "DATA: {GAMMA: {BN: 0.5}, CLASS_NAMES: []}"), ["DATA.PATH_LABEL_SEPARATOR", ","])
    (tmp_path / "dump.yaml").write_text(dump_config(cfg))
    again = load_config(tmp_path / "dump.yaml")
    assert config_difference(cfg, again) == {}
    assert yaml.safe_load(dump_config(cfg))["DATA"]["GAMMA"]["BN"] == 0.5


def test_difference_names_only_what_differs(write):
    first, second = load_config(write("a.yaml", "")), load_config(write("b.yaml", "RNG_SEED: 9"))
    assert config_difference(first, second) == {"RNG_SEED": (1, 9)}


def test_output_dir_of_an_experiment_is_its_folder(repo, tmp_path, monkeypatch, write):
    def output(path, opts=()):
        return flatten(load_config(path, opts))["OUTPUT_DIR"]

    name = "exp_adapt_bn/sf32_k700"
    monkeypatch.chdir(repo / "exp_adapt_bn")
    (tmp_path / "link").symlink_to(repo)
    assert output("sf32_k700/config.yaml") == name
    assert output(repo / "exp_pseudo_stage1" / ".." / name / "config.yaml") == name
    assert output(tmp_path / "link" / name / "config.yaml") == name
    assert output(repo / name / "config.yaml", ["OUTPUT_DIR", "out"]) == "out"
    assert output(write("a.yaml", "")) == "./tmp"


def test_path_from_another_directory_is_taken_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert flatten(load_config("exp_adapt_bn/sf32_k700/config.yaml"))["MODEL.ARCH"] == "sf"


KEYS = st.sampled_from([*flatten(get_cfg()), "DATA", "SOLVER", "A.B", "_BASE_", "", "DATA.GAMMA", "AVA", "AVA.X"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3), st.just({"X": 1}), st.just("[[1,"),
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(KEYS, VALUES), max_size=4))
def test_any_override_loads_or_is_refused_with_a_sentence(write, pairs):
    path = write("a.yaml", "")
    try:
        load_config(path, [part for key, value in pairs for part in (key, str(value))])
    except ConfigError as error:
        assert "\n" not in str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_yaml_loads_or_is_refused_with_a_sentence(write, tree):
    nested: dict = {}
    for key, value in tree.items():
        *sections, leaf = key.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                break
        else:
            place[leaf] = value
    path = write("a.yaml", yaml.safe_dump(nested), needed=False)
    try:
        load_config(path)
    except ConfigError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("file", "opts", "text"),
    [
        ("", ["TRAIN.BATCH_SIZE", "0"], "command line: TRAIN.BATCH_SIZE is 0, at least 1 is needed"),
        ("TRAIN: {BATCH_SIZE: 4}", ["TRAIN.BATCH_SIZE", "0"], "command line: TRAIN.BATCH_SIZE is 0, at least 1"),
        ("TRAIN: {BATCH_SIZE: 0}", ["RNG_SEED", "3"], "a.yaml: TRAIN.BATCH_SIZE is 0"),
        ("DATA: {TEST_CROP_SIZE: 64}", ["MODEL.ARCH", "mvit", "DATA.TRAIN_CROP_SIZE", "32"],
         "command line: MViT has one table of positions"),
        ("MVIT: {DEPTH: 2.5}", [], "a.yaml: MVIT.DEPTH is 2.5, a whole number is needed"),
        ("", ["SOLVER.BASE_LR", "fast"], "command line: SOLVER.BASE_LR is 'fast', a number is needed"),
        ("", ["TRAIN.ENABLE", "yes"], "command line: TRAIN.ENABLE is 'yes', True or False is needed"),
        ("SOLVER: 3", [], "a.yaml: SOLVER is 3, a section of keys: give SOLVER.OPTIMIZING_METHOD"),
    ],
)  # fmt: skip
def test_a_value_is_blamed_on_the_place_that_gives_it(write, file, opts, text):
    assert error_of(write("a.yaml", file), opts).startswith(text)


def test_the_file_of_a_base_is_blamed(tmp_path):
    (tmp_path / "base.yaml").write_text(NEEDED + "AUG: {NUM_SAMPLE: 0}\n")
    (tmp_path / "top.yaml").write_text("_BASE_: base.yaml\nRNG_SEED: 3\n")
    assert error_of(tmp_path / "top.yaml") == "base.yaml: AUG.NUM_SAMPLE is 0, at least 1 is needed"


@pytest.mark.parametrize("network", ["uniformer", "mvit", "sf", "videomae"])
def test_the_network_alone_is_a_configuration(write, network):
    cfg = load_config(write("a.yaml", f"MODEL: {{ARCH: {network}}}", needed=False))
    assert cfg.TRAIN.DATASET == cfg.TEST.DATASET == "ug2_sparse"
    assert (224 if network == "mvit" else 256) == cfg.DATA.TEST_CROP_SIZE


def test_a_missing_network_is_told_as_missing_and_nothing_else(write):
    text = error_of(write("a.yaml", "RNG_SEED: 3", needed=False))
    assert text.startswith("a.yaml leaves a key at a default that does not work, set it: MODEL.ARCH is")
    assert "DATASET" not in text


def test_a_section_may_be_empty(write):
    assert load_config(write("a.yaml", "SOLVER:\nDATA:\n  GAMMA:\n")).SOLVER.BASE_LR == 0.1


@pytest.mark.parametrize("value", ["out\udcff", "['a.csv', 'v\udce9']"])
def test_values_that_are_no_utf_8_are_told(value, repo):
    """They come from the names of folders, and a run writes its configuration as text."""
    key = "OUTPUT_DIR" if value.startswith("out") else "DATA.SPLITS.test"
    with pytest.raises(ConfigError, match=rf"command line: {key} is .*udc.*, which is no UTF-8: rename") as caught:
        load_config(repo / "configs/demo/models/sf32_k700.yaml", [key, value])
    str(caught.value).encode()
