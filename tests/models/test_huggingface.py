"""Video networks of `transformers` from folders as it writes them; facts about it hold for transformers 5.24.0."""

import logging
import sys

import pytest
import torch

from slowfast.models.freeze import freeze_trunk
from slowfast.models.huggingface import _FAMILIES
from slowfast.models.library import IMAGENET
from slowfast.models.network import NETWORKS
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.folders import normalisation
from tests.models.library_networks import (
    COLOURS,
    assert_attentive_trains,
    assert_like_library,
    batch_norms_of,
    cfg_for,
    normalised,
    randomise,
    rgb_clips,
)

try:
    import transformers
except ImportError:
    transformers = None
if not hasattr(transformers, "VideoPrismForVideoClassification") or not transformers.utils.is_torch_available():
    sys.modules.pop(__name__, None)  # else other tests would find half of this module
    pytest.skip("transformers is absent, or too old, or wants a newer torch", allow_module_level=True)
FACTS_OF = "5.24.0"
facts = pytest.mark.skipif(transformers.__version__ != FACTS_OF, reason=f"transformers {FACTS_OF}")

VIT = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, num_frames=4)
TINY = {
    "videomae": VIT | dict(image_size=32),
    "vjepa2": dict(
        crop_size=32, frames_per_clip=4, hidden_size=48, num_attention_heads=2, num_hidden_layers=2,
        num_pooler_layers=1, pred_hidden_size=48, pred_num_attention_heads=2, pred_num_hidden_layers=1,
    ),
    "videoprism_vision_model": dict(
        image_size=36, num_frames=4, hidden_size=32, num_attention_heads=2, intermediate_size=64,
        num_spatial_layers=2, num_temporal_layers=1, num_auxiliary_layers=1,
    ),
    "vivit": VIT | dict(image_size=32),
    "timesformer": VIT | dict(image_size=32),
}  # fmt: skip


def config_of(model_type, **other):
    return getattr(transformers, _FAMILIES[model_type].config)(**TINY[model_type], **{"num_labels": 5} | other)


def write(folder, model_type, scale=0.1, **other):
    """Write a folder with random weights and return the library's network."""
    torch.manual_seed(0)
    net = randomise(getattr(transformers, _FAMILIES[model_type].network)(config_of(model_type, **other)), scale)
    net.save_pretrained(folder)
    return net.eval()


def build(folder, model_type="", **other):
    size = 36 if model_type == "videoprism_vision_model" else 32
    return NETWORKS["huggingface"].from_cfg(cfg_for("huggingface", folder, **{"size": size} | other))


@pytest.mark.parametrize("model_type", TINY)
def test_like_transformers(model_type, tmp_path):
    theirs = write(tmp_path, model_type)
    ours = build(tmp_path, model_type)
    rgb = rgb_clips(2, 4, ours.size)

    def call(clips_BCTHW):
        return theirs(clips_BCTHW.transpose(1, 2)).logits.view(2, 5)

    assert_like_library(ours, theirs, call, rgb, (ours.mean, ours.std))
    own, others = ours.state_dict(), theirs.state_dict()
    assert set(own) == {name for name in others if ".predictor." not in name}
    assert all(torch.equal(own[name], others[name]) for name in own)


@pytest.mark.parametrize("model_type", TINY)
def test_attentive_head(model_type, tmp_path):
    write(tmp_path, model_type)
    ours = build(tmp_path, model_type, MODEL__HEAD="attentive")
    assert_attentive_trains(ours, rgb_clips(2, 4, ours.size))


@pytest.mark.parametrize("model_type", TINY)
def test_activation_checkpointing_changes_nothing(model_type, tmp_path):
    write(tmp_path, model_type)
    plain, saving = build(tmp_path, model_type).train(), build(tmp_path, model_type, MODEL__USE_CHECKPOINT=True).train()
    clips = rgb_clips(1, 4, plain.size)
    for net in (plain, saving):
        net(clips).sum().backward()
    for (name, parameter), other in zip(plain.named_parameters(), saving.parameters()):
        torch.testing.assert_close(parameter.grad, other.grad, msg=name)


FULL = {
    "videomae": (16, 224), "vjepa2": (64, 256), "videoprism_vision_model": (16, 288), "vivit": (32, 224),
    "timesformer": (8, 224),
}  # fmt: skip


@pytest.mark.parametrize("model_type", FULL)
def test_full_size(model_type, tmp_path):
    """Shapes of the library's default configurations, without memory."""
    from slowfast.models.huggingface import HuggingFace
    from slowfast.models.library import Stated

    frames, size = FULL[model_type]
    family = _FAMILIES[model_type]
    with torch.device("meta"):
        config = getattr(transformers, family.config)(num_labels=11)
        assert (getattr(config, family.frames), getattr(config, family.size)) == (frames, size)
        net = getattr(transformers, family.network)(config)
        ours = HuggingFace(net, model_type, Stated("", frames, size, *IMAGENET, ""), data=COLOURS)
        assert ours(torch.empty(1, 3, frames, size, size)).shape == (1, 11)
    assert batch_norms_of(ours) == []


@facts
def test_timesformer_gets_the_number_of_frames_of_the_configuration(tmp_path):
    theirs = write(tmp_path, "timesformer", scale=0.3)
    clips = rgb_clips(1, 8, 32)
    wrong = theirs(clips.transpose(1, 2)).logits
    theirs.config.num_frames = 8
    right = theirs(clips.transpose(1, 2)).logits
    assert (wrong - right).abs().max() > 0.1  # and no error
    ours = build(tmp_path, frames=8, DATA__MEAN=COLOURS[0], DATA__STD=COLOURS[1]).eval()
    torch.testing.assert_close(ours(clips), right, atol=1e-5, rtol=1e-5)
    assert build(tmp_path, frames=7)(rgb_clips(1, 7, 32)).shape == (1, 5)
    with pytest.raises(RuntimeError):
        theirs(rgb_clips(1, 7, 32).transpose(1, 2))


@facts
def test_timesformer_of_single_frames_gives_one_row_per_clip(tmp_path):
    theirs = write(tmp_path, "timesformer", attention_type="space_only")
    clips = rgb_clips(2, 4, 32)
    rows = theirs(clips.transpose(1, 2)).logits
    assert rows.shape == (8, 5)
    ours = build(tmp_path, DATA__MEAN=COLOURS[0], DATA__STD=COLOURS[1]).eval()
    torch.testing.assert_close(ours(clips), rows.view(2, 4, 5).mean(1), atol=1e-5, rtol=1e-5)
    assert_attentive_trains(build(tmp_path, MODEL__HEAD="attentive"), clips)


@facts
def test_videoprism_is_built_from_its_vision_configuration_and_gives_one_row(tmp_path):
    with pytest.raises((ValueError, AttributeError)):
        transformers.VideoPrismForVideoClassification(transformers.VideoPrismConfig())
    theirs = write(tmp_path, "videoprism_vision_model")
    clips = rgb_clips(2, 4, 36)
    logits = theirs(clips.transpose(1, 2)).logits
    assert logits.shape == (2, 1, 5)
    assert not logits.argmax(1).any() and (logits.softmax(1) == 1).all()  # class 0, certainly
    ours = build(tmp_path, "videoprism_vision_model")
    assert ours(clips).shape == (2, 5)
    ours.forward_head = lambda features_BD: features_BD[:, None, :5]
    with pytest.raises(InputError, match=r"forward_head of HuggingFace gives \(2, 1, 5\), logits \(B, K\) are needed"):
        ours(clips)


@facts
def test_a_missing_tensor_is_refused_where_the_library_makes_it_random(tmp_path):
    from safetensors.torch import load_file, save_file

    write(tmp_path, "vivit")
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    for ending in ("layer.1.output.dense.weight", "layer.1.output.dense.bias"):
        save_file({n: t for n, t in whole.items() if not n.endswith(ending)}, path, metadata={"format": "pt"})
        net = transformers.VivitForVideoClassification.from_pretrained(tmp_path)  # no exception
        last, stored = net.vivit.layers[1].mlp.fc2, whole["vivit.encoder.layer.1.output.dense.weight"]
        assert not last.bias.any() if ending.endswith("bias") else not torch.equal(last.weight, stored)
        with pytest.raises(InputError, match="1 tensors of VivitForVideoClassification are missing .*would be random"):
            build(tmp_path)
    other = whole | {"vivit.layernorm.weight": torch.ones(16)}
    save_file(other, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"missing or of another shape \(vivit.layernorm.weight\)"):
        build(tmp_path)
    save_file({n: t for n, t in whole.items() if n != "classifier.bias"}, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"\(classifier.bias\)"):
        build(tmp_path)


@facts
def test_videomae_and_vivit_have_other_names_in_files_than_in_memory(tmp_path):
    from safetensors.torch import load_file

    for model_type in ("videomae", "vivit"):
        theirs = write(tmp_path / model_type, model_type)
        state = load_file(tmp_path / model_type / "model.safetensors")
        assert set(state) != set(theirs.state_dict())
        if model_type == "videomae":
            block = "videomae.encoder.layer.0.attention.attention"
            assert f"{block}.q_bias" in state and f"{block}.query.bias" in theirs.state_dict()
        with pytest.raises(RuntimeError):
            theirs.load_state_dict(state)
        ours = build(tmp_path / model_type)
        report = load_weights(randomise(ours), tmp_path / model_type / "model.safetensors")
        assert report.share == 1.0 and not (report.missing or report.unexpected or report.dropped)
        assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())


@facts
def test_vjepa2_has_a_predictor_without_gradient_and_a_pooler_outside_its_trunk(tmp_path):
    with torch.device("meta"):
        net = transformers.VJEPA2ForVideoClassification(transformers.VJEPA2Config())
    sizes = {"vjepa2.encoder.": 304, "vjepa2.predictor.": 22, "pooler.": 49}
    for prefix, millions in sizes.items():
        found = sum(p.numel() for name, p in net.named_parameters() if name.startswith(prefix))
        assert abs(found / 1e6 - millions) < 1
    theirs = write(tmp_path, "vjepa2")
    theirs(rgb_clips(1, 4, 32).transpose(1, 2)).logits.sum().backward()
    assert all(p.grad is None for name, p in theirs.named_parameters() if ".predictor." in name)
    ours = build(tmp_path)
    ours(rgb_clips(1, 4, 32)).sum().backward()
    assert all(p.grad is not None for p in ours.parameters())
    assert not ours.unused_parameters


@pytest.mark.parametrize(
    ("model_type", "pooling"),
    [("vjepa2", ["pooler."]), ("videomae", ["fc_norm."]), ("videoprism_vision_model", ["head.", "head_layernorm."])],
)
def test_a_probe_trains_the_pooling_weights_too(model_type, pooling, tmp_path):
    write(tmp_path, model_type)
    ours = build(tmp_path, model_type)
    freeze_trunk(ours)
    ours.train()(rgb_clips(1, 4, ours.size)).square().sum().backward()
    trained = [name for name, weight in ours.named_parameters() if weight.grad is not None]
    starts = ("classifier.", *pooling)
    assert trained == [name for name, _ in ours.named_parameters() if name.startswith(starts)]
    assert all(any(name.startswith(start) for name in trained) for start in starts)


@facts
def test_vjepa2_counts_its_positions_with_the_size_of_its_configuration(tmp_path):
    theirs = write(tmp_path, "vjepa2", scale=0.5)
    clips = rgb_clips(1, 4, 48)
    wrong = theirs(clips.transpose(1, 2)).logits
    resized = TINY["vjepa2"] | {"crop_size": 48, "num_labels": 5}
    net = transformers.VJEPA2ForVideoClassification(transformers.VJEPA2Config(**resized))
    net.load_state_dict(theirs.state_dict())
    right = net.eval()(clips.transpose(1, 2)).logits
    assert (wrong - right).abs().max() > 0.01  # and no error
    mean, std = map(list, IMAGENET)
    ours = build(tmp_path, size=48, DATA__MEAN=mean, DATA__STD=std).eval()
    torch.testing.assert_close(ours(clips), right, atol=1e-5, rtol=1e-5)
    short = theirs(clips[:, :, :3].transpose(1, 2)).logits
    assert torch.equal(short, theirs(clips[:, :, :2].transpose(1, 2)).logits)  # the third frame is dropped
    with pytest.raises(InputError, match="takes frames in groups of 2 .*, not 3 frames of 32"):
        build(tmp_path, frames=3)


@facts
@pytest.mark.parametrize("model_type", ["videomae", "videoprism_vision_model", "vivit"])
def test_fixed_clips(model_type, tmp_path):
    theirs = write(tmp_path, model_type)
    size = TINY[model_type]["image_size"]
    for frames, side in ((8, size), (4, 2 * size)):
        with pytest.raises((ValueError, RuntimeError)):
            theirs(rgb_clips(1, frames, side).transpose(1, 2))
        with pytest.raises(InputError, match=f"takes clips of 4 frames of {size} pixels"):
            build(tmp_path, frames=frames, size=side)
    if model_type == "vivit":
        with pytest.raises(Exception):  # noqa: B017  whatever the library raises
            theirs(rgb_clips(1, 4, 48).transpose(1, 2), interpolate_pos_encoding=True)


@facts
def test_processors():
    assert transformers.VJEPA2VideoProcessor(crop_size=288).size["shortest_edge"] == 329
    black = torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
    pixels = transformers.VivitVideoProcessor()(list(black[None]), return_tensors="pt")["pixel_values"]
    assert pixels.unique().tolist() == [-3.0]


@pytest.mark.parametrize("name", ["VivitImageProcessor", "VivitVideoProcessor", "VJEPA2VideoProcessor"])
def test_colours_come_from_the_processor_in_the_folder(name, tmp_path, caplog):
    write(tmp_path, "vivit")
    assert normalisation(tmp_path) is None
    processor = getattr(transformers, name)(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor.save_pretrained(tmp_path)
    with caplog.at_level(logging.INFO):
        ours = build(tmp_path)
    assert caplog.text.count("in place of DATA.MEAN") == 1
    mean, std = ([0.75] * 3, [0.25] * 3) if "Vivit" in name else map(list, IMAGENET)
    assert ours.mean == pytest.approx(mean) and ours.std == pytest.approx(std)
    frame = (255 * rgb_clips(1, 1, 32)[0, :, 0]).round().to(torch.uint8)
    video = frame[None].expand(4, -1, -1, -1)
    if name != "VivitImageProcessor":
        theirs = processor([video], return_tensors="pt", do_resize=False)
        theirs = theirs[next(key for key in theirs if "pixel_values" in key)].transpose(1, 2)
        clips = normalised(video.transpose(0, 1)[None] / 255, COLOURS)
        torch.testing.assert_close(ours.recolour(clips), theirs, atol=1e-5, rtol=1e-5)
