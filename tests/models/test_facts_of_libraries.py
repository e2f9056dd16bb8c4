"""Facts about tools around other libraries' networks that users of them meet; each names its version."""

import pytest
import torch
import torchvision
from safetensors.torch import load_file

from slowfast.apps.cam import GradCam
from slowfast.utils.errors import InputError
from tests.models.library_networks import rgb_clips
from tests.models.test_torchvision_video import TINY, adopted


def wrapped(saved=None, **settings):
    """How many layers LoRA wraps in a VideoMAE of two blocks (12 and the classifier), and what is trained."""
    peft = pytest.importorskip("peft")
    if peft.__version__ != "0.21.2":
        pytest.skip("peft 0.21.2")
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    net = hugging_face.transformers.VideoMAEForVideoClassification(hugging_face.config_of("videomae"))
    net = peft.get_peft_model(net, peft.LoraConfig(r=2, **settings))
    if saved is not None:
        net.save_pretrained(saved)
    layers = [name for name, module in net.named_modules() if isinstance(module, peft.tuners.lora.Linear)]
    return len(layers), [name for name, parameter in net.named_parameters() if parameter.requires_grad]


def trains_head(names):
    return any("classifier" in name and "lora_" not in name for name in names)


def test_all_linear_wraps_the_classifier_and_freezes_it():
    count, trained = wrapped(target_modules="all-linear")
    assert count == 13 and not trains_head(trained)
    for settings in ({"task_type": "SEQ_CLS"}, {"modules_to_save": ["classifier"]}):
        count, trained = wrapped(target_modules="all-linear", **settings)
        assert count == 12 and trains_head(trained)


def test_query_and_value_alone_leave_the_head_untrained_and_unsaved(tmp_path):
    count, trained = wrapped(target_modules=["query", "value"], saved=tmp_path / "alone")
    assert count == 4 and not trains_head(trained)
    assert trains_head(
        wrapped(target_modules=["query", "value"], modules_to_save=["classifier"], saved=tmp_path / "w")[1]
    )
    files = [load_file(tmp_path / place / "adapter_model.safetensors") for place in ("alone", "w")]
    assert [any("classifier" in name for name in file) for file in files] == [False, True]


@pytest.mark.skipif(not torchvision.__version__.startswith("0.29.1"), reason="torchvision 0.29.1")
def test_the_last_layer_of_r3d_18_has_one_time_step_for_eight_frames():
    """So Grad-CAM on it shows a place and no moment."""
    model = torchvision.models.video.r3d_18().eval()
    with torch.no_grad():
        x = model.layer3(model.layer2(model.layer1(model.stem(rgb_clips(1, 8, 64)))))
        assert model.layer4(x).shape == (1, 512, 1, 4, 4)


@pytest.mark.skipif(not torchvision.__version__.startswith("0.29.1"), reason="torchvision 0.29.1")
def test_grad_cam_on_that_layer_has_equal_frames_and_nothing_for_some_classes():
    """Computed here as the paper says (its equations 1 and 2)."""
    torch.manual_seed(0)
    model, seen = torchvision.models.video.r3d_18(num_classes=20).eval(), []
    model.layer4.register_forward_hook(lambda module, inputs, output: seen.append(output))
    logits_BK = model(rgb_clips(1, 8, 64))
    maps_KTHW = []
    for number in range(20):
        gradient = torch.autograd.grad(logits_BK[0, number], seen[0], retain_graph=True)[0]
        cam = (gradient.mean((2, 3, 4), keepdim=True) * seen[0]).sum(1, keepdim=True).relu()
        maps_KTHW.append(torch.nn.functional.interpolate(cam, (8, 64, 64), mode="trilinear")[0, 0].detach())
    maps_KTHW = torch.stack(maps_KTHW)
    assert torch.equal(maps_KTHW, maps_KTHW[:, :1].expand_as(maps_KTHW))
    nothing = int((maps_KTHW.amax((1, 2, 3)) == 0).sum())
    assert 0 < nothing < 20


def test_maps_of_such_networks_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="Grad-CAM needs MODEL.ARCH uniformer, mvit, sf or videomae"):
        GradCam(adopted("r3d_18", TINY["r3d_18"][0]()))
