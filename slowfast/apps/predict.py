"""Answers for video files that stand in no list: probabilities, a table, JSON, and clips with the answer written in."""

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fvcore.common.config import CfgNode
from PIL import Image, ImageDraw
from torch import nn

from slowfast.apps.check_videos import shown
from slowfast.apps.lettering import lettering
from slowfast.apps.light import Light, choose_light
from slowfast.config import several_labels
from slowfast.datasets.loader import build_file_loader
from slowfast.engine.build import class_names
from slowfast.engine.evaluator import Evaluator
from slowfast.engine.launch import process_setup
from slowfast.engine.predictor import Predictor, find_adaptation
from slowfast.lists.endings import find_files
from slowfast.lists.records import read_list
from slowfast.transforms.gamma import apply_gamma
from slowfast.utils.errors import InputError
from slowfast.utils.files import fitting_name, printable, write_json
from slowfast.utils.progress import Progress
from slowfast.utils.scores import probabilities
from slowfast.video.stream import ASSUMED_FPS, StreamedVideo
from slowfast.video.writer import write_h264

_RENDER_CRF = 20.0
_SMALLEST = 9  # size of letters, pixels
_LISTS = (".csv", ".txt", ".tsv")


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
        number: of the most likely class.
        least: probability from which a class counts, where a video may have several labels.
    """

    name: str
    path: Path
    ranking: list[tuple[str, float]]
    error: str = ""
    note: str = ""
    light: Light = Light(1.0)
    number: int = 0
    least: float = 0.0

    def first(self, top: int) -> list[tuple[str, float]]:
        """Return (class name, probability) of its classes, at most `top`."""
        return [(name, share) for name, share in self.ranking[:top] if share >= self.least]

    def as_dict(self, top: int) -> dict[str, object]:
        """Return the answer with its `top` classes for JSON."""
        answers = [{"class": name, "probability": round(share, 6)} for name, share in self.first(top)]
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
            paths = find_files(source)
            root = source.parent if paths == [source] else source  # a folder of images is a video itself
            found += [(path.relative_to(root).as_posix(), path) for path in paths]
        elif source.exists():
            found.append((source.name, source))
        else:
            raise InputError(f"{source}: this file or folder does not exist")
    found = list({os.path.abspath(path): (name, path) for name, path in found}.values())
    times = Counter(shown(name) for name, _ in found)
    return [(shown(name) if times[shown(name)] == 1 else printable(str(path)), path) for name, path in found]


def predict_files(
    cfg: CfgNode,
    checkpoint: Path,
    sources: Sequence[Path],
    gamma: float | None = None,
    pool: Sequence[Path] = (),
    threshold: float = 0.5,
) -> list[Answer]:
    """Return the answer for every video, in the order of the sources.

    Args:
        cfg: the network, its input, TEST's views and crops, and TEST.ADAPT.
        checkpoint: weights.
        sources: files and folders.
        gamma: exponent for all videos; default by the light of each (see `light`).
        pool: files, folders and lists to adapt to; empty: TEST.ADAPT_SPLIT, without one the videos themselves.
        threshold: probability from which a class counts, where a video may have several labels.

    Raises:
        InputError: when sources, weights or pool are wrong, or no score is finite.
    """
    videos = find_videos(sources)
    with process_setup(cfg) as device:
        predictor = load_predictor(cfg, checkpoint, device, pool)
        paths = [path for _, path in videos]
        lights = choose_light(cfg, paths, gamma)
        network = adapted_network(predictor, pool, paths, gamma)
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
            precision=predictor.precision,
            several=several_labels(cfg),
        )
        scores_NK = predictor.predict(evaluator, network, [range(views)])[0].video_preds
    divisor = views if cfg.DATA.ENSEMBLE_METHOD == "sum" else 1
    shares_NK = probabilities(scores_NK, cfg.TEST.SCORE, divisor)
    classes, least = class_names(cfg), threshold if several_labels(cfg) else 0.0
    return [
        _answer(name, path, shares_K, classes, loader.failed.get(name, ""), loader.partial.get(name, ""), light, least)
        for (name, path), shares_K, light in zip(videos, shares_NK, lights)
    ]


def load_predictor(cfg: CfgNode, checkpoint: Path, device: torch.device, pool: Sequence[Path] = ()) -> Predictor:
    """Return a trained network.

    Raises:
        InputError: when weights or pool are wrong.
    """
    if not checkpoint.exists():
        raise InputError(f"{checkpoint}: the checkpoint does not exist")
    if pool and not cfg.TEST.ADAPT:
        raise InputError("a pool is given but no adaptation: add --adapt NAME (TEST.ADAPT)")
    return Predictor.load(cfg, checkpoint, device)


def adapted_network(
    predictor: Predictor, pool: Sequence[Path], paths: Sequence[Path], gamma: float | None
) -> nn.Module:
    """Return the network, with TEST.ADAPT adapted to a pool, to TEST.ADAPT_SPLIT, or to the videos themselves."""
    cfg = predictor.cfg
    if not cfg.TEST.ADAPT:
        return predictor.network
    adaptation = find_adaptation(cfg, cfg.TEST.ADAPT, predictor.model)
    if cfg.TEST.ADAPT_SPLIT and not pool:
        return predictor.adapted(adaptation, predictor.pool(adaptation, cfg.TEST.ADAPT_SPLIT, gamma=gamma))
    files = _pool_files(cfg, pool) or paths
    gammas = [light.gamma for light in choose_light(cfg, files, gamma)]
    return predictor.adapted(adaptation, predictor.pool(adaptation, "the pool", paths=files, gammas=gammas))


def _pool_files(cfg: CfgNode, pool: Sequence[Path]) -> list[Path]:
    """Return the video files of folders, of files, and of lists beside their videos."""
    lists = [path for path in pool if path.suffix.lower() in _LISTS]
    files = [path for _, path in find_videos([path for path in pool if path not in lists])]
    for path in lists:
        records = read_list(
            path,
            path.parent,
            separator=cfg.DATA.PATH_LABEL_SEPARATOR,
            num_classes=cfg.MODEL.NUM_CLASSES,
            labelled=False,
            allow_outside=True,
            several=several_labels(cfg),
        )
        files += [Path(record.path) for record in records]
    return files


def _answer(
    name: str,
    path: Path,
    shares_K: np.ndarray,
    classes: Sequence[str],
    error: str,
    note: str,
    light: Light,
    least: float,
) -> Answer:
    """Return the answer of one video; scores that are not finite are an error."""
    if not error and not np.isfinite(shares_K).all():
        error = "its scores are NaN or infinite"
    number = 0 if error else int(shares_K.argmax())
    return Answer(name, path, [] if error else _ranking(shares_K, classes), error, note, light, number, least)


def _ranking(shares_K: np.ndarray, classes: Sequence[str]) -> list[tuple[str, float]]:
    """Return (class, probability) from the most to the least likely."""
    return [(classes[index], float(shares_K[index])) for index in np.argsort(-shares_K, kind="stable")]


def table(answers: Sequence[Answer], top: int) -> str:
    """Return the answers as text, one block per video."""
    lines = []
    for answer in answers:
        lines.append(answer.name.replace("\n", "\\n").replace("\r", "\\r"))
        lines += [f"  {answer.light.reason}"] if answer.light.reason else []
        lines += [f"  {100 * share:5.1f} %  {name}" for name, share in answer.first(top)]
        if answer.ranking and not answer.first(top):
            name, share = answer.ranking[0]
            lines += [f"  no class reaches {100 * answer.least:g} %, the likeliest is {name} ({100 * share:.1f} %)"]
        lines += [f"  cannot be read: {answer.error}"] if answer.error else []
        lines += [f"  read in part: {answer.note}"] if answer.note else []
    return "\n".join(lines)


def write_answers(answers: Sequence[Answer], top: int, json: Path | None, copies: Path | None) -> int:
    """Print the answers, write them as JSON and into copies where that is wanted; return how many are none."""
    print(table(answers, top))
    if json:
        write_json(json, [answer.as_dict(top) for answer in answers])
    if copies:
        progress, names = Progress(len(answers), "writing clips"), {answer.name for answer in answers}
        for answer in answers:
            render(answer, copies, names)
            progress.update()
    return sum(bool(answer.error) for answer in answers)


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
    frames = _labelled(video, answer.light.gamma, [name, f"class {answer.number}"], f"{100 * share:.0f} %")
    write_h264(target, frames, fps=video.fps or ASSUMED_FPS, crf=_RENDER_CRF)
    return target


def _labelled(video: StreamedVideo, gamma: float, names: Sequence[str], share: str) -> Iterator[np.ndarray]:
    """Yield the frames twice side by side, with a line of text on the right ones, uint8 (H, 2 W, 3).

    Args:
        video: the clip.
        gamma: exponent for the right ones.
        names: the class; the first that an installed font can write is taken.
        share: what stands before it.
    """
    for frame in video.frames():
        frame_HWC = frame.rgb()
        bright = Image.fromarray(apply_gamma(frame_HWC, gamma))
        caption(bright, names, share)
        yield np.concatenate([frame_HWC, np.asarray(bright)], axis=1)


def caption(image: Image.Image, names: Sequence[str], share: str) -> None:
    """Write a share and the first name that an installed font can write on a picture; long names are drawn smaller."""
    size = max(10, image.height // 12)
    name, font = lettering(names, size)
    text, room = f"{share} {name}", image.width - size
    fitting = max(_SMALLEST, min(size, int(size * room / font.getlength(text))))
    ImageDraw.Draw(image).text(
        (size // 3, size // 3),
        text,
        fill=(255, 255, 255),
        font=lettering([name], fitting)[1],
        stroke_width=max(1, size // 10),
        stroke_fill=(0, 0, 0),
    )
