"""Facts about tools around other libraries' networks that users of them meet; each names its version."""

import pytest
import torch
import torchvision

from tests.models.library_networks import rgb_clips


def wrapped(**settings):
    """How many layers LoRA wraps in a VideoMAE of two blocks (12 and the classifier), and what is trained."""
    peft = pytest.importorskip("peft")
    if peft.__version__ != "0.21.2":
        pytest.skip("peft 0.21.2")
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    net = hugging_face.transformers.VideoMAEForVideoClassification(hugging_face.config_of("videomae"))
    net = peft.get_peft_model(net, peft.LoraConfig(r=2, **settings))
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


def test_query_and_value_alone_leave_the_head_untrained():
    count, trained = wrapped(target_modules=["query", "value"])
    assert count == 4 and not trains_head(trained)
    assert trains_head(wrapped(target_modules=["query", "value"], modules_to_save=["classifier"])[1])


@pytest.mark.skipif(not torchvision.__version__.startswith("0.29.1"), reason="torchvision 0.29.1")
def test_the_last_layer_of_r3d_18_has_one_time_step_for_eight_frames():
    """So Grad-CAM on it shows a place and no moment."""
    model = torchvision.models.video.r3d_18().eval()
    with torch.no_grad():
        x = model.layer3(model.layer2(model.layer1(model.stem(rgb_clips(1, 8, 64)))))
        assert model.layer4(x).shape == (1, 512, 1, 4, 4)
