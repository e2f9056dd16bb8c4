"""The forms of a device change neither values nor names; the networks themselves ask nothing about devices."""

import copy
import inspect
import re

import pytest
import torch
from torch import nn

from slowfast.models import NETWORKS
from slowfast.models.accelerate import accelerate, forms_for
from slowfast.models.forms.convolution import ChannelsLastConv3d, PerFrameConv3d, TapsConv3d
from slowfast.models.forms.depthwise import FramewiseDepthwise, SameDepthwise
from tests.models.test_registered import SMALL, built, step

CPU = torch.device("cpu")
QUESTIONS = re.compile(
    r"\bglobal\b|data_ptr|is_autocast|is_grad_enabled|is_compiling|is_cuda|\.device\.type|_PLAIN|channels_last"
)


@pytest.fixture
def clips():
    return torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", SMALL)
def test_same_values_gradients_and_statistics(architecture, clips):
    plain = built(architecture)
    fast = accelerate(copy.deepcopy(plain), device=CPU, training=True)
    (plain_logits, plain_gradients), (logits, gradients) = step(plain, clips), step(fast, clips)
    torch.testing.assert_close(logits, plain_logits, atol=2e-4, rtol=0)
    total = torch.stack([g.norm() for g in plain_gradients.values() if g is not None]).norm()
    for name, gradient in plain_gradients.items():
        if gradient is not None:
            assert (gradients[name] - gradient).norm() <= 2e-3 * (gradient.norm() + 1e-3 * total), name
    for (name, buffer), other in zip(fast.named_buffers(), plain.buffers()):
        torch.testing.assert_close(buffer, other, atol=1e-5, rtol=1e-4, msg=name)
    with torch.no_grad():
        torch.testing.assert_close(fast.eval()(clips), plain.eval()(clips), atol=2e-4, rtol=1e-5)


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("architecture", SMALL)
def test_names_and_parameters_stay(architecture, device):
    model = built(architecture)
    before = model.state_dict(keep_vars=True)
    accelerate(model, device=torch.device(device), training=True)
    after = model.state_dict(keep_vars=True)
    assert list(before) == list(after)
    assert all(before[name] is after[name] for name in before)


def class_of(module, **settings):
    """The class that the first fitting form of the CPU has."""
    return next(filter(None, (form(module) for form in forms_for(CPU, **settings))), None)


@pytest.mark.parametrize(
    ("convolution", "form"),
    [
        (nn.Conv3d(8, 16, 1), PerFrameConv3d),
        (nn.Conv3d(8, 16, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)), PerFrameConv3d),
        (nn.Conv3d(8, 16, (3, 1, 1), padding=(1, 0, 0)), TapsConv3d),
        (nn.Conv3d(8, 4, 3, padding=1), TapsConv3d),
        (nn.Conv3d(8, 16, 3, padding=1), ChannelsLastConv3d),
        (nn.Conv3d(8, 16, (1, 3, 3), stride=(2, 1, 1)), ChannelsLastConv3d),
        (nn.Conv3d(8, 16, 1, padding=(0, 1, 1)), None),
        (nn.Conv3d(8, 16, 2, stride=2), None),
        (nn.Conv3d(8, 16, 3, padding="same"), None),
        (nn.Conv3d(8, 16, 1, padding_mode="circular"), None),
        (nn.Conv3d(8, 16, 3, groups=2), None),
        (nn.Conv3d(8, 8, 3, padding=1, groups=8), SameDepthwise),
        (nn.Conv3d(8, 8, (1, 3, 3), stride=2, groups=8), FramewiseDepthwise),
        (nn.Conv3d(8, 8, 3, padding=2, dilation=2, groups=8), None),
    ],
)
def test_form_of_a_convolution(convolution, form):
    assert class_of(convolution, training=True) is form

    if form is None:
        return
    x = torch.randn(2, 8, 4, 6, 6, requires_grad=True)
    expected = convolution(x)
    (plain,) = torch.autograd.grad(expected.square().sum(), x)
    convolution.__class__ = form
    y = convolution(x)
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.autograd.grad(y.square().sum(), x)[0], plain, atol=1e-4, rtol=1e-4)


def test_no_backward_form_without_training():
    assert class_of(nn.Conv3d(8, 8, 3, padding=1, groups=8), training=False) is None


def test_patch_embeddings_and_heads_are_not_rounded(clips):
    model, dtypes = accelerate(built("uniformer").eval(), device=CPU, training=False), []
    for name in (*model.exact_modules, "head"):
        module = model.get_submodule(name)
        module.register_forward_hook(lambda layer, inputs, output: dtypes.append(output.dtype))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        model(clips)
    assert dtypes == [torch.float32] * 5


def test_heads_of_other_kinds_under_autocast(clips):
    model = built("uniformer").eval()
    model.head = nn.Identity()
    accelerate(model, device=CPU, training=False)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(clips), model.forward_features(clips))
    model.bfloat16()
    with torch.no_grad():
        assert model(clips.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("architecture", NETWORKS.names())
def test_networks_ask_nothing_about_devices(architecture):
    source = inspect.getsource(inspect.getmodule(NETWORKS[architecture]))
    assert QUESTIONS.findall(source) == []


@pytest.mark.parametrize(
    ("convolution", "form"),
    [
        (nn.Conv3d(8, 16, 1), PerFrameConv3d),
        (nn.Conv3d(3, 8, (5, 7, 7), stride=(1, 2, 2), padding=(2, 3, 3)), TapsConv3d),
        (nn.Conv3d(3, 8, (5, 7, 7), stride=(2, 2, 2), padding=(2, 3, 3)), ChannelsLastConv3d),
        (nn.Conv3d(3, 64, (5, 7, 7), padding=(2, 3, 3)), ChannelsLastConv3d),
        (nn.Conv3d(8, 8, (3, 1, 1), padding=(1, 0, 0)), ChannelsLastConv3d),
        (nn.Conv3d(32, 64, (5, 1, 1), stride=(4, 1, 1), padding=(2, 0, 0)), ChannelsLastConv3d),
        (nn.Conv3d(8, 16, 2, stride=2), None),
    ],
)
def test_form_of_a_convolution_on_a_gpu(convolution, form):
    gpu = forms_for(torch.device("cuda"), training=True)
    assert next(filter(None, (one(convolution) for one in gpu)), None) is form
