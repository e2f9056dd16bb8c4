"""Every published layout loads; everything else is refused with one sentence."""

import argparse
import json
import logging
import pickle
import re
import zipfile
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from slowfast.models.convert import inflate, repeat_to, resize_positions
from slowfast.models.mvit import MViT
from slowfast.models.naming import caffe2_name
from slowfast.models.slowfast_r101 import SlowFast
from slowfast.models.uniformer import UniFormer
from slowfast.models.videomae import VideoMAE
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError


def tiny_uniformer(classes=5):
    return UniFormer(num_classes=classes, depth=(1, 1, 1, 1), embed_dim=(8, 8, 16, 16), head_dim=8)


def tiny_vit(classes=5, **settings):
    defaults = dict(num_frames=4, crop_size=32, embed_dim=32, depth=2, num_heads=2)
    return VideoMAE(num_classes=classes, **defaults | settings)


def tiny_mvit(classes=5, **settings):
    defaults = dict(num_frames=4, crop_size=32, embed_dim=16, depth=3, pool_q_stride=[[1, 1, 2, 2]])
    widths = dict(dim_mul=[[1, 2.0]], head_mul=[[1, 2.0]], pool_kv_stride_adaptive=(1, 4, 4))
    return MViT(num_classes=classes, **defaults | widths | settings)


def tiny_sf(classes=5, **settings):
    return SlowFast(num_classes=classes, depth=(1, 1, 1, 1), width=8, **settings)


TINY = {"uniformer": tiny_uniformer, "vit": tiny_vit, "mvit": tiny_mvit, "sf": tiny_sf}


def randomised(model):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return model


def save(path, content):
    torch.save(content, path)
    return path


def assert_same(model, source, skip=()):
    for name, tensor in source.state_dict().items():
        if not name.startswith(tuple(skip) or "\0"):
            assert torch.equal(model.state_dict()[name], tensor), name


@pytest.mark.parametrize("wrapper", ["model_state", "model", "module", "state_dict", None])
@pytest.mark.parametrize("architecture", TINY)
def test_wrappers(tmp_path, architecture, wrapper):
    source, model = randomised(TINY[architecture]()), TINY[architecture]()
    state = source.state_dict()
    path = save(tmp_path / "w.pth", {wrapper: state, "epoch": 3} if wrapper else state)
    report = load_weights(model, path)
    assert_same(model, source)
    assert report.share == 1.0
    assert set(report.matched) == set(state)
    assert not (report.missing or report.unexpected or report.dropped or report.converted)
    assert "100.0 %" in report.summary()


def test_wrapper_among_other_tables(tmp_path):
    source, model = randomised(tiny_vit()), tiny_vit()
    state = source.state_dict()
    contents = ({"model": {"name": "vit", "depth": 2}, "module": state}, {"model": {"args": {}, "model_state": state}})
    for content in contents:
        load_weights(model, save(tmp_path / "w.pth", content))
        assert_same(model, source)


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    source, model = randomised(tiny_vit()), tiny_vit()
    save_file({name: tensor.contiguous() for name, tensor in source.state_dict().items()}, tmp_path / "w.safetensors")
    load_weights(model, tmp_path / "w.safetensors")
    assert_same(model, source)


@pytest.mark.parametrize(
    "prefix", ["module.", "backbone.", "encoder.", "_orig_mod.", "module.backbone.", "model.encoder.", "module.model."]
)
def test_prefixes(tmp_path, prefix):
    source, model = randomised(tiny_vit()), tiny_vit()
    state = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    load_weights(model, save(tmp_path / "w.pth", {"model": state}))
    assert_same(model, source)


def test_clear_patterns(tmp_path):
    source, model = randomised(tiny_vit()), tiny_vit()
    state = {name.replace("blocks", "student_blocks"): tensor for name, tensor in source.state_dict().items()}
    path = save(tmp_path / "w.pth", state)
    with pytest.raises(InputError):
        load_weights(model, path)
    load_weights(model, path, clear_patterns=("student_",))
    assert_same(model, source)


def test_deepspeed_half_precision_with_its_other_values(tmp_path):
    source, model = randomised(tiny_vit()), tiny_vit()
    state = {name: tensor.half() for name, tensor in source.state_dict().items()}
    others = {"args": argparse.Namespace(lr=1e-3, blocks=[1]), "best": np.float64(3), "shapes": np.arange(3.0)}
    load_weights(model, save(tmp_path / "mp_rank_00_model_states.pt", {"module": state, "lr": None} | others))
    assert model.head.weight.dtype == torch.float32
    torch.testing.assert_close(model.head.weight, source.head.weight, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("module", ["numpy._core.multiarray", "numpy.core.multiarray"])
def test_arrays_of_both_numpys_and_nothing_allowed_for_longer(tmp_path, module):
    """NumPy 2 moved what NumPy 1 wrote into files."""
    source, model = randomised(tiny_vit()), tiny_vit()
    written = save(tmp_path / "written.pth", {"model": source.state_dict(), "best": np.float64(3), "x": np.arange(3.0)})
    path, allowed = tmp_path / "w.pth", set(torch.serialization.get_safe_globals())
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = re.sub(rb"numpy\._?core\.multiarray", module.encode(), old.read(name))
            assert not name.endswith("/data.pkl") or content.count(module.encode()) == 2
            new.writestr(name, content)
    load_weights(model, path)
    assert_same(model, source)
    assert set(torch.serialization.get_safe_globals()) == allowed


@pytest.mark.parametrize("architecture", TINY)
def test_head_of_another_class_count_is_left_out_with_one_line(tmp_path, architecture, caplog):
    source, model = randomised(TINY[architecture](classes=7)), TINY[architecture]()
    head = [name for name in source.state_dict() if name.startswith(("head", "projection"))]
    before = {name: model.state_dict()[name].clone() for name in head}
    path = save(tmp_path / "w.pth", source.state_dict())
    with caplog.at_level(logging.WARNING, "slowfast"):
        report = load_weights(model, path)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "7 classes in the file, 5 in the network" in line
    assert list(report.dropped) == head
    assert report.missing == head
    assert_same(model, source, skip=("head", "projection"))
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in head)


def test_alphaction_slowfast(tmp_path):
    source, model = randomised(tiny_sf()), tiny_sf()
    state = {f"module.backbone.{name}": tensor for name, tensor in source.state_dict().items()
             if not name.startswith("projection")}  # fmt: skip
    state |= {"module.cls_head.pred.weight": torch.zeros(700, 2304), "module.cls_head.pred.bias": torch.zeros(700)}
    report = load_weights(model, save(tmp_path / "w.pth", {"model": state}))
    assert_same(model, source, skip=("projection",))
    assert list(report.dropped) == ["cls_head.pred.weight", "cls_head.pred.bias"]
    assert report.missing == ["projection.weight", "projection.bias"]


def test_frozen_and_normal_batchnorm_exchange_weights(tmp_path):
    source = randomised(tiny_sf())
    model = tiny_sf(frozen_bn=True)
    report = load_weights(model, save(tmp_path / "w.pth", source.state_dict()))
    assert all(name.endswith("num_batches_tracked") for name in report.unexpected)
    assert torch.equal(model.slow.bn1.running_var, source.slow.bn1.running_var)
    again = tiny_sf()
    report = load_weights(again, save(tmp_path / "w.pth", model.state_dict()))
    assert all(name.endswith("num_batches_tracked") for name in report.missing)
    assert torch.equal(again.slow.bn1.weight, source.slow.bn1.weight)


def test_videomae_pretraining_file(tmp_path):
    source, model = randomised(tiny_vit()), tiny_vit()
    state = {f"encoder.{name}": tensor for name, tensor in source.state_dict().items()
             if not name.startswith(("fc_norm", "head"))}  # fmt: skip
    state |= {"encoder.norm.weight": torch.ones(32), "decoder.blocks.0.norm1.weight": torch.ones(16),
              "mask_token": torch.zeros(1, 1, 16)}  # fmt: skip
    report = load_weights(model, save(tmp_path / "w.pth", {"model": state}))
    assert report.missing == ["fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"]
    assert report.unexpected == ["norm.weight", "decoder.blocks.0.norm1.weight", "mask_token"]
    assert_same(model, source, skip=("fc_norm", "head"))


def test_image_weights_are_inflated(tmp_path):
    source, model = randomised(tiny_uniformer()), tiny_uniformer()
    state = {name: tensor.sum(2) if tensor.ndim == 5 else tensor for name, tensor in source.state_dict().items()}
    report = load_weights(model, save(tmp_path / "w.pth", state))
    assert report.share == 1.0
    assert len(report.converted) == sum(tensor.ndim == 5 for tensor in source.state_dict().values())
    kernel, flat = model.blocks1[0].attn.weight, state["blocks1.0.attn.weight"]
    torch.testing.assert_close(kernel, flat[:, :, None].expand_as(kernel) / 5)


def test_recorded_conversions(golden):
    arrays = {name: torch.from_numpy(value) for name, value in np.load(golden / "models" / "conversion.npz").items()}
    flat = arrays["uniformer_inflate.in"]
    for name in ("uniformer_inflate.time3", "checkpoint_inflate.time4"):
        torch.testing.assert_close(inflate(flat, arrays[name].shape), arrays[name], atol=1e-6, rtol=0)
    repeated = repeat_to(arrays["repeat_1d.in"], torch.Size([6]))
    assert torch.equal(repeated, arrays["repeat_1d.model_size_6"])
    expected = arrays["pos_embed.2x2_to_3x3"]
    got, note = resize_positions(arrays["pos_embed.in"], expected.shape, (2, 3, 3), 0)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
    assert note == "positions 2x2x2 to 2x3x3"


def test_recorded_caffe2_names(golden):
    names = json.loads((golden / "models" / "conversion.json").read_text())["caffe2_names_examples"]
    assert {blob: caffe2_name(blob) for blob in names} == names


def test_caffe2_blobs(tmp_path):
    source, model = randomised(tiny_sf()), tiny_sf()
    parts = {"conv.weight": "w", "bn.weight": "bn_s", "bn.bias": "bn_b", "bn.running_mean": "bn_rm",
             "bn.running_var": "bn_riv"}  # fmt: skip
    blobs = {"lr": np.float32(0.1), "pred_w": np.zeros((400, 576), np.float32)}
    for side, start in (("slow", ""), ("fast", "t_")):
        stem = getattr(source, side)
        blobs[f"{start}conv1_w"] = stem.conv1.weight.detach().numpy()
        for ours, theirs in list(parts.items())[1:]:
            blobs[f"{start}res_conv1_{theirs}"] = stem.bn1.state_dict()[ours.removeprefix("bn.")].numpy()
        for stage in range(1, 5):
            block = stem.get_submodule(f"res_nl{stage}.res_0")
            places = {"branch1": block.shortcut, "branch2a": block.btnk.conv1, "branch2b": block.btnk.conv2,
                      "branch2c": block.btnk.conv3}  # fmt: skip
            for (branch, place), (ours, theirs) in product(places.items(), parts.items()):
                blobs[f"{start}res{stage + 1}_0_{branch}_{theirs}"] = place.state_dict()[ours].numpy()
    for stage in range(1, 5):
        key = "t_pool1_subsample" if stage == 1 else f"t_res{stage}_0_branch2c_bn_subsample"
        blobs[f"{key}_w"] = source.get_parameter(f"fast.Tconv{stage}.conv.weight").detach().numpy()
        channels = blobs[f"{key}_w"].shape[0]
        blobs |= {f"{key}_bn_s": np.full(channels, 2.0, np.float32), f"{key}_bn_b": np.ones(channels, np.float32),
                  f"{key}_bn_rm": np.zeros(channels, np.float32),
                  f"{key}_bn_riv": np.full(channels, 1 - 1e-5, np.float32)}  # fmt: skip
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"blobs": blobs}, protocol=2))
    report = load_weights(model, tmp_path / "w.pkl")
    assert report.layout == "Caffe2"
    assert report.share == 1.0
    assert_same(model, source, skip=("fast.Tconv", "projection", "fast.bn1.num"))
    torch.testing.assert_close(model.fast.Tconv2.conv.weight, 2 * source.fast.Tconv2.conv.weight)
    assert torch.equal(model.fast.Tconv2.conv.bias, torch.ones(2 * 4))


@pytest.mark.parametrize(
    ("make", "before", "after", "note"),
    [
        (tiny_vit, dict(crop_size=32), dict(crop_size=48), "positions 2x2x2 to 2x3x3"),
        (tiny_vit, dict(num_frames=4, crop_size=48), dict(num_frames=8, crop_size=48), "positions 2x3x3 to 4x3x3"),
        (tiny_mvit, dict(crop_size=32), dict(crop_size=64), "positions 1x8x8 to 1x16x16"),
        (tiny_mvit, dict(num_frames=8), dict(num_frames=4), "positions 4x1x1 to 2x1x1"),
        (tiny_mvit, dict(separate_positions=False), dict(separate_positions=False, crop_size=64),
         "positions 2x8x8 to 2x16x16"),
    ],
)  # fmt: skip
def test_positions_of_another_size(tmp_path, make, before, after, note):
    learned = dict(learnable_positions=True) if make is tiny_vit else {}
    source, model = randomised(make(**learned, **before)), make(**learned, **after)
    report = load_weights(model, save(tmp_path / "w.pth", source.state_dict()))
    assert list(report.converted.values()) == [note]
    assert report.share == 1.0
    (name,) = report.converted
    old, new = source.state_dict()[name], model.state_dict()[name]
    assert new.mean().item() == pytest.approx(old.mean().item(), abs=0.05)
    if make is tiny_mvit and "separate_positions" in before:
        assert torch.equal(new[:, 0], old[:, 0])


def test_same_size_positions_are_copied_exactly():
    table = torch.rand(1, 1 + 18, 4)
    got, _ = resize_positions(table, table.shape, (2, 3, 3), 1)
    assert torch.equal(got, table)
    assert resize_positions(torch.rand(1, 7, 4), table.shape, (2, 3, 3), 8) is None


class Planted:
    def __reduce__(self):
        return (print, ("run",))


BAD = {
    "absent": (None, "no such checkpoint"),
    "empty": (b"", "empty"),
    "text": (b"<html>not found</html>", "not a checkpoint"),
    "object": ({"model": {"a": torch.zeros(1)}, "x": Planted()}, "pickled object"),
    "list": ([torch.zeros(2)], "no named tensors"),
    "no_tensors": ({"epoch": 1}, "no named tensors"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(tmp_path, case, capsys):
    content, words = BAD[case]
    path = tmp_path / "w.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=words) as error:
        load_weights(tiny_vit(), path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pkl"])
def test_truncated_files(tmp_path, suffix):
    from safetensors.torch import save_file

    path, state = tmp_path / f"w{suffix}", tiny_vit().state_dict()
    if suffix == ".safetensors":
        save_file(state, path)
    elif suffix == ".pkl":
        path.write_bytes(pickle.dumps({"blobs": {"conv1_w": np.zeros(99)}}))
    else:
        torch.save(state, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="fetch it again") as error:
        load_weights(tiny_vit(), path)
    assert str(path) in str(error.value)


def test_caffe2_file_with_an_object(tmp_path):
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps({"blobs": Planted()}))
    with pytest.raises(InputError, match="asks for 'builtins.print'"):
        load_weights(tiny_sf(), path)


def test_another_architecture_is_refused_and_the_network_untouched(tmp_path):
    model = tiny_mvit()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    path = save(tmp_path / "w.pth", {"model_state": randomised(tiny_uniformer()).state_dict()})
    with pytest.raises(InputError, match="MODEL.ARCH") as error:
        load_weights(model, path)
    assert "only 0." in str(error.value)
    assert "patch_embed1.norm.weight" in str(error.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(("removed", "refused"), [(11, True), (9, False)])
def test_ninety_percent(tmp_path, removed, refused):
    model = nn.Sequential()
    for index in range(100):
        model.add_module(f"layer{index}", nn.Linear(2, 2))
    state = {name: tensor for name, tensor in model.state_dict().items()
             if int(name.split(".")[0].removeprefix("layer")) >= removed}  # fmt: skip
    path = save(tmp_path / "w.pth", state)
    if refused:
        with pytest.raises(InputError, match="89.0 %"):
            load_weights(model, path)
    else:
        assert load_weights(model, path).share == pytest.approx(0.91)
