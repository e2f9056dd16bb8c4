"""Class scores over the time of a video as one picture that stands alone. Legend: N windows, K classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from slowfast.report.svg import standalone
from slowfast.utils.files import visible
from slowfast.utils.progress import format_seconds

_COLOURS = ("#2563eb", "#0d9488", "#7c3aed", "#db2777", "#65a30d", "#b45309")
_STYLE = "svg{background:#fff;font:12px sans-serif}text{fill:#444}line{stroke:#ddd}polyline{fill:none;stroke-width:1.5}"
# Points of a line; of more windows the mean of neighbours is drawn.
_POINTS = 800
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 960, 44, 760, 60, 260, 290


@dataclass(frozen=True)
class Segment:
    """A stretch of a video with one label.

    Args:
        start: seconds.
        end: seconds.
        label: class name.
        score: mean probability, 0 to 1.
    """

    start: float
    end: float
    label: str
    score: float


def timeline_svg(
    title: str, edges: np.ndarray, probs_NK: np.ndarray, names: Sequence[str], segments: Sequence[Segment]
) -> str:
    """Return lines of the probabilities of up to six classes, and the segments above them.

    Args:
        title: name of the video.
        edges: seconds between which each window decides, (N + 1,).
        probs_NK: probabilities.
        names: K class names.
        segments: of them.
    """
    wins_K = np.bincount(probs_NK.argmax(1), minlength=len(names))
    shown = np.lexsort((-probs_NK.mean(0), -wins_K))[: len(_COLOURS)].tolist()
    colour = {names[number]: _COLOURS[place] for place, number in enumerate(shown)}
    bins = np.unique(np.linspace(0, len(probs_NK), _POINTS + 1).astype(int)[:-1])
    mean_PK = np.add.reduceat(probs_NK, bins) / np.diff(bins, append=len(probs_NK))[:, None]
    time_P = np.add.reduceat((edges[1:] + edges[:-1]) / 2, bins) / np.diff(bins, append=len(probs_NK))

    def x(seconds: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * seconds / max(edges[-1], 1e-9)

    parts = [f'<text x="{_LEFT}" y="20">{escape(visible(title))}</text>']
    for percent in (0, 50, 100):
        y = _BOTTOM - (_BOTTOM - _TOP) * percent / 100
        parts.append(f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text text-anchor="end" x="{_LEFT - 6}" y="{y + 4}">{percent} %</text>')
    for seconds, anchor in ((0, "start"), (edges[-1] / 2, "middle"), (edges[-1], "end")):
        text = format_seconds(seconds)
        parts.append(f'<text text-anchor="{anchor}" x="{x(seconds):.1f}" y="{_HEIGHT - 10}">{text}</text>')
    for part in segments:
        tip = f"{part.label}: {part.start:.1f} to {part.end:.1f} s, {100 * part.score:.0f} %"
        parts.append(
            f'<rect x="{x(part.start):.1f}" width="{x(part.end) - x(part.start):.1f}" y="32" height="18" '
            f'fill="{colour.get(part.label, "#888")}"><title>{escape(visible(tip))}</title></rect>'
        )
    for place, number in enumerate(shown):
        road = " ".join(f"{x(t):.1f},{_BOTTOM - (_BOTTOM - _TOP) * p:.1f}" for t, p in zip(time_P, mean_PK[:, number]))
        name, paint = escape(visible(names[number])), _COLOURS[place]
        parts.append(f'<polyline points="{road}" stroke="{paint}"><title>{name}</title></polyline>')
        y = _TOP + 20 * place
        parts.append(f'<rect x="{_RIGHT + 14}" y="{y}" width="12" height="12" fill="{paint}"/>')
        parts.append(f'<text x="{_RIGHT + 32}" y="{y + 11}">{name}</text>')
    label = escape(visible(f"Class scores over the time of {title}"))
    plot = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return standalone(plot, _STYLE)
