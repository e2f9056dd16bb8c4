"""Figures of a run as numbers, text and one self-contained page; needs NumPy and Pillow, not torch."""

from slowfast.report.data import ClipExample, LadderRow, PseudoRound, ReportData, StepResult
from slowfast.report.html import write_report
from slowfast.report.measures import per_class_accuracy
from slowfast.report.text import ladder_table

__all__ = [
    "ClipExample",
    "LadderRow",
    "PseudoRound",
    "ReportData",
    "StepResult",
    "ladder_table",
    "per_class_accuracy",
    "write_report",
]
