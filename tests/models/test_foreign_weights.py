"""Weights of the same networks as Hugging Face's and torchvision's libraries save them, checked against these."""

import pytest
import torch

from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.models.naming import candidates
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models.test_weights import assert_same, randomised, save, tiny_mvit, tiny_vit


def hugging_face():
    """The library; recent ones have no networks where torch is older than they want."""
    transformers = pytest.importorskip("transformers")
    if not transformers.utils.is_torch_available():
        pytest.skip("this transformers wants a newer torch")
    return transformers


def hugging_face_config(**settings):
    transformers = hugging_face()
    return transformers.VideoMAEConfig(
        image_size=32, num_frames=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        num_labels=5, layer_norm_eps=1e-6, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("mean_pooling", [True, False])
@pytest.mark.parametrize("safe", [True, False])
def test_hugging_face_videomae(tmp_path, mean_pooling, safe):
    transformers = hugging_face()
    theirs = transformers.VideoMAEForVideoClassification(hugging_face_config(use_mean_pooling=mean_pooling)).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    if safe:
        theirs.save_pretrained(tmp_path)
        path = next(tmp_path.glob("*.safetensors"))
    else:
        path = save(tmp_path / "pytorch_model.bin", theirs.state_dict())
    model = tiny_vit(mean_pooling=mean_pooling).eval()
    report = load_weights(model, path)
    assert report.share == 1.0
    assert not (report.missing or report.unexpected or report.dropped)
    clips = torch.randn(2, 3, 4, 32, 32, generator=generator)
    with torch.no_grad():
        expected = theirs(pixel_values=clips.transpose(1, 2)).logits
        torch.testing.assert_close(model(clips), expected, atol=1e-4, rtol=1e-4)


def test_hugging_face_names_of_both_versions(tmp_path):
    """Older versions save q_bias and v_bias, newer ones may save query.bias and value.bias."""
    source = randomised(tiny_vit())
    older = {}
    for name, tensor in source.state_dict().items():
        block = name.split(".")[1] if name.startswith("blocks") else ""
        start = f"videomae.encoder.layer.{block}"
        if name.endswith("attn.qkv.weight"):
            for part, value in zip(("query", "key", "value"), tensor.chunk(3)):
                older[f"{start}.attention.attention.{part}.weight"] = value.clone()
            continue
        for ours, theirs in (
            ("attn.q_bias", "attention.attention.q_bias"), ("attn.v_bias", "attention.attention.v_bias"),
            ("attn.proj", "attention.output.dense"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense"),
            ("norm1", "layernorm_before"), ("norm2", "layernorm_after"),
        ):  # fmt: skip
            if name.startswith(f"blocks.{block}.{ours}"):
                name = name.replace(f"blocks.{block}.{ours}", f"{start}.{theirs}")
        name = name.replace("patch_embed.proj", "videomae.embeddings.patch_embeddings.projection")
        older[name.replace("head.", "classifier.") if name.startswith("head") else name] = tensor
    newer = {name.replace("q_bias", "query.bias").replace("v_bias", "value.bias"): t for name, t in older.items()}
    wrapped = {f"module.{name}": tensor for name, tensor in older.items()}
    without_head = {name.removeprefix("videomae."): t for name, t in newer.items() if not name.startswith("classifier")}
    for state in (older, newer, wrapped, without_head):
        model = tiny_vit()
        report = load_weights(model, save(tmp_path / "w.bin", state))
        assert report.layout == "Hugging Face transformers"
        assert report.share == 1.0
        assert_same(model, source, skip=("head",) if state is without_head else ())


@pytest.mark.parametrize("scale", [0.2, 0.02])
def test_torchvision_mvit(tmp_path, scale):
    """With small weights the pooled keys are so small that a wrong epsilon shows."""
    from torchvision.models.video.mvit import MSBlockConfig
    from torchvision.models.video.mvit import MViT as Theirs

    settings = [
        MSBlockConfig(1, 16, 32, [], [3, 3, 3], [], [1, 4, 4]),
        MSBlockConfig(2, 32, 32, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 2, 2]),
        MSBlockConfig(2, 32, 32, [], [3, 3, 3], [], [1, 2, 2]),
    ]
    theirs = Theirs(
        spatial_size=(32, 32), temporal_size=4, block_setting=settings, residual_pool=False,
        residual_with_cls_embed=True, rel_pos_embed=False, proj_after_attn=False, num_classes=5,
        stochastic_depth_prob=0.0,
    ).eval()  # fmt: skip
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    model = tiny_mvit(pool_kernel=(3, 3, 3)).eval()
    report = load_weights(model, save(tmp_path / "mvit_v1_b.pth", theirs.state_dict()))
    assert report.layout == "torchvision"
    assert report.share == 1.0
    assert not (report.missing or report.unexpected or report.dropped)
    clips = torch.randn(2, 3, 4, 32, 32, generator=generator)
    with torch.no_grad():
        expected = theirs(clips)
        assert (model(clips) - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert len(report.epsilons) == 7 and set(report.epsilons.values()) == {1e-6}


SIXTEEN_BLOCKS = "configs/nightcrawler/models/mvit_b16_k400.yaml"


def test_the_configuration_with_16_blocks_has_the_tensors_of_mvit_v1_b(repo):
    from torchvision.models.video import mvit_v1_b

    with torch.device("meta"):
        theirs = mvit_v1_b().state_dict()
        model = build_model(load_config(repo / SIXTEEN_BLOCKS, ["MODEL.NUM_CLASSES", "400"]))
    (renamed,) = [state for layout, state in candidates(theirs, ()) if layout == "torchvision"]
    assert {name: tensor.shape for name, tensor in renamed.items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }


@pytest.mark.slow
def test_mvit_v1_b_as_a_whole(repo, tmp_path):
    from torchvision.models.video import mvit_v1_b

    theirs = mvit_v1_b().eval()
    model = build_model(load_config(repo / SIXTEEN_BLOCKS, ["MODEL.NUM_CLASSES", "400"])).eval()
    report = load_weights(model, save(tmp_path / "mvit_v1_b.pth", theirs.state_dict()), complete=True)
    assert report.share == 1.0 and not (report.missing or report.dropped)
    clips = torch.randn(1, 3, 16, 224, 224)
    with torch.no_grad():
        assert (model(clips) - theirs(clips)).abs().max() <= 1e-5


def test_a_wrong_kernel_is_refused_however_few_parameters_it_has(tmp_path):
    """The kernels of the poolings are a thousandth of the parameters of MViT-B."""
    path = save(tmp_path / "w.pth", tiny_mvit(pool_kernel=(3, 3, 3), embed_dim=96).state_dict())
    model = tiny_mvit(pool_kernel=(1, 3, 3), embed_dim=96)
    before = model.blocks[0].mlp.fc1.weight.clone()
    with pytest.raises(InputError, match=r"w.pth: \d+ of \d+ tensors have other sizes .*pool_k.weight: shape"):
        load_weights(model, path)
    assert torch.equal(model.blocks[0].mlp.fc1.weight, before)
    assert len(load_weights(model, path, smallest_share=0.0).dropped) == 7
