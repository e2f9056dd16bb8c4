"""Figures of a run as numbers, text and one self-contained page; needs NumPy, Pillow and Jinja2, not torch."""

from slowfast.report.confusion import write_confusion
from slowfast.report.data import ClipExample, Curve, Heat, LadderRow, PseudoRound, ReportData, StepResult
from slowfast.report.html import write_report
from slowfast.report.measures import per_class_accuracy
from slowfast.report.text import ladder_table

__all__ = [
    "ClipExample",
    "Curve",
    "Heat",
    "LadderRow",
    "PseudoRound",
    "ReportData",
    "StepResult",
    "ladder_table",
    "per_class_accuracy",
    "write_confusion",
    "write_report",
]
