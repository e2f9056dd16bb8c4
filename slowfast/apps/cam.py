"""Where a network looks: Grad-CAM clips of videos.

Selvaraju et al., "Grad-CAM", ICCV 2017, section 3, on maps over time and space: the output of the last stage with some
places left, for networks of tokens the input of the last block: behind its attention the class token may be alone.

Legend: N tokens, D width, K classes; T H W of the clip.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode
from PIL import Image
from torch import nn
from torch.nn import functional as F

from slowfast.apps.light import choose_light
from slowfast.apps.predict import caption, find_videos, load_predictor
from slowfast.config import several_labels
from slowfast.datasets.loader import build_file_loader
from slowfast.engine.build import class_names
from slowfast.engine.launch import process_setup
from slowfast.losses import class_shares
from slowfast.models.mvit import MViT
from slowfast.models.slowfast_r101 import SlowFast
from slowfast.models.uniformer import UniFormer
from slowfast.models.videomae import VideoMAE
from slowfast.utils.errors import InputError
from slowfast.utils.files import fitting_name
from slowfast.utils.progress import Progress
from slowfast.utils.stop import check_stop
from slowfast.video.writer import write_h264

_SIDE, _FPS, _CRF = 224, 8.0, 20.0
# Places along a side below which the map of a stage shows nothing: small networks end in one.
_LEAST = 3
# Colours of 0, 1/4 ... 1 of the largest value.
_HEAT = np.array([[0, 0, 128], [0, 128, 255], [0, 220, 100], [255, 220, 0], [230, 0, 0]], np.float32)


class GradCam:
    """What of a clip speaks for a class, from one forward and one backward pass.

    Args:
        model: a UniFormer, MViT, SlowFast or VideoMAE in evaluation mode; its parameters get no gradient.
        several: a clip may have several labels.

    Raises:
        InputError: when the network is none of these.
    """

    def __init__(self, model: nn.Module, *, several: bool = False) -> None:
        self._model, self._given, self._several = model, None, several
        for module in _last_blocks(model):
            module.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, inputs: tuple, output: Any) -> None:
        """Keep a map (1, D, T', H', W') unless it is too small, or tokens (1, N, D) and their grid."""
        if not isinstance(output, torch.Tensor) or output.ndim != 5:
            self._given = inputs
        elif self._given is None or min(output.shape[3:]) >= _LEAST:
            self._given = (output,)

    @torch.enable_grad()
    def __call__(self, clip_CTHW: torch.Tensor, number: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the map float32 (T, H, W), at most 1, and probabilities (K,).

        Args:
            clip_CTHW: network input.
            number: of the class; None: the most likely one.
        """
        size, self._given = clip_CTHW.shape[1:], None
        logits_K = self._model(clip_CTHW[None].requires_grad_())[0].float()
        given, *grid = self._given
        number = int(logits_K.argmax()) if number is None else number
        (slope,) = torch.autograd.grad(logits_K[number], given)
        if not grid and given.ndim == 3:
            steps = self._model.tubelet_size, self._model.patch_size, self._model.patch_size
            grid = [[length // step for length, step in zip(size, steps)]]
        given, slope = (_as_map(tensor.float(), *grid) for tensor in (given, slope))
        cam_11THW = (slope.mean((2, 3, 4), keepdim=True) * given).sum(1, keepdim=True).relu()
        cam_11THW = F.interpolate(cam_11THW, size=tuple(size), mode="trilinear", align_corners=False)
        cam_THW = cam_11THW[0, 0] / cam_11THW.max().clamp(min=1e-12)
        return cam_THW.detach().cpu().numpy(), class_shares(logits_K.detach(), several=self._several).cpu().numpy()


def _last_blocks(model: nn.Module) -> list[nn.Module]:
    """Return the last block, for networks whose maps shrink that of each stage."""
    if isinstance(model, UniFormer):
        return [model.stage(index)[-1] for index in range(4)]
    if isinstance(model, SlowFast):
        return [getattr(model.slow, f"res_nl{index}") for index in range(1, 5)]
    if isinstance(model, MViT | VideoMAE):
        return [model.blocks[-1]]
    name = type(model).__name__
    raise InputError(f"{name} has no known last block: Grad-CAM needs MODEL.ARCH uniformer, mvit, sf or videomae")


def _as_map(given: torch.Tensor, grid: Sequence[int] = ()) -> torch.Tensor:
    """Return a map as it is, and tokens (1, N, D), without those before their grid, as a map (1, D, T', H', W')."""
    return given if given.ndim == 5 else given[:, -math.prod(grid) :].transpose(1, 2).unflatten(2, tuple(grid))


def write_cams(
    cfg: CfgNode,
    checkpoint: Path,
    sources: Sequence[Path],
    folder: Path,
    *,
    name: str = "",
    gamma: float | None = None,
) -> tuple[int, int]:
    """Write `VIDEO_cam.mp4` for every video: what the network saw, and beside it where it looked; print the answers.

    Args:
        cfg: the network; one view and one crop a video (TEST).
        checkpoint: weights.
        sources: files and folders.
        folder: of the clips.
        name: class that is explained; empty: the most likely one of each video.
        gamma: see `choose_light`.

    Returns:
        How many videos cannot be read, and of how many.

    Raises:
        InputError: when there is no such class.
    """
    videos, classes = find_videos(sources), class_names(cfg)
    if name and name not in classes:
        raise InputError(f"--class {name}: no such class, there are {', '.join(classes)}")
    paths, progress = [path for _, path in videos], Progress(len(videos), "clips")
    with process_setup(cfg) as device:
        predictor = load_predictor(cfg, checkpoint, device)
        cam = GradCam(predictor.model, several=several_labels(cfg))
        lights = choose_light(cfg, paths, gamma)
        loader = build_file_loader(cfg, paths, [video for video, _ in videos], [light.gamma for light in lights])
        loader.max_failed = 1.0
        for batch in loader:
            for video, clip_CTHW in zip(batch["names"], batch["clips"]):
                check_stop(f"the clips of {video}")
                cam_THW, probs_K = cam(clip_CTHW.to(device), classes.index(name) if name else None)
                best = classes.index(name) if name else int(probs_K.argmax())
                print(f"{video}\n  {100 * probs_K[best]:5.1f} %  {classes[best]}", flush=True)
                target = folder / video.lstrip("/")
                frames_THWC = _levels(cfg, clip_CTHW.cpu())
                answer = [classes[best], f"class {best}"], f"{100 * probs_K[best]:.0f} %"
                pictures = _pictures(frames_THWC, cam_THW, *answer)
                write_h264(target.with_name(fitting_name(target.name, "_cam.mp4")), pictures, fps=_FPS, crf=_CRF)
                progress.update()
    for video, reason in loader.failed.items():
        print(f"{video}\n  cannot be read: {reason}")
    return len(loader.failed), len(videos)


def _levels(cfg: CfgNode, clip_CTHW: torch.Tensor) -> np.ndarray:
    """Return network input as uint8 (T, H, W, 3)."""
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (cfg.DATA.MEAN, cfg.DATA.STD))
    return (255 * (clip_CTHW * std + mean) + 0.5).clamp(0, 255).byte().permute(1, 2, 3, 0).numpy()


def _pictures(frames_THWC: np.ndarray, cam_THW: np.ndarray, names: Sequence[str], share: str) -> Iterator[np.ndarray]:
    """Yield each frame beside itself under the map, with the answer on it, uint8 (H, 2 W, 3)."""
    for frame_HWC, cam_HW in zip(frames_THWC, cam_THW):
        place, steps = 4 * cam_HW, np.arange(5)
        heat_HWC = np.stack([np.interp(place, steps, _HEAT[:, colour]) for colour in range(3)], 2)
        weight_HW1 = 0.6 * cam_HW[..., None]
        shown_HWC = ((1 - weight_HW1) * frame_HWC + weight_HW1 * heat_HWC).astype(np.uint8)
        scale = max(1.0, _SIDE / frame_HWC.shape[0])
        size = round(scale * frame_HWC.shape[1]), round(scale * frame_HWC.shape[0])
        left, right = (
            Image.fromarray(image).resize(size, Image.Resampling.BILINEAR) for image in (frame_HWC, shown_HWC)
        )
        caption(right, names, share)
        yield np.concatenate([np.asarray(left), np.asarray(right)], axis=1)
