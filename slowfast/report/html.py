"""The report: one page that needs no network and no other file. Legend: K classes."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from slowfast.report.data import MEAN, STEPS, VOTE, ClipExample, Guess, ReportData, title_of
from slowfast.report.images import data_uri, film_strip
from slowfast.report.style import STYLE
from slowfast.report.svg import CONTROL, confusion_plot, ladder_plot, legend, pseudo_plot
from slowfast.utils.files import write_text
from slowfast.utils.progress import format_seconds


def write_report(path: str | Path, data: ReportData) -> None:
    """Write the page to `path`; it appears whole or not at all.

    Args:
        path: the HTML file.
        data: what it shows; a section without content is left out.
    """
    sections = [
        ("ladder", "The ladder", _ladder(data), data.ladder),
        ("labels", "Pseudo-labels", _pseudo_labels(data), data.rounds),
        ("classes", "Class by class", _classes(data), data.steps),
        ("clips", "Clips", _clips(data), data.clips),
        ("time", "Time", _time(data), data.seconds),
        ("settings", "Settings", _settings(data), data.settings),
    ]
    shown = [section for section in sections if section[3]]
    links = "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title, *_ in shown)
    body = "".join(f'<section id="{anchor}"><h2>{title}</h2>{text}</section>' for anchor, title, text, _ in shown)
    write_text(
        path,
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(data.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<header><h1>{escape(data.title)}</h1><p class="lead">From labelled clips in normal light and unlabelled dark '
        "clips to labels for the dark: what every step of the method adds, measured on a dark test set on which "
        f"nothing was chosen.</p>{_numbers(data)}<nav>{links}</nav></header>\n{body}\n</main>\n</body>\n</html>\n",
    )


def _numbers(data: ReportData) -> str:
    """Return the headline figures."""
    figures = [
        (data.top1("source_only", MEAN), "source networks on dark clips (mean)"),
        (data.top1("adapt_bn_gamma", MEAN), "with gamma and adapted BatchNorm (mean)"),
        (data.top1("pseudo_4", MEAN), "after four pseudo-label rounds (mean)"),
        (data.top1("ensemble", VOTE), "final vote of five networks"),
    ]
    boxes = [f"<div><b>{value:.1f} %</b><span>{text}</span></div>" for value, text in figures if value is not None]
    return f'<div class="numbers">{"".join(boxes)}</div>'


def _ladder(data: ReportData) -> str:
    """Return plot, table and explanations of the steps."""
    models = [*data.models, MEAN, VOTE]
    cells = {(row.step, row.views, row.crops, row.model): row.top1 for row in data.ladder}
    head = "".join(f'<th class="{model if model == VOTE else ""}">{escape(model)}</th>' for model in models)
    rows = []
    for step, views, crops in dict.fromkeys((row.step, row.views, row.crops) for row in data.ladder):
        values = []
        for model in models:
            top1 = cells.get((step, views, crops, model))
            style = model if model in (MEAN, VOTE) else ""
            values.append(f'<td class="{style}">{"" if top1 is None else f"{top1:.1f}"}</td>')
        title = escape(title_of(step))
        style = ' class="control"' if step == CONTROL else ""
        rows.append(f"<tr{style}><td>{title}</td><td>{views} x {crops}</td>{''.join(values)}</tr>")
    return (
        "<p>Top-1 accuracy in percent. Dots are single networks, the dashed line is their mean, the thick line their "
        "vote (the mean of their probabilities). The shaded control does without pseudo-labels.</p>"
        f'<div class="card">{ladder_plot(data)}{legend(data)}</div>'
        f'<div class="card"><table><thead><tr><th>step</th><th>views</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        f'<h3>What each step does</h3><dl class="steps">{_explanations(data)}</dl>'
    )


def _explanations(data: ReportData) -> str:
    """Return what the steps of the ladder do; steps with one text share an entry."""
    named = {row.step for row in data.ladder}
    titles: dict[str, list[str]] = {}
    for step in STEPS:
        if step.name in named:
            titles.setdefault(step.text, []).append(step.title)
    entries = []
    for text, group in titles.items():
        title = group[0] if len(group) == 1 else f"{group[0]} to {group[-1].split()[-1]}"
        entries.append(f"<div><dt>{escape(title)}</dt><dd>{escape(text)}</dd></div>")
    return "".join(entries)


def _pseudo_labels(data: ReportData) -> str:
    """Return quality and quantity of the pseudo-labels per round and class."""
    rows = [
        f"<tr><td>round {entry.stage}</td><td>{entry.selected}</td><td>{entry.pool}</td>"
        f"<td>{entry.coverage:.1f}</td><td>{entry.precision:.1f}</td></tr>"
        for entry in data.rounds
    ]
    tables = []
    for title, name in (("Precision by given label", "precision_K"), ("Coverage by true class", "coverage_K")):
        values = {f"round {entry.stage}": getattr(entry, name) for entry in data.rounds}
        tables.append(f'<div class="card"><h3>{title}, %</h3>{_heat_table(data.class_names, values)}</div>')
    return (
        "<p>Before each round the voters label the unlabelled dark pool and keep what they trust. Precision is the "
        "share of right ones among the kept labels, coverage the share of the pool that was kept. The pool's truth is "
        "used for this measurement only.</p>"
        f'<div class="two"><div class="card">{pseudo_plot(data.rounds)}<p class="legend"><span class="key">'
        '<i class="dot precision"></i>precision, %</span><span class="key"><i class="dot coverage"></i>coverage, %'
        "</span></p></div>"
        '<div class="card"><table><thead><tr><th></th><th>kept</th><th>pool</th><th>coverage, %</th>'
        f"<th>precision, %</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>{''.join(tables)}</div>"
    )


def _classes(data: ReportData) -> str:
    """Return accuracy per class and confusion matrices of every step's vote."""
    values = {title_of(result.step): result.per_class_K for result in data.steps}
    figures = []
    for result in data.steps:
        top1 = data.top1(result.step, VOTE)
        accuracy = "" if top1 is None else f" <span>{top1:.1f} %</span>"
        figures.append(
            f"<figure><figcaption>{escape(title_of(result.step))}{accuracy}</figcaption>"
            f"{confusion_plot(result, data.class_names)}</figure>"
        )
    return (
        "<p>The fused prediction of every step, class by class: the share of each class that was recognised, in "
        f'percent.</p><div class="card">{_heat_table(data.class_names, values, turned=True)}</div>'
        "<h3>Confusion matrices</h3><p>Rows are the truth, columns the label given; green is right, red is wrong, "
        "and a stronger colour is a larger share of the row. Point at a cell for its count.</p>"
        f'<div class="card matrices">{"".join(figures)}</div>'
    )


def _heat_table(class_names: Sequence[str], columns: dict[str, np.ndarray], turned: bool = False) -> str:
    """Return a table of percentages with one shaded row per class; `turned` slants the column names."""
    wrap = ('<th class="turned"><div>', "</div></th>") if turned else ('<th class="heat">', "</th>")
    head = "".join(f"{wrap[0]}{escape(name)}{wrap[1]}" for name in columns)
    rows = []
    for index, name in enumerate(class_names):
        cells = [_heat_cell(float(values_K[index])) for values_K in columns.values()]
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _heat_cell(percent: float) -> str:
    """Return a table cell shaded by its value."""
    if np.isnan(percent):
        return '<td class="heat note">none</td>'
    return f'<td class="heat" style="background:rgb(var(--heat) / {0.65 * percent / 100:.2f})">{percent:.0f}</td>'


def _clips(data: ReportData) -> str:
    """Return example clips before and after gamma with truth and labels."""
    cards = "".join(_clip(clip, data.class_names) for clip in data.clips)
    return (
        "<p>Dark test clips drawn at random, at least one of every class where there are enough: left as recorded, "
        "right after gamma. Below, the label and confidence of the source networks and those of the last step.</p>"
        f'<div class="clips">{cards}</div>'
    )


def _clip(clip: ClipExample, class_names: Sequence[str]) -> str:
    """Return one card."""
    films = "".join(
        _film(frames_THWC, f"{clip.name}, {what}")
        for frames_THWC, what in ((clip.dark_THWC, "as recorded"), (clip.bright_THWC, "after gamma"))
    )
    return (
        f'<article class="clip"><div class="pair">{films}</div><dl>'
        f"<dt>{escape(clip.name)}</dt><dd><b>{escape(class_names[clip.truth])}</b></dd>"
        f"<dt>source networks</dt>{_guess(clip.before, clip.truth, class_names)}"
        f"<dt>final</dt>{_guess(clip.after, clip.truth, class_names)}</dl></article>"
    )


def _film(frames_THWC: np.ndarray, label: str) -> str:
    """Return frames as a strip that the style sheet plays."""
    count, height, width, _ = frames_THWC.shape
    still = " still" if count == 1 else ""
    return (
        f'<div class="film{still}" role="img" aria-label="{escape(label)}" style="--n:{count};--ratio:{width}/{height};'
        f'--img:url({data_uri(film_strip(frames_THWC))})"></div>'
    )


def _guess(guess: Guess, truth: int, class_names: Sequence[str]) -> str:
    """Return a label with its confidence, marked right or wrong."""
    if guess.label < 0:
        return '<dd class="no">not read</dd>'
    style, mark = ("ok", "&#10003;") if guess.label == truth else ("no", "&#10007;")
    return f'<dd class="{style}">{escape(class_names[guess.label])} {100 * guess.confidence:.0f} % {mark}</dd>'


def _time(data: ReportData) -> str:
    """Return the durations summed by kind of job, and all of them; `wall` is the time of the whole run."""
    jobs = {name: seconds for name, seconds in data.seconds.items() if name != "wall"}
    kinds: dict[str, float] = {}
    for name, seconds in jobs.items():
        kind = name.split("-")[0]
        kinds[kind] = kinds.get(kind, 0.0) + seconds
    wall = f"The whole run took {format_seconds(data.seconds['wall'])}. " if "wall" in data.seconds else ""
    return (
        f"<p>{wall}Time per kind of job; jobs run side by side, so the whole run is shorter than their sum.</p>"
        f'<div class="card">{_bars(kinds)}<details><summary>every job</summary>{_bars(jobs)}</details></div>'
    )


def _bars(seconds: dict[str, float]) -> str:
    """Return a table of durations with bars."""
    most = max([*seconds.values(), 1e-9])
    rows = [
        f'<tr><td>{escape(name)}</td><td>{format_seconds(value)}</td><td class="wide">'
        f'<span class="bar" style="width:{100 * value / most:.1f}%"></span></td></tr>'
        for name, value in seconds.items()
    ]
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _settings(data: ReportData) -> str:
    """Return what was run."""
    rows = [f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in data.settings.items()]
    return f'<div class="card"><table><tbody>{"".join(rows)}</tbody></table></div>'
