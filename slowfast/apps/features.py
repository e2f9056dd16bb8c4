"""Features of long videos from a trained network: weights, adaptation, extraction, and the speed of reading."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode

from slowfast.apps.benchmark.features import compare_data_paths
from slowfast.apps.schedule import add_list
from slowfast.datasets.sources import Sources
from slowfast.engine.adapt import Adaptation, Pool
from slowfast.engine.build import class_names
from slowfast.engine.launch import process_setup
from slowfast.engine.parents import weights_input
from slowfast.engine.predictor import Predictor, find_adaptation
from slowfast.features.build import build_extraction, build_plan, build_preprocess
from slowfast.features.preprocess import FramePreprocess
from slowfast.features.store import FeatureIndex, IndexRow, check_writable
from slowfast.features.videos import VideoFile, parse_shard, share_of
from slowfast.features.windows import WindowPlan
from slowfast.models import Network, weights_as_built
from slowfast.parents import ClipDigests, MadeOf, input_of_rows
from slowfast.transforms.spatial import subtract_temporal_mean
from slowfast.utils import distributed
from slowfast.utils.errors import InputError
from slowfast.utils.logging import setup_logging
from slowfast.utils.paths import argument_path
from slowfast.video import VideoError, open_video


def extract(
    cfg: CfgNode, checkpoint: str, videos: Sequence[VideoFile], output: Path, shard: str = "1/1"
) -> list[IndexRow]:
    """Write the features of this process's share of the videos; return its index rows.

    Args:
        cfg: network, windows, preprocessing, and TEST.ADAPT with its pool.
        checkpoint: weights; `none`: those of the folder that the network is, else random ones from RNG_SEED.
        videos: of all shards.
        output: folder of the files and of the index.
        shard: part I of N of another job, `I/N`.

    Raises:
        InputError: weights, shard, adaptation or output folder are wrong.
    """
    number, count = parse_shard(shard)
    with process_setup(cfg) as device:
        setup_logging(main_process=distributed.is_main())
        check_writable(output)
        path = None if checkpoint.lower() == "none" else argument_path(checkpoint)
        if path is not None and not path.is_file():
            hint = "a folder of Hugging Face is MODEL.BACKBONE, with none here" if path.is_dir() else "none: no file"
            raise InputError(f"--checkpoint {checkpoint}: no such file; give the weights ({hint})")
        predictor = Predictor.load(cfg, path, device, new_head=True)
        if predictor.report is None:
            print(_said_of_none(cfg, predictor.model), flush=True)
        weights = _identity(cfg, predictor.model, path)
        network, pool = predictor.network, ""
        if cfg.TEST.ADAPT:
            adaptation = find_adaptation(cfg, cfg.TEST.ADAPT, predictor.model)
            clips, pool = _pool(predictor, adaptation, videos)
            network = predictor.adapted(adaptation, clips)
        world = distributed.world_size()
        mine = share_of(videos, number * world + distributed.rank(), count * world)
        return build_extraction(cfg, network, device, weights, class_names(cfg), pool=pool).run(
            mine, FeatureIndex(output)
        )


def _said_of_none(cfg: CfgNode, model: Network) -> str:
    """Return what stands on the screen when no file of weights is given."""
    meaning = ", the features mean nothing" if model.source is None else ""
    return f"--checkpoint none: {weights_as_built(cfg, model)}{meaning}"


def _identity(cfg: CfgNode, model: Network, path: Path | None) -> str:
    """Return what stands for the weights in the settings of the files."""
    if path is not None:
        return weights_input(path).digest
    digest = "random" if model.source is None else weights_input(model.source).digest
    return digest if model.source and not model.new_parts else f"{digest}, RNG_SEED {cfg.RNG_SEED}"


def _pool(predictor: Predictor, adaptation: Adaptation, videos: Sequence[VideoFile]) -> tuple[Pool, str]:
    """Return the clips to adapt to, TEST.ADAPT_SPLIT or windows of the videos themselves, and what identifies them."""
    cfg = predictor.cfg
    split = cfg.TEST.ADAPT_SPLIT
    text = f"{cfg.TEST.ADAPT} {sorted(cfg.ADAPT.items())} {cfg.BN.NUM_BATCHES_PRECISE} {cfg.RNG_SEED} {split}"
    if split:
        pool = Sources()
        add_list(cfg, split, pool, {})
        return predictor.pool(adaptation, split), f"{text} {MadeOf('pool', pool.inputs).identity()}"
    digests = ClipDigests().of([str(video.path) for video in videos])
    rows = [f"{video.name}\0{digest}" for video, digest in zip(videos, digests)]
    content = input_of_rows(row.encode("utf-8", "surrogateescape") for row in rows).digest

    def clips_of(batch: dict[str, Any]) -> torch.Tensor:
        clips_BCTHW = batch["clips"].to(predictor.device)
        return subtract_temporal_mean(clips_BCTHW, cfg.DATA.SUBTRACT_TEMPORAL_MEAN)

    windows = RandomWindows(
        [video.path for video in videos],
        plan=build_plan(cfg),
        prepare=build_preprocess(cfg),
        batch_size=cfg.ADAPT.BATCH_SIZE,
        batches=adaptation.limit,
        fps=cfg.FEATURES.FPS,
        seed=cfg.RNG_SEED,
    )
    return Pool(windows, limit=adaptation.limit, clips_of=clips_of, name="the videos"), f"{text} {content}"


class RandomWindows:
    """Batches of windows from random places of videos: about as many of each video, in shuffled order.

    Args:
        paths: the videos.
        plan: the frames of a window.
        prepare: one frame to network input.
        batch_size: windows of a batch.
        batches: at most so many.
        fps: frames per second to which videos are resampled; 0 keeps them.
        seed: of order and places.
    """

    per_video = 8

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        plan: WindowPlan,
        prepare: FramePreprocess,
        batch_size: int,
        batches: int,
        fps: float,
        seed: int,
    ) -> None:
        self.plan, self.prepare, self.fps, self.seed = plan, prepare, fps, seed
        order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(paths)), self.per_video))
        count = max(1, min(batches, len(order) // batch_size))
        self._batches = [[paths[index] for index in part] for part in np.array_split(order, count)][:batches]

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._batches)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rng = np.random.default_rng([self.seed, 1])
        for paths in self._batches:
            windows = [window for path in paths if (window := self._read(path, rng.random())) is not None]
            yield {"clips": torch.stack(windows) if windows else torch.empty(0)}

    def _read(self, path: Path, place: float) -> torch.Tensor | None:
        """Return the window that begins at a share of a video, (C, T, H, W); None where there is none."""
        try:
            with open_video(path) as video:
                step = video.fps / self.fps if self.fps and video.fps else 1.0
                starts = self.plan.starts(int(len(video) / step))
                if not len(starts):
                    return None
                frames = self.plan.frames_of(starts[int(place * len(starts))], int(len(video) / step))
                indices = np.minimum((np.asarray(frames) * step).astype(np.int64), len(video) - 1)
                return torch.cat([self.prepare(frame) for frame in video.get_frames(indices)], dim=1)
        except VideoError:
            return None


def benchmark(cfg: CfgNode, videos: Sequence[VideoFile]) -> None:
    """Print how much faster one pass is than every window by itself, for each video."""
    for video in videos:
        figures = compare_data_paths(video.path, build_plan(cfg), build_preprocess(cfg), cfg.FEATURES.BATCH_SIZE)
        parts = [f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
                 for name, value in figures.items()]  # fmt: skip
        print(" ".join(parts), flush=True)
