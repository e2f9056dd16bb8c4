"""The table of weights: current, complete, and about experiments that exist."""

import json

import pytest
import timm
import torch

from slowfast.apps.zoo import BACKBONES, FINE_TUNED, STARTING_WEIGHTS, markdown
from slowfast.config import load_config
from slowfast.models import NETWORKS, build_model
from slowfast.models.huggingface import _FAMILIES
from slowfast.models.torchvision_video import _NETWORKS
from slowfast.models.videomae import VideoMAE
from tests.models.library_networks import batch_norms_of, cfg_for


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
    assert {row.arch for row in (*STARTING_WEIGHTS, *BACKBONES)} == set(NETWORKS.names())


def test_backbones_have_the_batch_norms_that_the_table_says():
    for row in BACKBONES:
        if row.arch == "torchvision":
            frames, size, *_ = _NETWORKS[row.backbone]
            with torch.device("meta"):
                model = build_model(cfg_for("torchvision", row.backbone, frames=frames, size=size))
            assert len(batch_norms_of(model)) == int(row.batchnorm), row.backbone
            assert row.clips.startswith(f"{frames} x {size}")
    assert [row.backbone for row in BACKBONES if row.arch == "torchvision"] == list(_NETWORKS)


@pytest.mark.parametrize("row", [row for row in BACKBONES if "any" not in row.backbone], ids=lambda row: row.backbone)
def test_the_keys_of_a_row_build_its_network(row, repo):
    """On the meta device; folders are looked at by their library's own default sizes."""
    cfg = load_config(repo / "configs/backbones/frozen.yaml", row.keys())
    assert (row.arch, row.frames, row.size) == (cfg.MODEL.ARCH, cfg.DATA.NUM_FRAMES, cfg.DATA.TEST_CROP_SIZE)
    if row.arch == "huggingface":
        family = next(name for name in _FAMILIES if name.partition("_")[0] in row.keys()[3])
        transformers = pytest.importorskip("transformers")
        if not hasattr(transformers, _FAMILIES[family].config):
            pytest.skip("this transformers is too old")
        config = getattr(transformers, _FAMILIES[family].config)()
        if family != "vjepa2":  # which takes any
            assert getattr(config, _FAMILIES[family].frames) == row.frames
            assert getattr(config, _FAMILIES[family].size) == row.size
        return
    with torch.device("meta"):
        model = build_model(cfg)
        assert model(torch.empty(1, 3, row.frames, row.size, row.size)).shape == (1, cfg.MODEL.NUM_CLASSES)


def test_every_family_and_network_has_a_row():
    folders = {row.backbone.rpartition(" of ")[2] for row in BACKBONES if row.arch == "huggingface"}
    assert folders == {"VideoMAE", "V-JEPA 2", "VideoPrism", "ViViT", "TimeSformer"} and len(_FAMILIES) == 5
    notes = " ".join(row.note for row in BACKBONES if row.arch == "frames")
    assert all(name in notes for name in ("DINOv3", "SigLIP 2", "PE-Core"))
    for row in BACKBONES:
        if row.arch == "frames" and "any" not in row.backbone:
            facts = timm.get_pretrained_cfg(row.backbone)
            assert row.source.endswith(f"/{row.backbone}.{facts.tag}") and facts.input_size[-1] == row.size
            assert row.licence.lower().replace(" ", "-") == facts.license


@pytest.mark.parametrize(("size", "millions", "hidden"), [("s", 22, 1536), ("b", 86, 3072), ("g", 1012, 6144)])
def test_videomae_v2(repo, size, millions, hidden):
    opts = ["TRAIN.DATASET", "ug2", "TEST.DATASET", "ug2"]
    cfg = load_config(repo / f"configs/nightcrawler/models/videomaev2_{size}.yaml", opts)
    with torch.device("meta"):
        model = build_model(cfg)
        side = cfg.DATA.TRAIN_CROP_SIZE
        assert model(torch.empty(1, 3, cfg.DATA.NUM_FRAMES, side, side)).shape == (1, cfg.MODEL.NUM_CLASSES)
    assert model.blocks[0].mlp.fc1.out_features == hidden
    count = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("head."))
    assert abs(count / 1e6 - millions) < 1


def test_a_giant_with_a_rounded_ratio_has_the_width_of_the_published_one():
    with torch.device("meta"):
        assert VideoMAE(num_classes=2, embed_dim=1408, depth=1, mlp_ratio=4.3636).blocks[0].mlp.fc1.out_features == 6144
