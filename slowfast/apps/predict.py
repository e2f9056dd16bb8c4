"""Answers for video files that stand in no list: probabilities, a table, JSON, and clips with the answer written in."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fvcore.common.config import CfgNode
from PIL import Image, ImageDraw, ImageFont

from slowfast.apps.check_videos import shown
from slowfast.apps.light import Light, choose_light
from slowfast.datasets.loader import build_file_loader
from slowfast.engine.build import class_names
from slowfast.engine.checkpoint import verify_checkpoint
from slowfast.engine.evaluator import Evaluator
from slowfast.engine.launch import process_setup
from slowfast.lists.endings import find_files
from slowfast.models import build_model
from slowfast.models.accelerate import accelerate
from slowfast.models.weights import load_weights
from slowfast.transforms.gamma import apply_gamma
from slowfast.utils.errors import InputError
from slowfast.utils.files import fitting_name, printable
from slowfast.video.stream import ASSUMED_FPS, StreamedVideo
from slowfast.video.writer import write_h264

_RENDER_CRF = 20.0


@dataclass(frozen=True)
class Answer:
    """What a network says about one video.

    Args:
        name: the video as it was given, or below the folder that was given.
        path: the file.
        ranking: (class name, probability) from the most to the least likely; empty for an unreadable video.
        error: why the video could not be read.
        note: what could not be decoded of a video that was read in part.
        light: what was done about its light.
    """

    name: str
    path: Path
    ranking: list[tuple[str, float]]
    error: str = ""
    note: str = ""
    light: Light = Light(1.0)

    def as_dict(self, top: int) -> dict[str, object]:
        """Return the answer with its `top` classes for JSON."""
        answers = [{"class": name, "probability": round(share, 6)} for name, share in self.ranking[:top]]
        return {
            "video": self.name,
            "path": shown(str(self.path)),
            "answers": answers,
            "error": self.error or None,
            "note": self.note or None,
            "gamma": self.light.gamma,
            "light": self.light.reason or None,
        }


def find_videos(sources: Sequence[Path]) -> list[tuple[str, Path]]:
    """Return (name, file) of videos and of all videos below folders, every file once.

    Raises:
        InputError: when a source does not exist or a folder holds no video.
    """
    found: list[tuple[str, Path]] = []
    for source in sources:
        if source.is_dir():
            found += [(path.relative_to(source).as_posix(), path) for path in find_files(source)]
        elif source.exists():
            found.append((source.name, source))
        else:
            raise InputError(f"{source}: this file or folder does not exist")
    found = list({os.path.abspath(path): (name, path) for name, path in found}.values())
    times = Counter(shown(name) for name, _ in found)
    return [(shown(name) if times[shown(name)] == 1 else printable(str(path)), path) for name, path in found]


def predict_files(cfg: CfgNode, checkpoint: Path, sources: Sequence[Path], gamma: float | None = None) -> list[Answer]:
    """Return the answer for every video, in the order of the sources.

    Args:
        cfg: the network, its input, and TEST's views and crops.
        checkpoint: weights.
        sources: files and folders.
        gamma: exponent for all videos; default by the light of each (see `light`).

    Raises:
        InputError: when sources or weights are wrong.
    """
    videos = find_videos(sources)
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: the checkpoint does not exist")
    with process_setup(cfg) as device:
        model = accelerate(build_model(cfg).to(device), device=device, training=False)
        verify_checkpoint(checkpoint)
        report = load_weights(model, checkpoint)
        if report.missing:
            raise InputError(
                f"{checkpoint}: {len(report.missing)} tensors of the network are not in it, {report.missing[0]!r} for"
                f" example: it belongs to another configuration or to {cfg.MODEL.NUM_CLASSES} other classes"
            )
        paths = [path for _, path in videos]
        lights = choose_light(cfg, paths, gamma)
        loader = build_file_loader(cfg, paths, [name for name, _ in videos], [light.gamma for light in lights])
        loader.max_failed = 1.0
        views = cfg.TEST.NUM_ENSEMBLE_VIEWS * cfg.TEST.NUM_SPATIAL_CROPS
        evaluator = Evaluator(
            loader=loader,
            names=[name for name, _ in videos],
            labels=np.full(len(videos), -1, np.int64),
            num_classes=cfg.MODEL.NUM_CLASSES,
            num_views=views,
            device=device,
            split="files",
            clip_batch=cfg.TEST.BATCH_SIZE,
            score=cfg.TEST.SCORE,
            method=cfg.DATA.ENSEMBLE_METHOD,
        )
        scores_NK = evaluator.predict(model).video_preds
    divisor = views if cfg.DATA.ENSEMBLE_METHOD == "sum" else 1
    shares_NK = _probabilities(scores_NK / divisor, cfg.TEST.SCORE)
    classes = class_names(cfg)
    return [
        Answer(
            name,
            path,
            [] if name in loader.failed else _ranking(shares_K, classes),
            loader.failed.get(name, ""),
            loader.partial.get(name, ""),
            light,
        )
        for (name, path), shares_K, light in zip(videos, shares_NK, lights)
    ]


def _probabilities(scores_NK: np.ndarray, kind: str) -> np.ndarray:
    """Return probabilities of mean logits or of mean probabilities."""
    if kind == "logits":
        scores_NK = np.exp(scores_NK - scores_NK.max(axis=1, keepdims=True))
    return scores_NK / scores_NK.sum(axis=1, keepdims=True)


def _ranking(shares_K: np.ndarray, classes: Sequence[str]) -> list[tuple[str, float]]:
    """Return (class, probability) from the most to the least likely."""
    return [(classes[index], float(shares_K[index])) for index in np.argsort(-shares_K, kind="stable")]


def table(answers: Sequence[Answer], top: int) -> str:
    """Return the answers as text, one block per video."""
    lines = []
    for answer in answers:
        lines.append(answer.name)
        lines += [f"  {answer.light.reason}"] if answer.light.reason else []
        lines += [f"  {100 * share:5.1f} %  {name}" for name, share in answer.ranking[:top]]
        lines += [f"  cannot be read: {answer.error}"] if answer.error else []
        lines += [f"  read in part: {answer.note}"] if answer.note else []
    return "\n".join(lines)


def render(answer: Answer, folder: Path, names: Collection[str] = ()) -> Path | None:
    """Write a copy of the clip: the frames as they are, beside them gamma-corrected, with the answer written in.

    Args:
        answer: of a video.
        folder: of the copies.
        names: of all answers, so that the copy of `a.avi` is not that of `a.avi.mp4`.

    Returns:
        The copy, None for an unreadable video.

    Raises:
        InputError: when the copy would take the place of the video.
    """
    if not answer.ranking:
        return None
    name, share = answer.ranking[0]
    copy = answer.name
    while not copy.endswith(".mp4") or (copy != answer.name and copy in names):
        copy += ".mp4"
    target = folder / copy.lstrip("/")
    target = target.with_name(fitting_name(target.stem, ".mp4"))
    if target.exists() and target.samefile(answer.path):
        raise InputError(f"{answer.path}: its copy would take its place: give --render another folder")
    video = StreamedVideo(answer.path)
    frames = _labelled(video, answer.light.gamma, f"{name} {100 * share:.0f} %")
    write_h264(target, frames, fps=video.fps or ASSUMED_FPS, crf=_RENDER_CRF)
    return target


def _labelled(video: StreamedVideo, gamma: float, text: str) -> Iterator[np.ndarray]:
    """Yield the frames twice side by side, with a line of text on the right ones, uint8 (H, 2 W, 3)."""
    for frame in video.frames():
        frame_HWC = frame.rgb()
        size = max(10, frame_HWC.shape[0] // 12)
        bright = Image.fromarray(apply_gamma(frame_HWC, gamma))
        ImageDraw.Draw(bright).text(
            (size // 3, size // 3),
            text,
            fill=(255, 255, 255),
            font=ImageFont.load_default(size),
            stroke_width=max(1, size // 10),
            stroke_fill=(0, 0, 0),
        )
        yield np.concatenate([frame_HWC, np.asarray(bright)], axis=1)
