"""Class scores over the time of long videos: tables, segments, pictures. Legend: N windows, K classes."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.apps.predict import adapted_network, find_videos, load_predictor
from slowfast.apps.sliding import Scorer, Slide
from slowfast.engine.build import class_names
from slowfast.engine.launch import process_setup
from slowfast.features.windows import WindowStream
from slowfast.report.timeline import Segment, timeline_svg
from slowfast.utils.files import fitting_name, write_text
from slowfast.utils.progress import Progress
from slowfast.utils.stop import check_stop
from slowfast.video import VideoError
from slowfast.video.stream import StreamedVideo


@dataclass(frozen=True)
class Timeline:
    """The scores of one video.

    Args:
        spans_N2: first and last second of every window.
        probs_NK: probabilities.
        stride: seconds from window to window.
        note: light, and what could not be decoded.
    """

    spans_N2: np.ndarray
    probs_NK: np.ndarray
    stride: float
    note: str

    @property
    def edges(self) -> np.ndarray:
        """Seconds between which each window decides, (N + 1,): a stride around its middle, the ends of the video."""
        starts_N, (first, last) = self.spans_N2[:, 0], self.spans_N2[0]
        middle = (last - first - self.stride) / 2 if len(starts_N) > 1 else 0.0
        return np.concatenate([[0.0], starts_N[1:] + middle, self.spans_N2[-1:, 1]])

    def segments(self, names: Sequence[str], threshold: float, shortest: float) -> list[Segment]:
        """Return the runs of one top class whose probability reaches a threshold, not shorter than some seconds."""
        top_N, share_N, edges = self.probs_NK.argmax(1), self.probs_NK.max(1), self.edges
        label_N = np.where(share_N >= threshold, top_N, -1)
        starts = np.flatnonzero(np.diff(label_N, prepend=-2))
        runs = zip(starts, [*starts[1:], len(label_N)])
        found = [
            Segment(float(edges[first]), float(edges[end]), names[label_N[first]], float(share_N[first:end].mean()))
            for first, end in runs
            if label_N[first] >= 0
        ]
        return [segment for segment in found if segment.end - segment.start >= shortest - 1e-9]


def read_timeline(
    cfg: CfgNode, scorer: Scorer, path: Path, *, window: float, stride: float, gamma: float | None
) -> Timeline:
    """Return the scores of a video, read in one pass; see `Slide` for the arguments.

    Raises:
        VideoError: when it cannot be read.
    """
    video = StreamedVideo(path)
    slide = Slide(cfg, video, window=window, stride=stride, gamma=gamma)
    stream = WindowStream(slide.frames(), plan=slide.plan, prepare=slide.prepare, batch_size=cfg.TEST.BATCH_SIZE)
    progress = Progress(int(video.claimed_seconds / slide.stride) + 1, f"windows of {path.name}")
    starts, probs = [], []
    for batch in stream:
        check_stop(f"the scores of {path.name}")
        probs.append(scorer(batch.clips(scorer.device)))
        starts.append(batch.start_time)
        progress.update(len(batch))
    starts_N = np.concatenate(starts)
    ends_N = np.minimum(starts_N + slide.seconds, stream.num_frames / slide.rate)
    note = "; ".join(filter(None, (slide.light.reason, video.problems)))
    return Timeline(np.stack([starts_N, ends_N], 1), np.concatenate(probs), slide.stride, note)


def write_timelines(
    cfg: CfgNode,
    checkpoint: Path,
    sources: Sequence[Path],
    folder: Path,
    *,
    window: float = 0.0,
    stride: float = 0.0,
    threshold: float = 0.5,
    shortest: float = 0.0,
    gamma: float | None = None,
    pool: Sequence[Path] = (),
) -> tuple[int, int]:
    """Write `NAME.csv`, `NAME_segments.csv` and `NAME.svg` for every video, and print its segments.

    Args:
        cfg: the network and its input.
        checkpoint: weights.
        sources: files and folders.
        folder: of the tables and pictures.
        window: see `Slide`.
        stride: see `Slide`.
        threshold: probability from which a window has a label.
        shortest: seconds of a segment at least.
        gamma: see `Slide`.
        pool: what to adapt to, see `predict_files`.

    Returns:
        How many videos cannot be read, and of how many.
    """
    videos, names = find_videos(sources), class_names(cfg)
    failed = 0
    with process_setup(cfg) as device:
        predictor = load_predictor(cfg, checkpoint, device, pool)
        scorer = Scorer(predictor, adapted_network(predictor, pool, [path for _, path in videos], gamma))
        for name, path in videos:
            print(name)
            try:
                timeline = read_timeline(cfg, scorer, path, window=window, stride=stride, gamma=gamma)
            except VideoError as error:
                print(f"  cannot be read: {error.reason}")
                failed += 1
                continue
            segments = timeline.segments(names, threshold, shortest)
            _write(folder / name.lstrip("/"), name, timeline, names, segments)
            print("\n".join([f"  {timeline.note}", *map(_as_text, segments)]), flush=True)
    return failed, len(videos)


def _as_text(part: Segment) -> str:
    """Return a segment as a line."""
    return f"  {part.start:.1f} to {part.end:.1f} s  {100 * part.score:5.1f} %  {part.label}"


def _write(stem: Path, title: str, timeline: Timeline, names: Sequence[str], segments: Sequence[Segment]) -> None:
    """Write the files of one video."""
    table, parts, picture = (stem.with_name(fitting_name(stem.name, end)) for end in (".csv", "_segments.csv", ".svg"))
    rows = ([*span, *probs_K] for span, probs_K in zip(timeline.spans_N2.tolist(), timeline.probs_NK.tolist()))
    _write_csv(table, ["start_s", "end_s", *names], rows)
    _write_csv(parts, ["start_s", "end_s", "label", "score"], ([p.start, p.end, p.label, p.score] for p in segments))
    write_text(picture, timeline_svg(title, timeline.edges, timeline.probs_NK, names, segments))


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str | float]]) -> None:
    """Write a table; seconds have three digits behind the point, probabilities six."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    for start, end, *rest in rows:
        table.writerow([f"{start:.3f}", f"{end:.3f}", *(v if isinstance(v, str) else f"{v:.6f}" for v in rest)])
    write_text(path, text.getvalue())
