"""The table of weights: current, complete, and about experiments that exist."""

import json

import pytest

from slowfast.apps.zoo import FINE_TUNED, STARTING_WEIGHTS, markdown
from slowfast.config import load_config
from slowfast.models import NETWORKS


def test_generated_file_is_current(repo):
    assert (repo / "MODEL_ZOO.md").read_text(encoding="utf-8") == markdown()


def test_fine_tuned_rows_are_those_that_upstream_reports(golden):
    rows = json.loads((golden / "upstream_results.json").read_text())["model_zoo"]["rows"]
    assert [(row.stage, row.model, row.arid_top1) for row in FINE_TUNED] == [
        (row["stage"], row["model"], row["arid_top1"]) for row in rows
    ]


@pytest.mark.parametrize("row", FINE_TUNED, ids=lambda row: row.experiment)
def test_experiments_exist(repo, row):
    cfg = load_config(repo / row.experiment / "config.yaml")
    assert cfg.MODEL.NUM_CLASSES == 11


def test_starting_weights_are_those_that_the_experiments_name(repo):
    files = {row.file for row in STARTING_WEIGHTS}
    for row in FINE_TUNED[:4]:
        cfg = load_config(repo / row.experiment / "config.yaml")
        section = {"uniformer": cfg.UNIFORMER, "sf": cfg.SF}.get(cfg.MODEL.ARCH)
        named = f"{cfg.MODEL.PRETRAIN_DIR}/{section.PRETRAIN_NAME}.pth" if section else cfg.TRAIN.CHECKPOINT_FILE_PATH
        assert named in files
    assert {row.arch for row in STARTING_WEIGHTS} == set(NETWORKS.names())
