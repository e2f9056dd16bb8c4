"""What the rest of the project does with networks of other libraries: fast forms, compiling, exporting."""

import copy

import pytest
import torch

from slowfast.apps.export_model import export_onnx, export_program, what_onnx_lacks
from slowfast.models.accelerate import accelerate
from tests.models import test_frames, test_torchvision_video
from tests.models.library_networks import randomise, rgb_clips

SLOW = pytest.mark.slow
CPU = torch.device("cpu")
NAMES = ["mvit_v1_b", "mvit_v2_s", "swin3d_t", "r2plus1d_18", "frames", "videomae", "vjepa2", "videoprism_vision_model",
         "vivit", "timesformer"]  # fmt: skip


@pytest.fixture(params=NAMES)
def net(request, tmp_path):
    torch.manual_seed(0)
    if request.param in test_torchvision_video.TINY:
        build = test_torchvision_video.TINY[request.param][0]
        made = test_torchvision_video.adopted(request.param, build())
    elif request.param == "frames":
        made = test_frames.build()
    else:
        hugging_face = pytest.importorskip("tests.models.test_huggingface")
        hugging_face.write(tmp_path, request.param)
        made = hugging_face.build(tmp_path, request.param)
    return randomise(made, 0.02).eval()


@pytest.fixture
def clips(net):
    size = {"videoprism_vision_model": 36}.get(getattr(net, "family", ""), 32)
    return rgb_clips(1, 4, size)


def test_fast_forms_change_nothing(net, clips):
    expected = net(clips)
    fast = accelerate(copy.deepcopy(net), device=CPU, training=True)
    torch.testing.assert_close(fast(clips), expected, atol=1e-5, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert fast(clips).dtype == torch.float32


@SLOW
def test_torch_compile(net, clips):
    torch._dynamo.reset()
    compiled = torch.compile(copy.deepcopy(net), backend="aot_eager")
    torch.testing.assert_close(compiled(clips), net(clips), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("net", [n if n in ("swin3d_t", "vjepa2") else pytest.param(n, marks=SLOW) for n in NAMES],
                         indirect=True)  # fmt: skip
def test_program(net, clips, tmp_path):
    assert export_program(net, clips, tmp_path / "m.pt2").difference <= 1e-5


@SLOW
@pytest.mark.skipif(bool(what_onnx_lacks()), reason="no packages for ONNX, or torch is too old for it")
def test_onnx(net, clips, tmp_path):
    assert export_onnx(net, clips, tmp_path / "m.onnx").difference <= 1e-4
