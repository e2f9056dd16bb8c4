"""tools/cam.py: maps of the four networks, and clips of them."""

import numpy as np
import pytest
import torch
from torch import nn

from slowfast.apps.cam import GradCam, _as_map
from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from slowfast.video import open_video

from ..engine.tiny import CONFIG, write_clip

SMALL = {
    "uniformer": [],
    "sf": ["MODEL.ARCH", "sf", "SF.WIDTH", "8", "SF.DEPTH", "[1, 1, 1, 1]", "SF.PRETRAIN_NAME", ""],
    "mvit": ["MODEL.ARCH", "mvit", "MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.PATCH_STRIDE", "[2, 4, 4]",
             "MVIT.POOL_KV_STRIDE_ADAPTIVE", "[1, 2, 2]", "MVIT.POOL_Q_STRIDE", "[[1, 1, 2, 2]]"],
    "videomae": ["MODEL.ARCH", "videomae", "VIDEOMAE.EMBED_DIM", "16", "VIDEOMAE.DEPTH", "2", "VIDEOMAE.NUM_HEADS", "2",
                 "VIDEOMAE.PATCH_SIZE", "8"],
}  # fmt: skip


def network(arch, *more):
    """A small network with random weights."""
    cfg = load_config(CONFIG, ["DATA.NUM_FRAMES", "8", *SMALL[arch], *more])
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # what begins at zero would explain nothing
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("arch", SMALL)
def test_maps_of_the_networks(arch):
    model = network(arch)
    cam = GradCam(model)
    clip_CTHW = torch.randn(3, 8, 32, 32)
    cam_THW, probs_K = cam(clip_CTHW, 3)
    assert cam_THW.shape == (8, 32, 32) and cam_THW.min() >= 0 and np.isfinite(cam_THW).all()
    assert cam_THW.max() <= 1 and cam_THW.std((1, 2)).max() > 0.05  # the last stage of the small ones has one place
    with torch.no_grad():
        np.testing.assert_allclose(probs_K, model(clip_CTHW[None])[0].softmax(-1), atol=1e-6)
    assert not np.array_equal(cam(clip_CTHW, 4)[0], cam_THW)
    assert np.array_equal(cam(clip_CTHW)[0], cam(clip_CTHW, int(probs_K.argmax()))[0])
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("arch", ["mvit", "videomae"])
@pytest.mark.parametrize("place", [(0, 24), (24, 0), (8, 16)])
def test_the_map_lies_where_the_class_is(arch, place):
    model = network(arch)
    clip_CTHW = torch.zeros(3, 8, 32, 32)
    top, left = place
    clip_CTHW[:, :, top : top + 8, left : left + 8] = 4.0
    with torch.no_grad():  # the class whose logit that square raises most
        number = int((model(clip_CTHW[None]) - model(torch.zeros_like(clip_CTHW)[None]))[0].argmax())
    cam_HW = GradCam(model)(clip_CTHW, number)[0].mean(0)
    row, column = np.unravel_index(cam_HW.argmax(), cam_HW.shape)
    assert abs(row - (top + 4)) <= 8 and abs(column - (left + 4)) <= 8


def test_tokens_go_to_their_places():
    tokens_1ND = torch.arange(1 + 2 * 3 * 4.0).view(1, -1, 1)  # a class token, then times, rows, columns
    assert torch.equal(_as_map(tokens_1ND, (2, 3, 4))[0, 0], torch.arange(1, 25.0).view(2, 3, 4))


def test_other_networks_are_refused():
    with pytest.raises(InputError, match="Linear has no known last block"):
        GradCam(nn.Linear(2, 2))


def test_command(repo, server, tmp_path):
    for number, name in enumerate(("a.mp4", "deep/a.mp4")):
        write_clip(tmp_path / "clips" / name, number, number)
    (tmp_path / "clips/broken.mp4").write_bytes(b"\0\1\2\3" * 40)
    torch.save(build_model(load_config(CONFIG)).state_dict(), tmp_path / "weights.pth")
    words = ["--cfg", CONFIG, "--checkpoint", "weights.pth", "--videos", "clips", "--output-dir", "out"]
    log = tmp_path / "log.txt"
    assert server.wait(server.command(log, repo / "tools/cam.py", words, tmp_path)) == 0, log.read_text()
    assert "broken.mp4\n  cannot be read" in log.read_text()
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.mp4"))
    assert made == ["a.mp4_cam.mp4", "deep/a.mp4_cam.mp4"]
    with open_video(tmp_path / "out/a.mp4_cam.mp4") as clip:
        left, right = np.split(clip.get_frames([0, 1, 2, 3]).astype(int), 2, axis=2)
        assert len(clip) == 4 and left.shape == right.shape == (4, 224, 224, 3) and np.abs(left - right).mean() > 3
    wrong = server.command(log, repo / "tools/cam.py", [*words, "--class", "Run"], tmp_path)
    assert server.wait(wrong) == 2 and "no such class" in log.read_text()
