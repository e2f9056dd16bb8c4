"""Image networks of timm on frames; facts about them hold for timm 1.0.31."""

import pytest
import timm
import torch
from torch import nn

from slowfast.models.network import NETWORKS
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models.library_networks import (
    COLOURS,
    assert_attentive_trains,
    batch_norms_of,
    cfg_for,
    gradients_of,
    normalised,
    randomise,
    rgb_clips,
)

TINY = "test_resnet" if timm.is_model("test_resnet") else "resnet10t"
facts = pytest.mark.skipif(timm.__version__ != "1.0.31", reason="timm 1.0.31")


def build(name=TINY, **other):
    torch.manual_seed(0)
    return NETWORKS["frames"].from_cfg(cfg_for("frames", name, **other))


def test_mean_of_the_frames_as_timm_answers_to_each(tmp_path):
    ours = build().eval()
    theirs = timm.create_model(TINY, num_classes=0).eval()
    theirs.load_state_dict(
        {name.removeprefix("image."): t for name, t in ours.state_dict().items() if "image." in name}
    )
    rgb = rgb_clips(2, 4, 32)
    logits_BK = ours(normalised(rgb, COLOURS))
    frames = normalised(rgb, (ours.mean, ours.std)).transpose(1, 2).flatten(0, 1)
    expected_BK = ours.classifier(theirs(frames).view(2, 4, -1).mean(1))
    torch.testing.assert_close(logits_BK, expected_BK, atol=1e-5, rtol=1e-5)
    found, expected = gradients_of(ours, logits_BK), gradients_of(theirs, expected_BK)
    assert set(found) == {name for name, _ in ours.named_parameters()}
    for name, gradient in expected.items():
        torch.testing.assert_close(found[f"image.{name}"], gradient, atol=1e-4, rtol=1e-4)
    assert ours.forward_features(rgb).shape == (2, ours.classifier.in_features)


def test_attentive_head():
    assert_attentive_trains(build(MODEL__HEAD="attentive"), rgb_clips(2, 4, 32))


def test_a_file_of_timm_loads_whole_and_its_classifier_stays_out(tmp_path):
    theirs = randomise(timm.create_model(TINY, num_classes=1000))
    torch.save(theirs.state_dict(), tmp_path / "timm.pth")
    ours = build()
    report = load_weights(ours, tmp_path / "timm.pth")
    assert report.share == 1.0 and report.missing == ["classifier.weight", "classifier.bias"]
    state = theirs.state_dict()
    for name, tensor in ours.state_dict().items():
        assert not name.startswith("image.") or torch.equal(tensor, state[name.removeprefix("image.")])
    torch.save(ours.state_dict(), tmp_path / "ours.pth")
    assert not load_weights(build(), tmp_path / "ours.pth").missing


FULL = {
    "vit_small_patch16_dinov3": (256, 384), "vit_base_patch16_siglip_224": (224, 768), "resnet50": (224, 2048),
    "vit_pe_core_tiny_patch16_384": (384, 192), "convnext_tiny": (224, 768),
}  # fmt: skip


@pytest.mark.parametrize("name", FULL)
def test_full_size(name):
    size, width = FULL[name]
    if not timm.is_model(name):
        pytest.skip(f"timm {timm.__version__} has no {name}")
    with torch.device("meta"):
        model = build(name, frames=8, size=size, classes=11)
        assert model.forward_features(torch.empty(1, 3, 8, size, size)).shape == (1, width)
        assert model(torch.empty(1, 3, 8, size, size)).shape == (1, 11)
    assert bool(batch_norms_of(model)) == ("resnet" in name)
    assert model.size == size and model.stated.licence


@facts
def test_dinov3_gives_the_mean_of_its_patches():
    model = timm.create_model(
        "vit_small_patch16_dinov3", num_classes=0, depth=1, embed_dim=48, num_heads=2, img_size=32
    ).eval()
    assert model.num_prefix_tokens == 5
    image = rgb_clips(1, 1, 32)[:, :, 0]
    tokens = model.forward_features(image)
    torch.testing.assert_close(model(image), model.fc_norm(tokens[:, 5:].mean(1)))
    with torch.device("meta"):
        whole = build("vit_small_patch16_dinov3", size=256)
    assert whole.image.num_prefix_tokens == 5 and whole.classifier.in_features == 384
    assert whole.stated.licence == "dinov3-license"


@facts
def test_pe_core_pools_by_attention_and_its_own_head_is_no_classifier():
    with torch.device("meta"):
        model = timm.create_model("vit_pe_core_tiny_patch16_384")
        ours = build("vit_pe_core_tiny_patch16_384", size=384)
    assert model.global_pool == "map" and model.num_classes == 512
    assert not isinstance(ours.image.head, nn.Linear)
    assert ours.classifier.in_features == 192


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        ("resnet18x", {}, "a name of timm .* is needed .did you mean 'resnet18'"),
        ("hf-hub:timm/resnet18", {}, "a name of timm"),
        ("local-dir:/tmp", {}, "a name of timm"),
        ("", {}, "a name of timm"),
        (
            "vit_base_patch16_siglip_224",
            {"size": 256},
            "does not take frames of 256 pixels .*: set DATA.TRAIN_CROP_SIZE",
        ),
    ],
)
def test_settings_that_do_not_fit(name, other, words):
    with pytest.raises(InputError, match=words):
        build(name, **other)


def test_a_folder_of_timm_is_told_its_name_and_its_key(tmp_path):
    """As timm writes it; with that name and key its weights are loaded whole."""
    theirs = randomise(timm.create_model(TINY, num_classes=1000))
    timm.models.save_for_hf(theirs, tmp_path, safe_serialization=True)
    with pytest.raises(InputError, match=f"is a folder, .* set MODEL.BACKBONE {TINY} and TRAIN.CHECKPOINT_FILE_PATH "):
        build(str(tmp_path))
    assert load_weights(build(), tmp_path).share == 1.0
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="set MODEL.BACKBONE to its network and"):
        build(str(tmp_path))
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match="has no config.json"):
        build(str(tmp_path))


def test_activation_checkpointing_changes_nothing():
    saving = build("vit_tiny_patch16_224", frames=1, size=224, MODEL__USE_CHECKPOINT=True)
    assert saving.image.grad_checkpointing
