"""Features of many videos: several are decoded at a time while the network works on what is ready.

Legend: B windows of a batch, N windows of a video, D width, K classes.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from slowfast.features.layers import Layer, features_of
from slowfast.features.preprocess import FramePreprocess
from slowfast.features.progress import VideoProgress
from slowfast.features.store import (
    DamagedFile,
    FeatureIndex,
    Features,
    ForeignFile,
    IndexRow,
    check_settings,
    load_features,
    remove_asides,
    row_of,
    save_features,
)
from slowfast.features.videos import VideoFile
from slowfast.features.windows import WindowBatch, WindowPlan, WindowStream
from slowfast.losses import class_shares
from slowfast.parents.content import ClipDigests, clip_digest
from slowfast.transforms.spatial import subtract_temporal_mean
from slowfast.utils.errors import InputError
from slowfast.utils.logging import get_logger
from slowfast.utils.precision import FULL, Precision
from slowfast.video import VideoError
from slowfast.video.stream import ASSUMED_FPS, StreamedVideo, resample

logger = get_logger(__name__)

_PLACES = ("start_frame", "end_frame", "start_time", "end_time")


class FeatureNetwork:
    """A network as used for features: evaluation mode, mixed precision, features and probabilities of one pass.

    Args:
        model: `forward_features` gives the pooled (B, D), `forward_head` of these the logits (B, K).
        device: where it runs.
        precision: of the forward pass.
        temporal_mean: share of the mean over time that is subtracted from every window.
        layer: name of a layer whose output is taken for the features; empty: the pooled features.
        pool: of that output, see `Layer`.
        several: a clip may have several labels: probabilities are sigmoids.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        device: torch.device,
        precision: Precision = FULL,
        temporal_mean: float = 0.0,
        layer: str = "",
        pool: str = "mean",
        several: bool = False,
    ) -> None:
        self.several = several
        self.model = model.to(device).eval()
        self.layer = Layer(self.model, layer, pool) if layer else None
        self.device, self.precision, self.temporal_mean = device, precision, temporal_mean

    def __call__(self, batch: WindowBatch) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 features (B, D) and probabilities (B, K).

        Raises:
            InputError: when the device has too little memory for the batch.
        """
        try:
            return self._run(batch)
        except torch.OutOfMemoryError:
            raise InputError(f"too little memory for {len(batch)} windows at a time: lower --batch-size") from None

    @torch.inference_mode()
    def _run(self, batch: WindowBatch) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 features (B, D) and probabilities (B, K)."""
        clips_BCTHW = subtract_temporal_mean(batch.clips(self.device), self.temporal_mean)
        with self.precision.active(self.device):
            features_BD, logits_BK = features_of(self.model, clips_BCTHW, self.layer)
        shares_BK = class_shares(logits_BK.float(), several=self.several)
        return features_BD.float().cpu().numpy(), shares_BK.cpu().numpy()


class VideoReader:
    """The batches of windows of one video, read in one pass.

    Args:
        path: the file.
        plan: where the windows lie.
        prepare: one frame to network input.
        batch_size: windows of a batch.
        fps: frames per second to which the frames are resampled; 0 keeps them.

    Raises:
        VideoError: when the file cannot be opened.
    """

    def __init__(self, path, *, plan: WindowPlan, prepare: FramePreprocess, batch_size: int, fps: float = 0.0) -> None:
        self._video = StreamedVideo(path)
        self._digest = clip_digest(self._video.path, os.path.getsize(self._video.path))
        self._wanted_fps = fps
        frames = self._video.frames()
        if fps:
            frames = resample(frames, fps, self._video.fps or ASSUMED_FPS, self._video.tick)
        self._stream = WindowStream(frames, plan=plan, prepare=prepare, batch_size=batch_size)

    def __iter__(self) -> Iterator[WindowBatch]:
        return iter(self._stream)

    @property
    def share(self) -> float:
        """Estimated share of the video that has been read, from the duration that the header claims."""
        return min(1.0, self._stream.last_time / max(self._video.claimed_seconds, 1e-9))

    @property
    def facts(self) -> dict:
        """What is known of the video after the last batch: frame rates, number of frames, problems, content."""
        count, seconds = self._stream.num_frames, self._stream.last_time
        source_fps = self._video.fps or ((count - 1) / seconds if seconds else 0.0)
        return {
            "fps": float(self._wanted_fps or source_fps),
            "source_fps": float(source_fps),
            "num_frames": count,
            "problems": self._video.problems,
            "video_digest": self._digest,
        }


@dataclass
class Event:
    """What a decoding thread reports.

    Args:
        video: the video it reads.
        share: share of the video that has been read.
        batch: some of its windows, None at the end.
        facts: known at the end, see `VideoReader.facts`.
        error: why it cannot be read, or a fault of the program.
    """

    video: VideoFile
    share: float = 0.0
    batch: WindowBatch | None = None
    facts: dict | None = None
    error: Exception | None = None


class Decoders:
    """Threads that read videos; iterate over their events, in the order of each video.

    While one batch is worked on, every thread makes its next one and no more, so that memory stays bounded by a batch.

    Args:
        videos: read in this order, each by one thread.
        open_reader: path to a `VideoReader`.
        count: threads.
    """

    def __init__(self, videos: Sequence[VideoFile], open_reader: Callable[..., VideoReader], *, count: int) -> None:
        self._open = open_reader
        self._left = iter(videos)
        self._total = len(videos)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._events: queue.Queue[Event] = queue.Queue()
        self._free = threading.Semaphore(1)
        count = min(count, len(videos))
        self._threads = [threading.Thread(target=self._run, name=f"decoder-{n}", daemon=True) for n in range(count)]

    def __iter__(self) -> Iterator[Event]:
        for thread in self._threads:
            thread.start()
        finished = 0
        while finished < self._total:
            event = self._events.get()
            if event.error is not None and not isinstance(event.error, VideoError):
                raise event.error
            finished += event.batch is None
            yield event
            self._free.release()

    def close(self) -> None:
        """Stop the threads."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _run(self) -> None:
        """Read videos until none is left."""
        while not self._stop.is_set():
            with self._lock:
                video = next(self._left, None)
            if video is None:
                return
            for event in self._read(video):
                self._put(event)
                if self._stop.is_set():
                    return

    def _read(self, video: VideoFile) -> Iterator[Event]:
        """Yield the events of one video, the last one without a batch."""
        try:
            reader = self._open(video.path)
            for batch in reader:
                yield Event(video, share=reader.share, batch=batch)
            yield Event(video, share=1.0, facts=reader.facts)
        except Exception as error:  # handed to the main thread, which raises what is no VideoError
            yield Event(video, share=1.0, error=error)

    def _put(self, event: Event) -> None:
        """Hand over an event once the one before has been worked on, unless nobody listens any more."""
        while not self._stop.is_set():
            if self._free.acquire(timeout=0.1):
                self._events.put(event)
                return


class Extraction:
    """Writes the features of videos that have none yet.

    Args:
        network: windows to features.
        plan: where the windows lie.
        prepare: one frame to network input.
        batch_size: windows of a forward pass; a pass never mixes videos, so that shards and resumes change no byte.
        fps: frames per second to which videos are resampled; 0 keeps them.
        decoders: videos that are decoded at a time.
        settings: JSON of everything the values depend on, stored with the features.
        class_names: K names, stored with the features; empty: unknown.
    """

    def __init__(
        self,
        *,
        network: FeatureNetwork,
        plan: WindowPlan,
        prepare: FramePreprocess,
        batch_size: int = 8,
        fps: float = 0.0,
        decoders: int = 1,
        settings: str = "{}",
        class_names: Sequence[str] = (),
    ) -> None:
        self.network, self.plan, self.prepare = network, plan, prepare
        self.batch_size, self.fps, self.decoders, self.settings = batch_size, fps, decoders, settings
        self.class_names = tuple(class_names)

    def reader(self, path) -> VideoReader:
        """Open a video; see `VideoReader`."""
        return VideoReader(path, plan=self.plan, prepare=self.prepare, batch_size=self.batch_size, fps=self.fps)

    def run(self, videos: Sequence[VideoFile], index: FeatureIndex) -> list[IndexRow]:
        """Extract what is missing; a video that gives nothing is a row with the reason.

        Args:
            videos: this process's share.
            index: gets a row for each.

        Returns:
            The rows in the order of finishing.

        Raises:
            InputError: when a feature file of other settings, or an index of another form, is there.
        """
        there = [str(video.path) for video in videos if video.output.exists() and video.path.is_file()]
        digests = dict(zip(there, ClipDigests().of(there)))
        rows = {video.name: self._existing(video, digests.get(str(video.path), "")) for video in videos}
        left = [video for video in videos if rows[video.name] is None]
        done = [row for row in rows.values() if row is not None]
        for video in videos:
            if rows[video.name] is not None:
                index.add(rows[video.name], video)
        index.flush()
        if done:
            logger.info("%d of %d videos are there already or cannot be done", len(done), len(videos))
        progress = VideoProgress(left, emit=logger.info)
        decoders = Decoders(left, self.reader, count=self.decoders)
        parts: dict[str, list[dict[str, np.ndarray]]] = {}
        try:
            for event in decoders:
                if event.batch is not None:
                    parts.setdefault(event.video.name, []).append(self._forward(event.batch))
                    progress.reading(event.video, event.share, len(event.batch))
                    continue
                row = self._finish(event, parts.pop(event.video.name, []))
                done.append(row)
                index.add(row, event.video)
                progress.finished(event.video)
        finally:
            decoders.close()
            index.flush(mark=True)
        return done

    def _existing(self, video: VideoFile, digest: str) -> IndexRow | None:
        """Return the row of a video, whose content has this digest, that needs no work, or None."""
        if video.twin:
            return IndexRow(video.name, 0, 0.0, 0, f"failed: {video.twin} writes the same file {video.output.name}")
        remove_asides(video.output)
        if not video.output.exists():
            return None
        try:
            features = load_features(video.output)
        except DamagedFile as error:
            logger.warning("%s; it is written anew", error)
            return None
        except ForeignFile as error:
            return IndexRow(video.name, 0, 0.0, 0, f"failed: {error}; move it away")
        check_settings(video.output, features.settings, self.settings)
        # A video of which nothing was recorded may have been read while it was still being copied.
        changed = features.video_digest not in ("", digest)
        if changed or (features.problems and not features.video_digest):
            logger.info("%s has other content than when its features were made; they are made anew", video.path)
            video.output.unlink()
            return None
        if self.class_names and features.settings and features.class_names != self.class_names:
            save_features(video.output, replace(features, class_names=self.class_names))
        return row_of(video.name, features)

    def _forward(self, batch: WindowBatch) -> dict[str, np.ndarray]:
        """Return features, probabilities and places of a batch."""
        feats, probs = self.network(batch)
        return {"feats": feats, "probs": probs, **{name: getattr(batch, name) for name in _PLACES}}

    def _finish(self, event: Event, parts: list[dict[str, np.ndarray]]) -> IndexRow:
        """Write the features of a video, or say why there are none."""
        name = event.video.name
        if event.error is not None:
            logger.warning("%s", event.error)
            return IndexRow(name, 0, 0.0, 0, f"failed: {event.error.reason}")
        facts = event.facts
        if not parts:
            reason = f"too short: {facts['num_frames']} frames, a window needs {self.plan.window}"
            logger.warning("%s: %s", event.video.path, reason)
            return IndexRow(name, facts["num_frames"], facts["fps"], 0, reason)
        features = Features(
            **{key: np.concatenate([part[key] for part in parts]) for key in parts[0]},
            stride=self.plan.stride,
            window=self.plan.window,
            settings=self.settings,
            class_names=self.class_names,
            **facts,
        )
        if not np.isfinite(features.feats).all():
            reason = (
                "failed: the network gives features that are no finite numbers; try --precision off, check its weights"
            )
            logger.warning("%s: %s", event.video.path, reason)
            return IndexRow(name, features.num_frames, features.fps, 0, reason)
        save_features(event.video.output, features)
        return row_of(name, features)
