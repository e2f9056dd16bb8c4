"""Tables of positions whose frames and sides both change: the grid is told by the file or by the user, or refused."""

import argparse

import pytest
import torch
import torch.nn.functional as F

from slowfast.config import dump_config, get_cfg
from slowfast.models.convert import SourceSizes, UnclearGrid, resize_positions
from slowfast.models.weights import load_weights
from slowfast.utils.errors import InputError
from tests.models.test_weights import randomised, save, tiny_mvit, tiny_vit

BIG, SMALL = dict(num_frames=16, crop_size=32), dict(num_frames=8, crop_size=64)  # 8x2x2 and 4x4x4 tokens


def learned(**sizes):
    return tiny_vit(learnable_positions=True, **sizes)


def configuration(frames, crop):
    cfg = get_cfg()
    cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE = frames, crop
    return dump_config(cfg)


def resized(table_1ND, grid, wanted):
    """Bicubic in space, then linear in time, written another way."""
    frames = table_1ND.view(*grid, -1).permute(0, 3, 1, 2)
    frames = F.interpolate(frames, size=wanted[1:], mode="bicubic", align_corners=False)
    volume = frames.permute(1, 0, 2, 3)[None]
    volume = F.interpolate(volume, size=wanted, mode="trilinear", align_corners=False)
    return volume[0].permute(1, 2, 3, 0).reshape(1, -1, table_1ND.shape[2])


@pytest.mark.parametrize(
    "beside",
    [{"cfg": configuration(16, 32)}, {"args": argparse.Namespace(num_frames=16, input_size=32, lr=1e-3)}],
    ids=["cfg", "args"],
)
def test_frames_and_sides_change_together(tmp_path, beside):
    source, model = randomised(learned(**BIG)), learned(**SMALL)
    report = load_weights(model, save(tmp_path / "w.pth", {"model": source.state_dict(), **beside}))
    assert report.converted == {"pos_embed": "positions 8x2x2 to 4x4x4"}
    expected = resized(source.pos_embed.detach(), (8, 2, 2), (4, 4, 4))
    torch.testing.assert_close(model.pos_embed.detach(), expected, atol=1e-5, rtol=0)


def test_the_grid_is_said_by_the_user(tmp_path):
    source, model = randomised(learned(**BIG)), learned(**SMALL)
    path = save(tmp_path / "w.pth", source.state_dict())
    report = load_weights(model, path, grid=(8, 2, 2))
    assert report.converted == {"pos_embed": "positions 8x2x2 to 4x4x4"}


@pytest.mark.parametrize("grid", [(), (8, 3, 3)])
def test_an_unclear_grid_is_refused(tmp_path, grid):
    path, model = save(tmp_path / "w.pth", randomised(learned(**BIG)).state_dict()), learned(**SMALL)
    before = model.pos_embed.clone()
    with pytest.raises(InputError, match="32 positions may be 8x2x2 or 2x4x4: set TRAIN.CHECKPOINT_GRID") as error:
        load_weights(model, path, grid=grid)
    assert str(path) in str(error.value) and "pos_embed" in str(error.value) and "\n" not in str(error.value)
    assert torch.equal(model.pos_embed, before)


def test_as_many_positions_in_another_order(tmp_path):
    """8x2x2 and 2x4x4 have one length; the file's own sizes tell them apart."""
    source, model = randomised(learned(**BIG)), learned(num_frames=4, crop_size=64)
    content = {"model_state": source.state_dict(), "cfg": configuration(16, 32)}
    report = load_weights(model, save(tmp_path / "w.pth", content))
    assert report.converted == {"pos_embed": "positions 8x2x2 to 2x4x4"}
    same = learned(**BIG)
    assert not load_weights(same, save(tmp_path / "w.pth", content)).converted
    assert torch.equal(same.pos_embed, source.pos_embed)


@pytest.mark.parametrize("separate", [True, False])
def test_mvit_of_another_clip(tmp_path, separate):
    make = lambda **sizes: tiny_mvit(separate_positions=separate, **sizes)  # noqa: E731
    source, model = randomised(make(num_frames=8, crop_size=32)), make(num_frames=4, crop_size=64)
    content = {"model_state": source.state_dict(), "cfg": configuration(8, 32)}
    report = load_weights(model, save(tmp_path / "w.pth", content))
    notes = ["positions 1x8x8 to 1x16x16", "positions 4x1x1 to 2x1x1"] if separate else ["positions 4x8x8 to 2x16x16"]
    assert list(report.converted.values()) == notes


def test_sizes_that_do_not_fit_are_not_believed():
    table = torch.rand(1, 8, 3)
    for clip in ((16, 224), (7, 5), None):
        sizes = SourceSizes(clip=clip, kernel=(2, 16, 16))
        _, note = resize_positions(table, torch.Size((1, 18, 3)), (2, 3, 3), 0, sizes)
        assert note == "positions 2x2x2 to 2x3x3"


def test_a_network_of_the_same_frames_is_taken_to_have_changed_its_side():
    """The published rule: tokens of a frame make a square."""
    _, note = resize_positions(torch.rand(1, 1568, 3), torch.Size((1, 8 * 784, 3)), (8, 28, 28), 0)
    assert note == "positions 8x14x14 to 8x28x28"
    with pytest.raises(UnclearGrid, match="8x14x14"):
        resize_positions(torch.rand(1, 1568, 3), torch.Size((1, 784, 3)), (4, 14, 14), 0)
