"""torchvision's video networks against torchvision's own forward; facts about them hold for torchvision 0.29.1."""

import logging
import re

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import video
from torchvision.models.video.mvit import MSBlockConfig

from slowfast.apps.zoo import BACKBONES
from slowfast.models.library import IMAGENET, Stated
from slowfast.models.network import NETWORKS
from slowfast.models.torchvision_video import _KINETICS, _NETWORKS, TorchvisionVideo
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models.library_networks import (
    COLOURS,
    assert_attentive_trains,
    assert_like_library,
    batch_norms_of,
    cfg_for,
    clone,
    normalised,
    randomise,
    rgb_clips,
)

FACTS_OF = "0.29.1"
facts = pytest.mark.skipif(torchvision.__version__.partition("+")[0] != FACTS_OF, reason=f"torchvision {FACTS_OF}")


def tiny_mvit(version):
    blocks = [
        MSBlockConfig(1, 16, 32, [], [3, 3, 3], [], [1, 4, 4]),
        MSBlockConfig(2, 32, 32, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 2, 2]),
    ]
    second = version == 2
    return video.MViT(
        spatial_size=(32, 32), temporal_size=4, block_setting=blocks, residual_pool=second,
        residual_with_cls_embed=not second, rel_pos_embed=second, proj_after_attn=second, num_classes=5,
    )  # fmt: skip


def tiny_swin():
    return video.SwinTransformer3d(
        patch_size=[2, 4, 4], embed_dim=12, depths=[2, 2], num_heads=[2, 4], window_size=[8, 7, 7],
        stochastic_depth_prob=0.1, num_classes=5,
    )  # fmt: skip


def short_resnet(convolution, stem=video.resnet.BasicStem, later=None):
    return video.resnet.VideoResNet(
        video.resnet.BasicBlock, [convolution] + [later or convolution] * 3, [1, 1, 1, 1], stem, num_classes=5
    )


TINY = {
    "mvit_v1_b": (lambda: tiny_mvit(1), 4, 32),
    "mvit_v2_s": (lambda: tiny_mvit(2), 4, 32),
    "swin3d_t": (tiny_swin, 4, 32),
    "s3d": (lambda: video.s3d(num_classes=5), 14, 224),
    "r2plus1d_18": (lambda: short_resnet(video.resnet.Conv2Plus1D, video.resnet.R2Plus1dStem), 4, 16),
    "r3d_18": (lambda: short_resnet(video.resnet.Conv3DSimple), 4, 16),
    "mc3_18": (lambda: short_resnet(video.resnet.Conv3DSimple, later=video.resnet.Conv3DNoTemporal), 4, 16),
}

LARGE = ("s3d", "r3d_18", "r2plus1d_18")


def adopted(name, theirs, *, attentive=False):
    frames, size, (mean, std), _ = _NETWORKS[name]
    return TorchvisionVideo(theirs, Stated(name, frames, size, mean, std, ""), data=COLOURS, attentive=attentive)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in TINY])
def test_like_torchvision(name):
    torch.manual_seed(0)
    build, frames, size = TINY[name]
    theirs = randomise(build(), 0.02)
    ours = adopted(name, clone(theirs))
    assert_like_library(ours, theirs, theirs, rgb_clips(1 if name == "s3d" else 2, frames, size), _NETWORKS[name][2])
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(any(key.startswith(start) for key in ours.state_dict()) for start in ours.head_names[:1])


def test_head_of_s3d():
    """The library takes the mean of the classifier's answers, here the classifier answers to the mean."""
    theirs = video.s3d(num_classes=5).eval()
    theirs.features = nn.Conv3d(3, 1024, 1)  # in place of a trunk that needs large clips
    assert_like_library(adopted("s3d", clone(theirs)), theirs, theirs, rgb_clips(2, 3, 9), _KINETICS)


@pytest.mark.parametrize("name", ["mvit_v2_s", "swin3d_t", "mc3_18"])
def test_a_file_of_the_library_loads_whole_and_comes_back(name, tmp_path):
    build = TINY[name][0]
    theirs = randomise(build(), 0.02)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours = adopted(name, build())
    report = load_weights(ours, tmp_path / "theirs.pth")
    assert report.share == 1.0 and not report.missing and not report.unexpected and not report.dropped
    for (key, tensor), (own, other) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert key == own and torch.equal(tensor, other)


def test_a_file_that_lacks_one_tensor_of_the_trunk_is_refused(tmp_path):
    state = tiny_swin().state_dict()
    del state["features.0.0.norm1.bias"]
    torch.save(state, tmp_path / "theirs.pth")
    with pytest.raises(InputError, match="100 % are needed .*features.0.0.norm1.bias"):
        load_weights(adopted("swin3d_t", tiny_swin()), tmp_path / "theirs.pth")


def test_a_head_of_other_classes_is_left_out(tmp_path):
    state = tiny_swin().state_dict()
    state |= {"head.weight": torch.zeros(400, 24), "head.bias": torch.zeros(400)}
    torch.save(state, tmp_path / "theirs.pth")
    report = load_weights(adopted("swin3d_t", tiny_swin()), tmp_path / "theirs.pth")
    assert report.missing == ["head.weight", "head.bias"] and report.share == 1.0


@pytest.mark.parametrize("name", ["mvit_v1_b", "swin3d_t", "mc3_18"])
def test_attentive_head(name):
    build, frames, size = TINY[name]
    assert_attentive_trains(adopted(name, build(), attentive=True), rgb_clips(2, frames, size))


@pytest.mark.parametrize("name", _NETWORKS)
def test_full_size(name):
    """Shapes at the clips that each network states, without memory."""
    frames, size, colours, _ = _NETWORKS[name]
    cfg = cfg_for("torchvision", name, frames=frames, size=size, classes=11)
    with torch.device("meta"):
        model = NETWORKS["torchvision"].from_cfg(cfg)
        assert model(torch.empty(1, 3, frames, size, size)).shape == (1, 11)
    assert (model.frames, model.size, model.mean, model.std) == (frames, size, *colours)
    transforms = video.__dict__[{"mvit_v1_b": "MViT_V1_B", "mvit_v2_s": "MViT_V2_S", "swin3d_t": "Swin3D_T",
                                 "swin3d_s": "Swin3D_S", "swin3d_b": "Swin3D_B", "s3d": "S3D", "r3d_18": "R3D_18",
                                 "r2plus1d_18": "R2Plus1D_18", "mc3_18": "MC3_18"}[name] + "_Weights"]  # fmt: skip
    preset = transforms.DEFAULT.transforms()
    assert (tuple(preset.mean), tuple(preset.std)) == colours
    assert preset.crop_size in ([size, size], (size, size), [size])


@facts
@pytest.mark.parametrize(("name", "count"), [("swin3d_t", 0), ("mvit_v2_s", 0), ("r2plus1d_18", 37), ("s3d", 77)])
def test_batch_norms_that_adaptation_reaches(name, count):
    frames, size, *_ = _NETWORKS[name]
    with torch.device("meta"):
        model = NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", name, frames=frames, size=size))
    assert len(batch_norms_of(model)) == count


@facts
def test_some_networks_were_trained_on_stretched_frames():
    """`resize_size` is a pair there, the frame's shape; of the others it is the shorter edge."""
    edges = {name: getattr(video, f"{name}_Weights").DEFAULT.transforms().resize_size for name in
             ("MViT_V2_S", "Swin3D_T", "S3D", "R2Plus1D_18")}  # fmt: skip
    assert {name: len(edge) for name, edge in edges.items()} == {
        "MViT_V2_S": 1,
        "Swin3D_T": 1,
        "S3D": 2,
        "R2Plus1D_18": 2,
    }
    assert (tuple(edges["S3D"]), tuple(edges["R2Plus1D_18"])) == ((256, 256), (128, 171))
    said = {row.backbone: row.note for row in BACKBONES}
    assert "stretched to 256 x 256" in said["s3d"] and "stretched to 128 x 171" in said["r2plus1d_18"]


@facts
def test_names_of_the_heads():
    with torch.device("meta"):
        assert "head.1.weight" in video.mvit_v2_s().state_dict()
        assert "head.weight" in video.swin3d_t().state_dict()
        assert "fc.weight" in video.r2plus1d_18().state_dict()
        s3d = video.s3d()
    assert not any(isinstance(module, nn.Linear) for module in s3d.modules())
    assert s3d.classifier[1].kernel_size == (1, 1, 1)


@facts
def test_clips_that_do_not_fit_are_refused_before_anything_runs():
    with torch.device("meta"):
        raw = video.mvit_v2_s()
        with pytest.raises(RuntimeError):
            raw(torch.empty(1, 3, 8, 224, 224))
        raw = video.s3d()
        assert raw(torch.empty(1, 3, 13, 209, 209)).shape == (1, 400)
        for frames, size in ((12, 209), (13, 208)):
            with pytest.raises(RuntimeError):
                raw(torch.empty(1, 3, frames, size, size))
            with pytest.raises(InputError, match="s3d takes clips from 13 frames and 209 pixels on"):
                NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", "s3d", frames=frames, size=size))
    words = (
        "mvit_v2_s takes clips of 16 frames of 224 pixels and the configuration has DATA.NUM_FRAMES 8, "
        "DATA.TRAIN_CROP_SIZE 112, DATA.TEST_CROP_SIZE 112: set DATA.NUM_FRAMES 16 DATA.TRAIN_CROP_SIZE 224 "
        "DATA.TEST_CROP_SIZE 224 DATA.TRAIN_JITTER_SCALES [224,280]"
    )
    with pytest.raises(InputError, match=re.escape(words)):
        NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", "mvit_v2_s", frames=8, size=112))


@facts
def test_swin_takes_anything():
    with torch.device("meta"):
        model = NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", "swin3d_t", frames=7, size=113))
        assert model(torch.empty(1, 3, 1, 224, 224)).shape == (1, 5)
        assert model(torch.empty(1, 3, 7, 113, 111)).shape == (1, 5)


def test_own_colours_win_with_one_line(caplog):
    with torch.device("meta"), caplog.at_level(logging.INFO):
        NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", "swin3d_t"))
    assert caplog.text.count("in place of DATA.MEAN [0.45, 0.45, 0.45]") == 1
    caplog.clear()
    mean, std = map(list, IMAGENET)
    with torch.device("meta"), caplog.at_level(logging.INFO):
        NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", "swin3d_t", DATA__MEAN=mean, DATA__STD=std))
    assert caplog.text == ""
    with pytest.raises(InputError, match="SUBTRACT_TEMPORAL_MEAN: set that to 0"):
        NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", "swin3d_t", DATA__SUBTRACT_TEMPORAL_MEAN=1.0))


def test_recolouring_is_exact():
    rgb = rgb_clips(1, 2, 8)
    recolour = adopted("r3d_18", TINY["r3d_18"][0]()).recolour
    torch.testing.assert_close(
        recolour(normalised(rgb, COLOURS)), normalised(rgb, _KINETICS), atol=1e-5, rtol=1e-6
    )  # fmt: skip
    assert recolour.state_dict() == {}


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"MODEL__BACKBONE": "mvit_v3"}, "MODEL.BACKBONE is 'mvit_v3', one of mvit_v1_b, mvit_v2_s"),
    ],
)
def test_settings_that_do_not_fit(extra, words):
    with torch.device("meta"), pytest.raises(InputError, match=words):
        NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", "r3d_18", **extra))


def test_a_file_in_the_place_of_a_name_is_told_its_key(tmp_path):
    (tmp_path / "swin.pth").write_bytes(b"")
    with pytest.raises(InputError, match="; a file of weights is TRAIN.CHECKPOINT_FILE_PATH$"):
        NETWORKS["torchvision"].from_cfg(cfg_for("torchvision", tmp_path / "swin.pth"))


def test_blocks_for_checkpointing():
    counts = {name: len(adopted(name, TINY[name][0]()).blocks_to_checkpoint([])) for name in ("mvit_v1_b", "swin3d_t")}
    assert counts == {"mvit_v1_b": 2, "swin3d_t": 4 + 2}
    blocks = adopted("r3d_18", TINY["r3d_18"][0]()).blocks_to_checkpoint([])
    assert [type(block).__name__ for block in blocks] == ["BasicBlock"] * 4
