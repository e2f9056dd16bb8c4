"""Combinations that cannot work: each names its key and says what is needed."""

import dataclasses

import pytest

from slowfast.config import get_cfg, parse_also
from slowfast.config.validate import find_conflicts


def working():
    """A configuration without conflicts."""
    cfg = get_cfg()
    cfg.MODEL.ARCH = "uniformer"
    cfg.TRAIN.DATASET = cfg.TEST.DATASET = "ug2_sparse"
    return cfg


def conflicts_of(**changes) -> list[str]:
    """Return the conflicts after changing `SECTION__KEY` values."""
    cfg = working()
    for name, value in changes.items():
        *sections, leaf = name.split("__")
        node = cfg
        for section in sections:
            node = node[section]
        node[leaf] = value
    return find_conflicts(cfg)


def test_a_working_configuration_has_none():
    assert conflicts_of() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"MODEL__ARCH": "slowfast"}, "MODEL.ARCH is 'slowfast', one of 'frames', 'huggingface', 'mvit'"),
        ({"MODEL__LOSS_FUNC": "hinge"}, "MODEL.LOSS_FUNC"),
        ({"DATA__DECODING_BACKEND": "torchvision"}, "'pyav', 'decord', 'torchcodec'"),
        ({"TEST__SCORE": "sum"}, "TEST.SCORE"),
        ({"TRAIN__BATCH_SIZE": 0}, "TRAIN.BATCH_SIZE is 0, at least 1"),
        ({"NUM_GPUS": -1}, "NUM_GPUS is -1"),
        ({"DATA__GAMMA__VAL_DARK": 0.0}, "DATA.GAMMA.VAL_DARK is 0.0"),
        ({"DATA__GAMMA__TEST": float("nan")}, "DATA.GAMMA.TEST is nan, a finite number"),
        ({"DATA__SPLITS__test": ["test.csv"]}, "DATA.SPLITS.test"),
        ({"TEST__NUM_SPATIAL_CROPS": 2}, "TEST.NUM_SPATIAL_CROPS is 2, 1 or 3"),
        ({"TEST__DATA_SELECT": "validation"}, "TEST.DATA_SELECT is 'validation', a split of DATA.SPLITS"),
        ({"TEST__ALSO": ["test:3"]}, "TEST.ALSO has 'test:3'"),
        ({"TEST__ALSO": ["test:1x2"]}, "TEST.ALSO has 'test:1x2'"),
        ({"TEST__ALSO": ["night:1x1"]}, "TEST.ALSO is 'night'"),
        ({"TEST__ALSO": ["test:0x1"]}, "TEST.ALSO has 'test:0x1', at least 1 view"),
        ({"TEST__ALSO": ["test:1x1:0"]}, "TEST.ALSO has 'test:1x1:0', at least 1 view and a gamma above 0"),
        ({"RNG_SEED": 2**32}, "RNG_SEED is 4294967296, a value below 2**32"),
        ({"OUTPUT_DIR": ""}, "OUTPUT_DIR is empty"),
        ({"UNIFORMER__DROP_DEPTH_RATE": 2.0}, "UNIFORMER.DROP_DEPTH_RATE is 2.0, a share"),
        ({"SOLVER__MOMENTUM": -1.0}, "SOLVER.MOMENTUM is -1.0"),
        ({"SOLVER__STEPS": [5, 2], "SOLVER__LRS": [1, 0.1]}, "SOLVER.STEPS is [5, 2], rising epochs"),
        (
            {"MIXUP__ENABLE": True, "MODEL__LOSS_FUNC": "soft_cross_entropy", "MIXUP__ALPHA": 0.0,
             "MIXUP__CUTMIX_ALPHA": 0.0}, "MIXUP.ALPHA or MIXUP.CUTMIX_ALPHA above 0",
        ),  # fmt: skip
        ({"BN__ADAPT_SPLIT": "dark"}, "BN.ADAPT_SPLIT is 'dark'"),
        ({"TRAIN__EVAL_SPLITS": ["arid", "dim"]}, "TRAIN.EVAL_SPLITS is 'dim'"),
        ({"TRAIN__DATASET": "kinetics"}, "TRAIN.DATASET is 'kinetics', ug2_sparse"),
        ({"MIXUP__ENABLE": True}, "MIXUP.ENABLE needs MODEL.LOSS_FUNC soft_cross_entropy"),
        ({"SOLVER__STEPS": [0, 3]}, "SOLVER.STEPS and SOLVER.LRS need the same length"),
        ({"SOLVER__LR_POLICY": "steps_with_relative_lrs"}, "needs SOLVER.STEPS"),
        ({"SOLVER__COSINE_END_LR": 1.0}, "SOLVER.COSINE_END_LR is above"),
        ({"DATA__CLASS_NAMES": ["a", "b"]}, "DATA.CLASS_NAMES has 2 names, MODEL.NUM_CLASSES is 400"),
        ({"DATA__TRAIN_JITTER_SCALES": [320, 256]}, "DATA.TRAIN_JITTER_SCALES"),
        ({"MODEL__ARCH": "mvit"}, "DATA.TRAIN_CROP_SIZE 224 must equal DATA.TEST_CROP_SIZE 256"),
        ({"MODEL__ARCH": "sf", "DATA__NUM_FRAMES": 6}, "multiples of 4, not 6"),
        ({"MODEL__ARCH": "videomae", "DATA__NUM_FRAMES": 7}, "VIDEOMAE.TUBELET_SIZE"),
        ({"UNIFORMER__HEAD_DIM": 48}, "UNIFORMER.HEAD_DIM 48"),
        ({"UNIFORMER__HEAD_DIM": 0}, "UNIFORMER.HEAD_DIM is 0, at least 1"),
        ({"MODEL__ARCH": "videomae", "VIDEOMAE__TUBELET_SIZE": 0}, "VIDEOMAE.TUBELET_SIZE is 0, at least 1"),
        ({"DATA__MEAN": [0.4, 0.4]}, "DATA.MEAN is [0.4, 0.4], a list of 3 numbers"),
        ({"DATA__STD": [0.2, 0.2, 0.0]}, "DATA.STD"),
        ({"UNIFORMER__EMBED_DIM": [64, 128, "a", 512]}, "UNIFORMER.EMBED_DIM"),
        ({"DATA__TRAIN_JITTER_SCALES": [[256], [320]]}, "DATA.TRAIN_JITTER_SCALES is [[256], [320]], a list of any"),
        ({"MVIT__DIM_MUL": [[2, 2.0], [5]]}, "MVIT.DIM_MUL is [[2, 2.0], [5]], a list of rows of 2 numbers"),
        ({"MVIT__POOL_KV_STRIDE_ADAPTIVE": "x"}, "MVIT.POOL_KV_STRIDE_ADAPTIVE"),
        ({"TRAIN__EVAL_SPLITS": [["arid"]]}, "TRAIN.EVAL_SPLITS is [['arid']], a list of texts"),
        ({"UNIFORMER__QKV_SCALE": "wide"}, "UNIFORMER.QKV_SCALE is 'wide', a number or None"),
        ({"SOLVER__BASE_LR": float("nan")}, "SOLVER.BASE_LR is nan, a finite number"),
        ({"SOLVER__WEIGHT_DECAY": -0.1}, "SOLVER.WEIGHT_DECAY is -0.1"),
        ({"AUG__RE_PROB": 1.5}, "AUG.RE_PROB is 1.5, a share from 0 to 1"),
        ({"TRAIN__METHOD": "mean_techer"}, "TRAIN.METHOD is 'mean_techer', one of 'supervised', "),
        ({"SOLVER__OPTIMIZING_METHOD": "adamax"}, "'lion' is needed (did you mean 'adam'?)"),
        ({"TRAIN__ACCUMULATE": 5}, "TRAIN.ACCUMULATE is 5, which does not divide a batch of 64 clips"),
        ({"TRAIN__CLASS_WEIGHTS": [1.0, 2.0]}, "TRAIN.CLASS_WEIGHTS is [1.0, 2.0], 400 numbers"),
        ({"MEAN_TEACHER__THRESHOLD": 1.5}, "MEAN_TEACHER.THRESHOLD is 1.5"),
        ({"TRAIN__FREEZE": [3]}, "TRAIN.FREEZE is [3], a list of texts"),
    ],
)  # fmt: skip
def test_conflict_is_one_sentence_with_key_and_need(changes, words):
    found = conflicts_of(**changes)
    assert len(found) == 1, found
    assert words in found[0]


def test_names_are_not_checked_without_torch(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(name="torch")

    monkeypatch.setattr("slowfast.config.validate.importlib.import_module", refuse)
    assert conflicts_of(MODEL__ARCH="unknown") == []


def test_data_sets_of_switched_off_parts_do_not_matter():
    assert conflicts_of(TRAIN__DATASET="kinetics", TRAIN__ENABLE=False) == []


@pytest.mark.parametrize(
    ("text", "fields", "suffix"),
    [
        ("test", ("test", 1, 1, None, "", ""), ""),
        ("test:3x3", ("test", 3, 3, None, "", ""), ""),
        ("arid:1x1::train_label", ("arid", 1, 1, None, "train_label", "batchnorm"), "_bn-train_label"),
        ("arid:1x1:1", ("arid", 1, 1, 1.0, "", ""), "_gamma1"),
        ("arid:1x3:0.25:train_label", ("arid", 1, 3, 0.25, "train_label", "batchnorm"), "_gamma0.25_bn-train_label"),
        ("arid:1x3:0.25:pool:sar", ("arid", 1, 3, 0.25, "pool", "sar"), "_gamma0.25_sar-pool"),
        ("arid:1x1:::tent", ("arid", 1, 1, None, "", "tent"), "_tent-"),
        ("arid:1x1::pool:my-own", ("arid", 1, 1, None, "pool", "my-own"), "_my-own-pool"),
    ],
)
def test_also_entries(text, fields, suffix):
    found = parse_also(text)
    assert dataclasses.astuple(found) == fields
    assert found.suffix == suffix


@pytest.mark.parametrize(
    "text",
    [
        "", "test:", "test:3", "test:x3", "test:1x2", "a b", "test:1x1:", "test:1x1:g", "test:1x1::", "test:1x1:::",
        "a:1x1:1..2", "a:1x1:1:b:c:d",
    ],
)  # fmt: skip
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError):
        parse_also(text)


def test_wrong_lists_do_not_hide_other_conflicts():
    found = conflicts_of(DATA__MEAN=["a"], SOLVER__BASE_LR=float("inf"), TEST__NUM_SPATIAL_CROPS=2)
    assert [text.split(" is ")[0] for text in found] == ["DATA.MEAN", "SOLVER.BASE_LR", "TEST.NUM_SPATIAL_CROPS"]
