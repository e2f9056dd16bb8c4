"""The 21 experiment folders: upstream's values, thin files, identical scripts."""

import json
import os

import pytest

from slowfast.config import flatten, get_cfg, load_config, parse_also

MODELS = ("mvit_b32_k600", "sf32_k700", "uniformer_b32_k600", "uniformer_b32_ssv2")
STAGES = ("exp_adapt_bn", "exp_pseudo_stage1", "exp_pseudo_stage2", "exp_pseudo_stage3", "exp_pseudo_stage4")
NAMES = [f"{stage}/{model}" for stage in STAGES for model in MODELS] + ["exp_experts/uniformer_b32_ssv2"]
LAST = [name for name in NAMES if name.startswith(("exp_pseudo_stage4", "exp_experts"))]
FILES = ("config.yaml", "run.sh", "test.sh")


def departures(name: str) -> dict:
    """Values that differ from upstream's on purpose."""
    changed = {"DATA.PATH_PREFIX": "./data", "TEST.DATA_SELECT": "test" if name in LAST else "total_unlabel"}
    if name == "exp_adapt_bn/mvit_b32_k600":
        changed["TRAIN.CHECKPOINT_FILE_PATH"] = "pretrained/MVIT_B_32x3_CONV_K600.pth"
    return changed


def leaves(tree: dict, prefix: str = "") -> dict:
    """Return `{dotted key: value}`."""
    flat = {}
    for key, value in tree.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return flat


@pytest.fixture(scope="module")
def recorded(golden) -> dict:
    """Upstream's experiments by name."""
    experiments = json.loads((golden / "experiments.json").read_text())
    del experiments["_about"]
    return experiments


@pytest.fixture(scope="module")
def configs(repo) -> dict:
    """Every experiment's resolved values."""
    return {name: flatten(load_config(repo / name / "config.yaml")) for name in NAMES}


def test_names_are_upstreams(recorded, repo):
    assert sorted(recorded) == sorted(NAMES)
    found = sorted(str(path.parent.relative_to(repo)) for path in repo.glob("exp_*/*/config.yaml"))
    assert found == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_resolved_values_are_upstreams(name, recorded, configs):
    upstream = leaves(recorded[name]["resolved_run"])
    expected = {key: value for key, value in upstream.items() if key in configs[name]} | departures(name)
    assert len(expected) > 110
    different = {key: (configs[name][key], value) for key, value in expected.items() if configs[name][key] != value}
    assert different == {}


@pytest.mark.parametrize("name", NAMES)
def test_own_keys_keep_upstreams_behaviour(name, configs):
    """Keys that upstream does not know stay at their default, but for the score kind and the further tests."""
    default, values = flatten(get_cfg()), configs[name]
    assert values["TEST.SCORE"] == ("probs" if "mvit" in name else "logits")
    assert values["TEST.ALSO"] == (["test:1x3", "test:3x3"] if name in LAST else [])
    gamma = {key: values[key] for key in values if key.startswith("DATA.GAMMA.")}
    assert gamma == {key: default[key] for key in gamma}
    for key in ("DATA.SUBTRACT_TEMPORAL_MEAN", "TRAIN.CLASS_BALANCED", "TRAIN.STEPS_PER_EPOCH", "MVIT.NECK_BN"):
        assert values[key] == default[key]
    assert values["OUTPUT_DIR"] == name


def test_pkls_of_the_vote_are_written(golden, configs):
    """Every file that the final vote reads is named by a test of the last round."""
    rules = json.loads((golden / "ensemble" / "rules.json").read_text())["inputs"]
    wanted = {path for mode in ("modes_0_1_2", "modes_3_4") for path in rules[mode].values()}
    assert len(wanted) == 10
    written = set()
    for name in LAST:
        values = configs[name]
        size = f"{values['DATA.NUM_FRAMES']}x{values['DATA.TEST_CROP_SIZE']}"
        views_crops = f"{values['TEST.NUM_ENSEMBLE_VIEWS']}x{values['TEST.NUM_SPATIAL_CROPS']}"
        written.add(f"{name}/{values['TEST.DATA_SELECT']}x{size}x{views_crops}.pkl")
        for setting in map(parse_also, values["TEST.ALSO"]):
            written.add(f"{name}/{setting.split}x{size}x{setting.views}x{setting.crops}{setting.suffix}.pkl")
    assert wanted <= written


def test_every_round_starts_from_the_one_before(configs):
    for before, stage in zip(STAGES, STAGES[1:]):
        for model in MODELS:
            values = configs[f"{stage}/{model}"]
            assert values["TRAIN.CHECKPOINT_FILE_PATH"] == f"./{before}/{model}/best.pyth"
            assert values["DATA.PSEUDO_CSV"] == f"pseudo/stage{stage[-1]}.csv"
            assert values["TRAIN.CHECKPOINT_EPOCH_RESET"] is True


def test_folders_are_thin(repo):
    texts = {(name, file): (repo / name / file).read_text() for name in NAMES for file in FILES}
    assert len(texts) == 63
    assert sum(len(text.splitlines()) for text in texts.values()) <= 400
    for file in ("run.sh", "test.sh"):
        assert len({texts[name, file] for name in NAMES}) == 1
        assert all(os.access(repo / name / file, os.X_OK) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_top_comment_tells_what_a_reader_needs(name, repo):
    top = [line for line in (repo / name / "config.yaml").read_text().splitlines() if line.startswith("#")]
    comment = " ".join(top)
    assert f"bash {name}/run.sh" in comment
    for word in ("Parents:", "Hardware:", "Expected"):
        assert word in comment


def test_expected_accuracies_are_upstreams(golden, repo):
    """The figures in the comments are those of upstream's model zoo."""
    rows = json.loads((golden / "upstream_results.json").read_text())["model_zoo"]["rows"]
    folder = {"Adapt BN": "exp_adapt_bn"} | {f"Pseudo{n}": f"exp_pseudo_stage{n}" for n in range(1, 5)}
    model = {
        "UniFormer-B32-K600": "uniformer_b32_k600",
        "UniFormer-B32-SSV2": "uniformer_b32_ssv2",
        "MViT-B32-K600": "mvit_b32_k600",
        "SlowFast-R101-K700": "sf32_k700",
    }
    assert len(rows) == 21
    for row in rows:
        dense = "dense" in row["model"]
        name = "exp_experts/uniformer_b32_ssv2" if dense else f"{folder[row['stage']]}/{model[row['model']]}"
        assert f"{row['arid_top1']:.2f} %" in (repo / name / "config.yaml").read_text()
