"""Every registered network through build, forward, backward, features, save and load; options that change no value."""

import io
import weakref

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from slowfast.config import get_cfg
from slowfast.engine.preflight import COMPILED_CHECKPOINTS
from slowfast.models import NETWORKS, build_model
from slowfast.models.accelerate import accelerate
from slowfast.models.depth import layers_of
from slowfast.models.slowfast_r101 import Bottleneck
from slowfast.utils.errors import InputError

SMALL = {
    "uniformer": {"UNIFORMER.EMBED_DIM": [16, 16, 32, 32], "UNIFORMER.HEAD_DIM": 16, "UNIFORMER.DEPTH": [1, 1, 1, 1],
                  "UNIFORMER.DROP_DEPTH_RATE": 0.0},
    "mvit": {"MVIT.DEPTH": 3, "MVIT.EMBED_DIM": 16, "MVIT.POOL_Q_STRIDE": [[1, 1, 2, 2]], "MVIT.DIM_MUL": [[1, 2.0]],
             "MVIT.HEAD_MUL": [[1, 2.0]], "MVIT.POOL_KV_STRIDE_ADAPTIVE": [1, 4, 4], "MVIT.PATCH_PADDING": [1, 3, 3],
             "MVIT.SEP_POS_EMBED": True, "MVIT.DROPPATH_RATE": 0.0, "MODEL.DROPOUT_RATE": 0.0},
    "sf": {"SF.DEPTH": [1, 1, 1, 1], "SF.WIDTH": 16, "SF.DROPOUT_RATE": 0.0},
    "videomae": {"VIDEOMAE.EMBED_DIM": 32, "VIDEOMAE.DEPTH": 2, "VIDEOMAE.NUM_HEADS": 2,
                 "VIDEOMAE.DROP_PATH_RATE": 0.0},
}  # fmt: skip

OF_LIBRARIES = ("torchvision", "huggingface", "frames")  # each has a test file of its own


def small_cfg(architecture, **extra):
    cfg = get_cfg()
    cfg.MODEL.ARCH, cfg.MODEL.NUM_CLASSES, cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE = architecture, 5, 8, 64
    flat = [text for key, value in (SMALL[architecture] | extra).items() for text in (key, value)]
    cfg.merge_from_list(flat)
    return cfg


def built(architecture, **extra):
    """A network whose every tensor matters: no zero scale, no statistics of 0 and 1."""
    torch.manual_seed(0)
    model = build_model(small_cfg(architecture, **extra))
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_((0.2 if tensor.ndim == 1 else 0.02) * torch.rand_like(tensor))
            if "conv3.bn.weight" in name:
                tensor.add_(0.5)
    return model


@pytest.fixture
def clips():
    return torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(1))


def step(model, clips):
    """Return logits and gradients of one training step."""
    logits = model.train()(clips)
    nn.functional.cross_entropy(logits, torch.tensor([0, 3])).backward()
    return logits.detach(), {name: p.grad for name, p in model.named_parameters()}


def test_every_architecture_is_tested():
    assert {*SMALL, *OF_LIBRARIES} == set(NETWORKS.names())


@pytest.mark.parametrize("architecture", SMALL)
def test_build_forward_backward_features_save_load(architecture, clips):
    model = built(architecture)
    logits, gradients = step(model, clips)
    assert logits.shape == (2, 5)
    without = [name for name, gradient in gradients.items() if gradient is None]
    assert all(name.startswith("fast.res_nl4.") for name in without)
    assert all(torch.isfinite(g).all() for g in gradients.values() if g is not None)
    model.eval()
    with torch.no_grad():
        features, logits = model.forward_features(clips), model(clips)
    head = next(module for module in reversed(list(model.modules())) if isinstance(module, nn.Linear))
    assert features.shape == (2, head.in_features)
    assert torch.equal(head(features), logits)
    assert torch.equal(model.forward_head(features), logits)
    names = [name for name in model.state_dict() if name.startswith(model.head_names)]
    assert [model.get_parameter(name) for name in names] == list(head.parameters())
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    again = build_model(small_cfg(architecture)).eval()
    again.load_state_dict(torch.load(buffer, weights_only=True))
    with torch.no_grad():
        assert torch.equal(again(clips), logits)


@pytest.mark.parametrize("architecture", SMALL)
def test_activation_checkpointing_changes_nothing(architecture, clips):
    plain, saving = built(architecture), built(
        architecture, **{"MODEL.USE_CHECKPOINT": True, "MODEL.CHECKPOINT_NUM": [1, 1, 1, 1]}
    )  # fmt: skip
    saving.load_state_dict(plain.state_dict())
    (logits, gradients), (other_logits, other_gradients) = step(plain, clips), step(saving, clips)
    torch.testing.assert_close(logits, other_logits, atol=1e-6, rtol=0)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, other_gradients[name], atol=1e-6, rtol=1e-4, msg=name)
    for (name, buffer), other in zip(plain.named_buffers(), saving.buffers()):
        assert torch.equal(buffer, other), name


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("architecture", SMALL)
def test_torch_compile_takes_the_network_whole_and_changes_nothing(architecture, checkpointed, clips):
    """Traced without code generation, which needs a C++ compiler."""
    if checkpointed and torch.__version__ < COMPILED_CHECKPOINTS:
        pytest.skip("this torch would update statistics twice; training refuses the combination")
    options = {"MODEL.USE_CHECKPOINT": checkpointed, "MODEL.CHECKPOINT_NUM": [1, 1, 1, 1]}
    eager, model = built(architecture), built(architecture, **options)
    accelerate(model, device=clips.device, training=True)
    logits, gradients = step(eager, clips)
    torch._dynamo.reset()
    other_logits, _ = step(torch.compile(model, backend="aot_eager", fullgraph=True), clips)
    torch.testing.assert_close(logits, other_logits, atol=1e-5, rtol=0)
    total = torch.stack([g.norm() for g in gradients.values() if g is not None]).norm()
    for name, parameter in model.named_parameters():
        if gradients[name] is not None:
            assert (parameter.grad - gradients[name]).norm() <= 1e-3 * (gradients[name].norm() + 1e-3 * total), name
    for (name, buffer), other in zip(eager.named_buffers(), model.buffers()):
        torch.testing.assert_close(buffer, other, atol=1e-6, rtol=1e-5, msg=name)


def inner_convolutions(model):
    """The convolutions that read normalised activations inside the bottlenecks of SlowFast."""
    blocks = [module for module in model.modules() if isinstance(module, Bottleneck)]
    return [convolution for block in blocks for convolution in (block.conv2.conv, block.conv3.conv)]


@pytest.mark.parametrize("checkpointed", [False, True])
def test_checkpointed_slowfast_keeps_nothing_of_the_inside_of_its_blocks(clips, checkpointed):
    model, outputs = built("sf", **{"MODEL.USE_CHECKPOINT": checkpointed}).train(), []
    for convolution in inner_convolutions(model):
        convolution.register_forward_hook(lambda _layer, _inputs, output: outputs.append(weakref.ref(output)))
    logits = model(clips)
    assert len(outputs) == 16
    assert any(output() is not None for output in outputs) is not checkpointed
    logits.sum().backward()


def test_neck_gives_batchnorm_to_mvit(clips):
    without, model = built("mvit"), built("mvit", **{"MVIT.NECK_BN": True})
    assert not any(isinstance(module, _NormBase) for module in without.modules())
    assert [module for module in model.modules() if isinstance(module, _NormBase)] == [model.neck]
    extra = set(model.state_dict()) - set(without.state_dict())
    assert extra == {f"neck.{key}" for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")}
    features = model.train().forward_features(clips)
    torch.testing.assert_close(features.mean(0), model.neck.bias, atol=1e-4, rtol=0)


def test_initial_residual_scale():
    torch.manual_seed(0)
    plain = build_model(small_cfg("mvit"))
    torch.manual_seed(0)
    scaled = build_model(small_cfg("mvit", **{"MVIT.INIT_RESIDUAL_SCALE": 0.25}))
    for name, tensor in plain.state_dict().items():
        factor = 0.25 if name.endswith(("attn.proj.weight", "mlp.fc2.weight")) else 1.0
        torch.testing.assert_close(scaled.state_dict()[name], factor * tensor, rtol=0, atol=0)


def test_drop_path_keeps_the_mean(clips):
    torch.manual_seed(0)
    model = built("videomae", **{"VIDEOMAE.DROP_PATH_RATE": 0.9})
    drop = model.blocks[1].drop_path.train()
    values = drop(torch.ones(4000, 2, 3))
    assert values.unique().tolist() == pytest.approx([0.0, 10.0])
    assert values.mean().item() == pytest.approx(1.0, abs=0.2)
    assert torch.equal(drop.eval()(clips), clips)


def test_mvit_without_class_token_and_with_listed_strides(clips):
    model = built("mvit", **{"MVIT.CLS_EMBED_ON": False, "MVIT.POOL_KV_STRIDE_ADAPTIVE": None,
                             "MVIT.POOL_KV_STRIDE": [[0, 1, 4, 4], [2, 2, 2, 2]]})  # fmt: skip
    assert model(clips).shape == (2, 5)
    assert model.blocks[1].attn.pool_k is None
    assert model.blocks[2].attn.pool_k.stride == (2, 2, 2)
    assert not any("cls" in name or "class" in name for name in model.state_dict())


def test_the_fixed_positions_move_with_videomae_and_are_no_buffer():
    model = built("videomae")
    assert not list(model.buffers())
    assert model.to(torch.float64).table.dtype == torch.float64
    assert model.to("meta").table.device.type == "meta"


def test_videomae_sizes(clips):
    model = built("videomae").eval()
    assert model(torch.randn(1, 3, 16, 96, 64)).shape == (1, 5)
    learned = built("videomae", **{"VIDEOMAE.LEARNABLE_POS_EMBED": True})
    assert learned(clips).shape == (2, 5)
    with pytest.raises(InputError, match="learned positions are for 64 tokens, the clip has 128"):
        learned(torch.randn(1, 3, 16, 64, 64))
    with pytest.raises(InputError, match="cannot be cut into tubelets of 2x16x16"):
        model(torch.randn(1, 3, 8, 60, 64))
    first = built("videomae", **{"VIDEOMAE.USE_MEAN_POOLING": False})
    assert {"norm.weight", "norm.bias"} <= set(first.state_dict())
    assert not any(name.startswith("fc_norm") for name in first.state_dict())
    assert first(clips).shape == (2, 5)


def test_layers_of_videomae():
    model = built("videomae", **{"VIDEOMAE.LEARNABLE_POS_EMBED": True})
    layer_of, num_layers = layers_of(model)
    layers = {name: layer_of(name) for name, _ in model.named_parameters()}
    assert num_layers == 3
    assert layers["patch_embed.proj.weight"] == layers["patch_embed.proj.bias"] == 0
    assert layers["blocks.0.norm1.weight"] == 1
    assert layers["blocks.1.mlp.fc2.bias"] == 2
    assert layers["fc_norm.weight"] == layers["head.bias"] == 3
    assert layers["pos_embed"] == 0
    assert set(layers.values()) == {0, 1, 2, 3}


BAD = [
    ("uniformer", {"UNIFORMER.DEPTH": [1, 1, 1]}, "UNIFORMER.DEPTH has 3 values"),
    ("uniformer", {"UNIFORMER.EMBED_DIM": [16, 16, 40, 32]}, "no multiple of UNIFORMER.HEAD_DIM 16"),
    ("sf", {"SF.WIDTH": 20}, "SF.WIDTH is 20"),
    ("sf", {"SF.WIDTH": 16, "SF.BETA_INV": 3}, "a multiple of SF.BETA_INV, 3"),
    ("sf", {"SF.BETA_INV": 0}, "SF.BETA_INV is 0"),
    ("sf", {"SF.DEPTH": [1, 0, 1, 1]}, "SF.DEPTH"),
    ("mvit", {"MVIT.POOL_KV_STRIDE": [[0, 1, 2, 2]]}, "keep one of them"),
    ("videomae", {"VIDEOMAE.NUM_HEADS": 3}, "no multiple of VIDEOMAE.NUM_HEADS 3"),
    ("videomae", {"DATA.TRAIN_CROP_SIZE": 60}, "cannot be cut into tubelets"),
]


@pytest.mark.parametrize(("architecture", "extra", "words"), BAD)
def test_settings_that_do_not_fit(architecture, extra, words):
    with pytest.raises(InputError, match=words):
        built(architecture, **extra)


def test_unknown_architecture_and_wrong_clips(clips):
    cfg = get_cfg()
    with pytest.raises(InputError, match="MODEL.ARCH is 'slowfast', one of .*'mvit'.* is needed"):
        build_model(cfg)
    with pytest.raises(InputError, match="multiple of 4 frames, not 6"):
        built("sf")(clips[:, :, :6])
    with pytest.raises(InputError, match="MViT was built for clips of"):
        built("mvit")(clips[:, :, :4])
