"""Weights go back into other libraries' layouts, bit for bit."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from slowfast.apps.export_weights import export_weights
from slowfast.models import build_model
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models import test_huggingface as hugging_face
from tests.models.library_networks import cfg_for, randomise, rgb_clips
from tests.models.test_frames import TINY
from tests.models.test_registered import small_cfg

TINY_VIDEOMAE = {
    "VIDEOMAE.EMBED_DIM": 32, "VIDEOMAE.DEPTH": 2, "VIDEOMAE.NUM_HEADS": 2, "DATA.NUM_FRAMES": 4,
    "DATA.TRAIN_CROP_SIZE": 32,
}  # fmt: skip


def assert_equal_tensors(one, other):
    assert set(one) == set(other)
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype and torch.equal(tensor, other[name]), name


def folder_cfg(folder, model_type, **other):
    return cfg_for("huggingface", folder, size=36 if model_type == "videoprism_vision_model" else 32, **other)


@pytest.mark.parametrize("model_type", hugging_face.TINY)
def test_a_folder_comes_back_bit_equal(model_type, tmp_path):
    """Also what has no place here, such as V-JEPA 2's predictor."""
    hugging_face.write(tmp_path / "theirs", model_type)
    (tmp_path / "theirs/preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5]}')
    cfg = folder_cfg(tmp_path / "theirs", model_type)
    export_weights(cfg, build_model(cfg), "huggingface", tmp_path / "ours")
    files = [tmp_path / side / "model.safetensors" for side in ("theirs", "ours")]
    assert_equal_tensors(*map(load_file, files))
    assert (tmp_path / "ours/preprocessor_config.json").is_file()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_trained_network_goes_back_with_its_new_head(tmp_path):
    hugging_face.write(tmp_path / "theirs", "vjepa2")
    cfg = folder_cfg(tmp_path / "theirs", "vjepa2", classes=7, DATA__CLASS_NAMES=list("abcdefg"))
    ours = randomise(build_model(cfg)).eval()
    torch.save({"model_state": ours.state_dict()}, tmp_path / "best.pyth")
    again = build_model(cfg)
    load_weights(again, tmp_path / "best.pyth")
    export_weights(cfg, again, "huggingface", tmp_path / "ours")
    theirs = hugging_face.transformers.VJEPA2ForVideoClassification.from_pretrained(tmp_path / "ours").eval()
    assert theirs.config.id2label == dict(enumerate("abcdefg")) and theirs.config.label2id["g"] == 6
    clips = rgb_clips(1, 4, 32)
    logits_BK = theirs(ours.recolour(clips).transpose(1, 2)).logits
    torch.testing.assert_close(ours(clips), logits_BK, atol=1e-5, rtol=1e-5)
    with pytest.raises(InputError, match="exists already: name a new folder"):
        export_weights(cfg, again, "huggingface", tmp_path / "ours")


def test_half_precision_stays_where_it_is_exact(tmp_path):
    hugging_face.write(tmp_path / "whole", "vivit").to(torch.bfloat16).save_pretrained(tmp_path / "half")
    cfg = folder_cfg(tmp_path / "half", "vivit")
    model = build_model(cfg)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    export_weights(cfg, model, "huggingface", tmp_path / "same")
    assert_equal_tensors(*(load_file(tmp_path / side / "model.safetensors") for side in ("half", "same")))
    export_weights(cfg, randomise(model), "huggingface", tmp_path / "trained")
    trained = load_file(tmp_path / "trained/model.safetensors")
    assert torch.equal(trained["classifier.weight"], model.classifier.weight)


@pytest.mark.parametrize("mean_pooling", [True, False])
def test_own_videomae_as_transformers_has_it(mean_pooling, tmp_path):
    cfg = small_cfg("videomae", **TINY_VIDEOMAE, **{"VIDEOMAE.USE_MEAN_POOLING": mean_pooling})
    cfg.DATA.CLASS_NAMES = list("abcdefghijk")[: cfg.MODEL.NUM_CLASSES]
    ours = randomise(build_model(cfg)).eval()
    export_weights(cfg, ours, "huggingface", tmp_path / "folder")
    theirs = hugging_face.transformers.VideoMAEForVideoClassification.from_pretrained(tmp_path / "folder").eval()
    clips = rgb_clips(2, 4, 32)
    torch.testing.assert_close(theirs(clips.transpose(1, 2)).logits, ours(clips), atol=1e-4, rtol=1e-4)
    again = build_model(cfg)
    assert load_weights(again, tmp_path / "folder/model.safetensors").share == 1.0
    assert_equal_tensors(again.state_dict(), ours.state_dict())
    assert theirs.config.id2label == dict(enumerate(cfg.DATA.CLASS_NAMES))
    through = build_model(cfg_for("huggingface", tmp_path / "folder")).eval()
    torch.testing.assert_close(through(clips), ours(clips), atol=1e-4, rtol=1e-4)


def test_own_mvit_as_torchvision_has_it(tmp_path):
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    settings = [
        MSBlockConfig(1, 16, 32, [], [3, 3, 3], [], [1, 4, 4]),
        MSBlockConfig(2, 32, 32, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 2, 2]),
        MSBlockConfig(2, 32, 32, [], [3, 3, 3], [], [1, 2, 2]),
    ]
    theirs = MViT(
        spatial_size=(64, 64), temporal_size=8, block_setting=settings, residual_pool=False,
        residual_with_cls_embed=True, rel_pos_embed=False, proj_after_attn=False, num_classes=5,
    )  # fmt: skip
    cfg = small_cfg("mvit", **{"MVIT.POOL_KVQ_KERNEL": [3, 3, 3]})
    ours = randomise(build_model(cfg))
    export_weights(cfg, ours, "torchvision", tmp_path / "mvit.pth")
    theirs.load_state_dict(torch.load(tmp_path / "mvit.pth", weights_only=True))
    again = build_model(cfg)
    assert load_weights(again, tmp_path / "mvit.pth").share == 1.0
    assert_equal_tensors(again.state_dict(), ours.state_dict())


@pytest.mark.parametrize(("arch", "backbone", "layout"), [("torchvision", "mc3_18", "torchvision"),
                                                           ("frames", TINY, "original")])  # fmt: skip
def test_state_dicts_of_libraries(arch, backbone, layout, tmp_path):
    import timm
    from torchvision.models import video

    cfg = cfg_for(arch, backbone)
    export_weights(cfg, build_model(cfg), layout, tmp_path / "w.pth")
    theirs = video.mc3_18(num_classes=5) if arch == "torchvision" else timm.create_model(backbone, num_classes=0)
    theirs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True))


@pytest.mark.parametrize("arch", ["uniformer", "mvit", "sf", "videomae"])
def test_original_files(arch, tmp_path):
    ours = randomise(build_model(small_cfg(arch)))
    export_weights(small_cfg(arch), ours, "original", tmp_path / "w.pth")
    again = build_model(small_cfg(arch))
    load_weights(again, tmp_path / "w.pth")
    assert_equal_tensors(again.state_dict(), ours.state_dict())


def test_what_has_no_such_layout(tmp_path):
    for arch, layout in (("sf", "huggingface"), ("uniformer", "torchvision")):
        with pytest.raises(InputError, match=f"--layout {layout} does not exist for MODEL.ARCH {arch}"):
            export_weights(small_cfg(arch), build_model(small_cfg(arch)), layout, tmp_path / "w")
    learned = small_cfg("videomae", **{"VIDEOMAE.LEARNABLE_POS_EMBED": True})
    with pytest.raises(InputError, match="no VIDEOMAE.LEARNABLE_POS_EMBED"):
        export_weights(learned, build_model(learned), "huggingface", tmp_path / "w")
    joint = small_cfg("mvit", **{"MVIT.NECK_BN": True})
    with pytest.raises(InputError, match="no MVIT.NECK_BN"):
        export_weights(joint, build_model(joint), "torchvision", tmp_path / "w")
    probe = cfg_for("frames", TINY, MODEL__HEAD="attentive")
    with pytest.raises(InputError, match="MODEL.HEAD attentive has no place"):
        export_weights(probe, build_model(probe), "original", tmp_path / "w")
    assert list(tmp_path.iterdir()) == []


def test_tool(repo, tmp_path):
    cfg = small_cfg("videomae", **TINY_VIDEOMAE)
    torch.save(build_model(cfg).state_dict(), tmp_path / "best.pyth")
    (tmp_path / "c.yaml").write_text("MODEL: {ARCH: videomae, NUM_CLASSES: 5}\nDATA: {TEST_CROP_SIZE: 32}\n")
    opts = [str(text) for pair in TINY_VIDEOMAE.items() for text in pair]
    command = [sys.executable, repo / "tools/export_weights.py", "--cfg", tmp_path / "c.yaml", "--checkpoint",
               tmp_path / "best.pyth", "--layout", "huggingface", "--output", tmp_path / "out", *opts,
               "TRAIN.ENABLE", "False", "TEST.ENABLE", "False"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "videomae in the layout huggingface" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "config.json", "model.safetensors", "preprocessor_config.json",
    }  # fmt: skip
