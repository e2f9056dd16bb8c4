"""Pages from templates: one file that needs no network and no other file. Names are text, never markup.

Legend: K classes.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from slowfast.report.data import MEAN, STEPS, VOTE, ReportData, title_of
from slowfast.report.images import data_uri, film_strip
from slowfast.report.svg import CONTROL, confusion_plot, curve_plot, ladder_plot, legend, pseudo_plot
from slowfast.utils.files import write_text
from slowfast.utils.progress import format_seconds

TEMPLATES = Path(__file__).parent / "templates"
# With more classes a matrix on a page is a grey square; its CSV holds the counts.
LARGEST_MATRIX = 60


def render(template: str, *, script: str, values: Any, folders: Sequence[Path] = (), **content: Any) -> str:
    """Return a page as text: a template of `folders` or of the report, filled with `content`.

    `script`, a file beside it, is the only script that the page runs; it reads `values` (plain types; None: no script).
    """
    loader = jinja2.FileSystemLoader([*folders, TEMPLATES])
    pages = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters.update(
        seconds=format_seconds, title_of=title_of, strip=lambda frames_THWC: data_uri(film_strip(frames_THWC))
    )
    text = loader.get_source(pages, script)[0]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    script_hash = "'none'" if values is None else f"'sha256-{digest}'"
    content |= {"script": Markup(text), "script_hash": Markup(script_hash), "values": values}
    return pages.get_template(template).render(**content)


def write_report(path: str | Path, data: ReportData) -> None:
    """Write the page to `path`; it appears whole or not at all.

    Args:
        path: the HTML file.
        data: what it shows; a section without content is left out.
    """
    values = {"classes": data.class_names, "voters": data.voters, "clips": data.films} if data.films else None
    sections = [
        ("notes", "What is missing", data.notes),
        ("ladder", "The ladder", data.ladder),
        ("labels", "Pseudo-labels", data.rounds),
        ("agreement", "Agreement", data.heats),
        ("classes", "Class by class", data.steps),
        ("curves", "Curves", data.curves),
        ("films", "Clips", data.films),
        ("clips", "Clips", data.clips),
        ("time", "Time", data.seconds),
        ("settings", "Settings", data.settings),
    ]
    content = {**_ladder(data), **_rounds(data), **_classes(data), **_curves(data), **_times(data)}
    content |= {"data": data, "title": data.title, "numbers": data.numbers or _numbers(data)}
    content["sections"] = [(anchor, title) for anchor, title, shown in sections if shown]
    write_text(path, render("page.html", script="page.js", values=values, **content))


def _numbers(data: ReportData) -> list[tuple[str, str]]:
    """Return the headline figures."""
    figures = [
        (data.top1("source_only", MEAN), "source networks on dark clips (mean)"),
        (data.top1("adapt_bn_gamma", MEAN), "with gamma and adapted BatchNorm (mean)"),
        (data.top1("pseudo_4", MEAN), "after four pseudo-label rounds (mean)"),
        (data.top1("ensemble", VOTE), "final vote of five networks"),
    ]
    return [(f"{value:.1f} %", text) for value, text in figures if value is not None]


def _ladder(data: ReportData) -> dict[str, Any]:
    """Return plot, table and explanations of the steps; steps with one text share an entry."""
    named = {row.step for row in data.ladder}
    titles: dict[str, list[str]] = {}
    for step in STEPS:
        if step.name in named:
            titles.setdefault(step.text, []).append(step.title)
    return {
        "models": [*data.models, MEAN, VOTE],
        "cells": {(row.step, row.views, row.crops, row.model): row.top1 for row in data.ladder},
        "rungs": list(dict.fromkeys((row.step, row.views, row.crops) for row in data.ladder)),
        "explanations": [
            (group[0] if len(group) == 1 else f"{group[0]} to {group[-1].split()[-1]}", text)
            for text, group in titles.items()
        ],
        "ladder_plot": ladder_plot(data),
        "legend": legend(data),
        "control": CONTROL if CONTROL in named else None,
    }


def _rounds(data: ReportData) -> dict[str, Any]:
    """Return quality and quantity of the pseudo-labels per round and class."""
    tables = (
        ("Precision by given label", "precision_K"),
        ("Coverage by true class", "coverage_K"),
        ("Class shares", "shares_K"),
    )
    heats = [
        (title, {entry.title: getattr(entry, name) for entry in data.rounds if getattr(entry, name) is not None})
        for title, name in tables
    ]
    return {
        "round_heats": [(title, columns) for title, columns in heats if columns],
        "measured": any(entry.precision is not None for entry in data.rounds),
        "estimated": any(entry.estimated is not None for entry in data.rounds),
        "changes": [entry for entry in data.rounds if entry.changes],
        "pseudo_plot": pseudo_plot(data.rounds),
    }


def _classes(data: ReportData) -> dict[str, Any]:
    """Return accuracy per class and confusion matrices of every step's vote."""
    few = len(data.class_names) <= LARGEST_MATRIX
    return {
        "per_class": {title_of(result.step): np.asarray(result.per_class_K).tolist() for result in data.steps},
        "matrices": [
            (result.step, data.top1(result.step, VOTE), confusion_plot(result, data.class_names))
            for result in data.steps
            if few
        ],
    }


def _curves(data: ReportData) -> dict[str, Any]:
    """Return the plots of every group of runs; a line has one colour on the whole page."""
    lines = list(dict.fromkeys(name for curve in data.curves for name in curve.lines))
    groups: dict[str, list[str]] = {}
    for curve in data.curves:
        groups.setdefault(curve.group, []).append(curve_plot(curve, lines))
    return {"curves": list(groups.items()), "curve_lines": lines}


def _times(data: ReportData) -> dict[str, Any]:
    """Return the durations summed by kind of job, and all of them; `wall` is the time of the whole run."""
    jobs = {name: seconds for name, seconds in data.seconds.items() if name != "wall"}
    kinds: dict[str, float] = {}
    for name, seconds in jobs.items():
        kind = name.split("-")[0]
        kinds[kind] = kinds.get(kind, 0.0) + seconds
    return {"jobs": jobs, "kinds": kinds}
