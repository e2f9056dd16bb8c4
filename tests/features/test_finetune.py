"""Fine-tuning on trimmed clips: the recorded settings, learning rates and frames."""

import json

import numpy as np
import pytest
import torch

from slowfast.config import load_config
from slowfast.datasets.sampling import segment_indices, segment_test_frames
from slowfast.datasets.video_dataset import FrameSampling
from slowfast.engine.build import build_optimizer, build_schedule
from slowfast.models import build_model

RECIPES = {
    "vith_k400": ("Track3_finetune_k400_vith", "k400_vith"),
    "vitl_hybrid_k700": ("Track3_finetune_hybrid_vitl", "hybrid_vitl"),
    "vitl_ego4d_verb_k700": ("Track3_finetune_ego_vitl", "ego_vitl"),
}


@pytest.fixture(params=RECIPES)
def recipe(request, repo, golden):
    """(configuration, recorded settings, recorded learning rates) of a recipe."""
    settings, rates = RECIPES[request.param]
    facts = json.loads((golden / "features/facts.json").read_text())["training"]
    numbers = json.loads((golden / "features/finetune_numbers.json").read_text())
    cfg = load_config(repo / f"configs/features/finetune_{request.param}.yaml")
    return cfg, facts["common_defaults"] | facts[settings], numbers["lr"][rates]


def test_settings_are_the_recorded_ones(recipe):
    cfg, facts, _ = recipe
    batch = facts["batch_size_per_gpu"] * facts["gpus"]
    expected = {
        "TRAIN.BATCH_SIZE": batch, "NUM_GPUS": facts["gpus"], "AUG.NUM_SAMPLE": facts["num_sample"],
        "DATA.TRAIN_CROP_SIZE": facts["input_size"], "DATA.TEST_CROP_SIZE": facts["short_side_size"],
        "TRAIN.CHECKPOINT_PERIOD": facts["save_ckpt_freq"], "DATA.NUM_FRAMES": facts["num_frames"],
        "SOLVER.OPTIMIZING_METHOD": facts["opt"], "SOLVER.BASE_LR": facts["effective_lr"],
        "SOLVER.COSINE_END_LR": facts["min_lr"] * batch / 256, "SOLVER.WARMUP_START_LR": facts["warmup_start"],
        "SOLVER.WARMUP_EPOCHS": facts["warmup_epochs"], "SOLVER.WEIGHT_DECAY": facts["weight_decay"],
        "SOLVER.MAX_EPOCH": facts["epochs"], "SOLVER.LAYER_DECAY": facts["layer_decay"],
        "VIDEOMAE.DROP_PATH_RATE": facts["drop_path"], "VIDEOMAE.FC_DROPOUT_RATE": facts["fc_drop_rate"],
        "VIDEOMAE.TUBELET_SIZE": facts["tubelet_size"], "VIDEOMAE.INIT_SCALE": facts["init_scale"],
        "MODEL.USE_CHECKPOINT": facts["use_checkpoint"], "TEST.NUM_SPATIAL_CROPS": facts["test_num_crop"],
        "TEST.NUM_ENSEMBLE_VIEWS": min(facts["test_num_segment"], 2), "MIXUP.ENABLE": True,
        "MIXUP.ALPHA": facts["mixup"], "MIXUP.CUTMIX_ALPHA": facts["cutmix"], "MIXUP.PROB": facts["mixup_prob"],
        "MIXUP.SWITCH_PROB": facts["mixup_switch_prob"], "MIXUP.LABEL_SMOOTH_VALUE": facts["smoothing"],
        "AUG.ENABLE": True, "AUG.AA_TYPE": facts["aa"], "AUG.RE_PROB": facts["reprob"], "AUG.RE_MODE": facts["remode"],
        "AUG.RE_COUNT": facts["recount"], "AUG.INTERPOLATION": facts["train_interpolation"], "DATA.RANDOM_FLIP": False,
        "DATA.TRAIN_JITTER_SCALES_RELATIVE": facts["scale_of_random_resized_crop"],
        "DATA.TRAIN_JITTER_ASPECT_RELATIVE": facts["ratio"], "RNG_SEED": facts["seed"], "SOLVER.CLIP_GRADIENT": 0.0,
        "MODEL.LOSS_FUNC": "soft_cross_entropy", "TRAIN.DATASET": "track3", "TEST.DATASET": "track3",
        "MODEL.NUM_CLASSES": 16, "SOLVER.ZERO_WD_1D_PARAM": True, "DATA.PATH_LABEL_SEPARATOR": " ",
    }  # fmt: skip

    def value(key):
        node = cfg
        for name in key.split("."):
            node = node[name]
        return node

    assert {key: value(key) for key in expected} == expected
    assert facts["finetune_from"] in cfg.TRAIN.CHECKPOINT_FILE_PATH
    width = 1280 if "vit_huge" in facts["model"] else 1024
    assert width == cfg.VIDEOMAE.EMBED_DIM


def test_learning_rates_are_the_recorded_ones(recipe):
    cfg, _, recorded = recipe
    schedule = build_schedule(cfg, recorded["iterations_per_epoch"])
    for step, rate in recorded["steps"]:
        assert schedule.at(step / recorded["iterations_per_epoch"]) == pytest.approx(rate, abs=1e-12, rel=0), step


def test_layer_decay(repo):
    cfg = load_config(
        repo / "configs/features/finetune_vitl_hybrid_k700.yaml",
        ["VIDEOMAE.EMBED_DIM", "32", "VIDEOMAE.DEPTH", "3", "VIDEOMAE.NUM_HEADS", "2"],
    )
    model = build_model(cfg)
    groups = build_optimizer(cfg, model).param_groups
    scale = {id(p): (group["lr_scale"], group["weight_decay"]) for group in groups for p in group["params"]}
    found = {name: scale[id(parameter)] for name, parameter in model.named_parameters()}
    assert found["patch_embed.proj.weight"] == (0.75**4, 0.05)
    assert found["blocks.0.mlp.fc1.weight"] == (0.75**3, 0.05)
    assert found["blocks.2.attn.q_bias"] == (0.75, 0.0)
    assert found["fc_norm.weight"] == (1.0, 0.0) and found["head.weight"] == (1.0, 0.05)


def test_test_frames_are_the_recorded_ones(golden):
    for case in json.loads((golden / "features/finetune_numbers.json").read_text())["clip_sampling"]["test_index"]:
        found = segment_test_frames(case["frames"], case["num_segments"], case["test_num_segment"])
        assert found.tolist() == case["index"]


def test_training_frames_lie_in_their_segments():
    sampling = FrameSampling("segment", 16)
    draws = np.stack([sampling.train(100, np.random.default_rng(seed)) for seed in range(200)])
    np.testing.assert_array_equal(draws.min(0), np.arange(16) * 6)
    np.testing.assert_array_equal(draws.max(0), np.arange(16) * 6 + 5)
    assert sampling.train(15, np.random.default_rng(0)).tolist() == [0] * 16
    assert sampling.train(16, np.random.default_rng(0)).tolist() == list(range(16))
    views = sampling.test(100, 2)
    np.testing.assert_array_equal(np.sort(views.reshape(-1)), segment_test_frames(100, 16))
    np.testing.assert_array_equal(views[0], (np.arange(16) * 6.25).astype(int))
    assert segment_indices(3, 2, rng=1).dtype == np.int64


def test_more_than_two_views_are_refused(repo):
    path = repo / "configs/features/finetune_vitl_hybrid_k700.yaml"
    with pytest.raises(Exception, match="track3 has 1 or 2 views"):
        load_config(path, ["TEST.NUM_ENSEMBLE_VIEWS", "5"])


@pytest.mark.slow
def test_an_epoch_on_trimmed_clips(repo, clips, tmp_path):
    """Lists with absolute and relative paths, one epoch, multi-view test, best checkpoint."""
    from slowfast.engine.launch import run_experiment
    from slowfast.ensemble import load_predictions

    rows = [f"{path} {number}" for number, path in enumerate(sorted(clips.rglob("*.mp4")))]
    (tmp_path / "relative.mp4").symlink_to(clips / "user_1/Dash_1.mp4")
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.csv").write_text("\n".join([*rows, "relative.mp4 15"]) + "\n")
    options = {
        "DATA.PATH_PREFIX": tmp_path, "OUTPUT_DIR": tmp_path / "out", "NUM_GPUS": 0, "TRAIN.BATCH_SIZE": 2,
        "SOLVER.MAX_EPOCH": 2, "SOLVER.WARMUP_EPOCHS": 1, "TRAIN.CHECKPOINT_FILE_PATH": "''", "VIDEOMAE.EMBED_DIM": 32,
        "VIDEOMAE.DEPTH": 2, "VIDEOMAE.NUM_HEADS": 2, "DATA.TRAIN_CROP_SIZE": 32, "DATA.TEST_CROP_SIZE": 32,
        "DATA_LOADER.NUM_WORKERS": 0, "TEST.BATCH_SIZE": 12,
    }  # fmt: skip
    pairs = [str(part) for pair in options.items() for part in pair]
    cfg = load_config(repo / "configs/features/finetune_vitl_hybrid_k700.yaml", pairs)
    torch.manual_seed(0)
    run_experiment(cfg)
    predictions = load_predictions(tmp_path / "out/testx16x32x2x3.pkl")
    assert len(predictions.video_names) == 7 and (tmp_path / "out/best.pyth").is_file()
