"""Plots as SVG text; colours come from the page's style sheet. Legend: K classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from slowfast.report.data import MEAN, VOTE, Curve, PseudoRound, ReportData, StepResult, title_of

CONTROL = "no_pseudo"


@dataclass(frozen=True)
class _Axes:
    """Columns of equal width over percentages from 0 to 100.

    Attributes:
        columns: number of columns.
        step: width of a column in pixels.
        height: pixels of 100 %.
        left: where the first column begins.
        top: where 100 % is.
    """

    columns: int
    step: int
    height: int
    left: int = 44
    top: int = 22

    @property
    def right(self) -> int:
        """Where the last column ends."""
        return self.left + self.step * self.columns

    @property
    def bottom(self) -> int:
        """Where 0 % is."""
        return self.top + self.height

    def x(self, column: int) -> float:
        """Return the middle of a column."""
        return self.left + self.step * (column + 0.5)

    def y(self, percent: float) -> float:
        """Return the place of a percentage."""
        return self.top + self.height * (1 - percent / 100.0)

    def grid(self) -> str:
        """Return horizontal lines at 0, 20, ..., 100 % with their numbers."""
        lines = [
            f'<line class="grid" x1="{self.left}" x2="{self.right}" y1="{self.y(percent):.1f}" '
            f'y2="{self.y(percent):.1f}"/><text class="tick" text-anchor="end" x="{self.left - 8}" '
            f'y="{self.y(percent) + 4:.1f}">{percent}</text>'
            for percent in range(0, 101, 20)
        ]
        return "".join(lines)


def ladder_plot(data: ReportData) -> str:
    """Return the accuracy of every voter, their mean and their vote over the steps."""
    columns = list(dict.fromkeys((row.step, row.views, row.crops) for row in data.ladder))
    long = any(len(_short(title_of(step))) > 14 for step, *_ in columns)
    axes = _Axes(columns=len(columns), step=max(66, 640 // max(len(columns), 1)), height=300, left=104 if long else 44)
    steps = [step for step, *_ in columns]
    parts = [axes.grid()]
    for index, (step, views, crops) in enumerate(columns):
        if step == CONTROL:
            parts.append(
                f'<rect class="band" x="{axes.x(index) - axes.step / 2:.1f}" y="{axes.top}" width="{axes.step}" '
                f'height="{axes.height}"/>'
            )
        name = _short(title_of(step)) + (f" {views}x{crops}" if steps.count(step) > 1 else "")
        place = f"{axes.x(index) + 4:.1f} {axes.bottom + 16}"
        parts.append(
            f'<text class="tick" text-anchor="end" transform="translate({place}) rotate(-35)">{escape(name)}</text>'
        )
    group_of = {(row.step, row.views, row.crops): row.group for row in data.ladder}
    for order, model in enumerate([*data.models, MEAN, VOTE]):
        top1 = {(row.step, row.views, row.crops): row.top1 for row in data.ladder if row.model == model}
        points = [(index, steps[index], top1[column]) for index, column in enumerate(columns) if column in top1]
        groups = [group_of[columns[index]] for index, *_ in points]
        style = model if model in (MEAN, VOTE) else f"v{order % 6}"
        parts.append(f'<g class="{style}">{_line(axes, model, points, groups)}</g>')
    return _svg("ladder", axes.right + 10, axes.bottom + (126 if long else 96), "Top-1 accuracy over the steps", parts)


def _short(title: str, length: int = 24) -> str:
    """Return a title as it fits below a column."""
    return title if len(title) <= length else f"{title[: length - 2]}.."


def _line(axes: _Axes, model: str, points: list[tuple[int, str, float]], groups: list[str]) -> str:
    """Return one model's line and dots; the line leaves out the control, the vote is labelled with its values."""
    roads: dict[str, list[str]] = {}
    for group, (index, step, top1) in zip(groups, points):
        roads.setdefault(group, []).extend([f"{axes.x(index):.1f},{axes.y(top1):.1f}"] if step != CONTROL else [])
    parts = [f'<polyline points="{" ".join(road)}"/>' for road in roads.values()]
    for index, step, top1 in points:
        x, y = axes.x(index), axes.y(top1)
        title = escape(f"{model}, {title_of(step)}: {top1:.1f} %")
        radius = 5 if model == VOTE else 3.5
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{title}</title></circle>')
        if model == VOTE:
            parts.append(f'<text x="{x:.1f}" y="{y - 10:.1f}">{top1:.0f}</text>')
    return "".join(parts)


def legend(data: ReportData) -> str:
    """Return the names of the ladder plot's lines with their colours, as HTML."""
    items = [
        f'<span class="key"><i class="dot v{order % 6}"></i>{escape(model)}</span>'
        for order, model in enumerate(data.models)
    ]
    items += [f'<span class="key"><i class="dot {model}"></i>{model}</span>' for model in (MEAN, VOTE)]
    return f'<p class="legend">{"".join(items)}</p>'


def pseudo_plot(rounds: Sequence[PseudoRound]) -> str:
    """Return precision and coverage of the pseudo-labels of every round as pairs of bars."""
    axes, bar = _Axes(columns=len(rounds), step=130, height=200), 36
    parts = [axes.grid()]
    for index, entry in enumerate(rounds):
        x, name = axes.x(index), _short(entry.title)
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{axes.bottom + 20}">{escape(name)}</text>'
        )
        figures = (("precision", entry.precision), ("estimate", entry.estimated), ("coverage", entry.coverage))
        bars = [(style, value) for style, value in figures if value is not None]
        for place, (style, value) in enumerate(bars):
            left = x + (place - len(bars) / 2) * (bar + 4) + 2
            y, tall = axes.y(value), f"{axes.bottom - axes.y(value):.1f}"
            parts.append(
                f'<rect class="{style}" x="{left:.1f}" y="{y:.1f}" width="{bar}" height="{tall}" rx="2">'
                f"<title>{escape(entry.title)}, {style}: {value:.1f} %</title></rect>"
                f'<text class="value" x="{left + bar / 2:.1f}" y="{y - 5:.1f}">{value:.0f}</text>'
            )
    return _svg("pseudo", axes.right + 10, axes.bottom + 32, "Precision and coverage of the pseudo-labels", parts)


def curve_plot(curve: Curve, names: Sequence[str], width: int = 320, height: int = 150) -> str:
    """Return lines over epochs; the colour of a line is its place in `names`."""
    points = np.array([point for line in curve.lines.values() for point in line], dtype=np.float64).reshape(-1, 2)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    y0, y1 = (y0, y1) if y1 > y0 else (y0 - 0.5 * abs(y0) - 1e-9, y1 + 0.5 * abs(y1) + 1e-9)
    left, right, top, bottom = 52, width - 10, 26, height - 22

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * (x - x0) / max(x1 - x0, 1e-9), bottom - (bottom - top) * (y - y0) / (y1 - y0)

    parts = [f'<text class="tick" x="{left - 44}" y="14">{escape(curve.title)}</text>']
    for value in (y0, (y0 + y1) / 2, y1):
        y = place(x0, value)[1]
        parts.append(
            f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" text-anchor="end" x="{left - 6}" y="{y + 4:.1f}">{_number(value)}</text>'
        )
    for value, anchor in {x0: "start", x1: "end"}.items():
        x = place(value, y0)[0]
        parts.append(f'<text class="tick" text-anchor="{anchor}" x="{x:.1f}" y="{height - 6}">{value:.3g}</text>')
    for name, line in curve.lines.items():
        road = [place(*point) for point in line]
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in (road if len(road) < 30 else ()))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in road)
        tip = escape(f"{name}: last {line[-1][1]:.4g}")
        parts.append(f'<g class="v{names.index(name) % 6}"><title>{tip}</title><polyline points="{path}"/>{dots}</g>')
    return _svg("curve", width, height, f"{curve.title} of {curve.group}", parts)


def _number(value: float) -> str:
    """Return a number in at most six characters."""
    return f"{value:.3g}" if value == 0 or 0.01 <= abs(value) < 1e5 else f"{value:.0e}"


def confusion_plot(result: StepResult, class_names: Sequence[str], cell: int = 15) -> str:
    """Return a confusion matrix; rows are the truth, a cell's strength is its share of the row."""
    matrix_KK = np.asarray(result.confusion_KK)
    count = len(class_names)
    margin = 34
    side = margin + cell * count + 2
    total_K = np.maximum(matrix_KK.sum(axis=1), 1)
    parts = [f'<rect class="frame" x="{margin}" y="{margin}" width="{cell * count}" height="{cell * count}"/>']
    for index, name in enumerate(class_names):
        middle, short = margin + cell * (index + 0.5) + 3, escape(name[:5])
        parts.append(f'<text class="tiny" text-anchor="end" x="{margin - 3}" y="{middle:.1f}">{short}</text>')
        turned = f"translate({middle:.1f} {margin - 3}) rotate(-90)"
        parts.append(f'<text class="tiny" transform="{turned}">{short}</text>')
    for truth, label in zip(*np.nonzero(matrix_KK)):
        number = int(matrix_KK[truth, label])
        strength = 0.12 + 0.88 * number / total_K[truth]
        style = "right" if truth == label else "wrong"
        title = f"{class_names[truth]} labelled {class_names[label]}: {number}"
        parts.append(
            f'<rect class="{style}" x="{margin + cell * label}" y="{margin + cell * truth}" width="{cell}" '
            f'height="{cell}" fill-opacity="{strength:.2f}"><title>{escape(title)}</title></rect>'
        )
    return _svg("confusion", side, side, f"Confusion matrix of {title_of(result.step)}", parts)


def _svg(style: str, width: float, height: float, label: str, parts: list[str]) -> str:
    """Wrap the parts of a drawing."""
    return (
        f'<svg class="{style}" viewBox="0 0 {width:g} {height:g}" style="--w:{width:g}px" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def standalone(plot: str, style: str) -> str:
    """Return a drawing as the content of a file of its own, with its style sheet."""
    return plot.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f"><style>{style}</style>", 1
    )
