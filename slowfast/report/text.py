"""The ladder as a table for the terminal."""

from collections.abc import Sequence

from slowfast.report.data import MEAN, VOTE, LadderRow


def ladder_table(ladder: Sequence[LadderRow]) -> str:
    """Return the accuracies as text: one line per step and number of views, one column per model."""
    models = list(dict.fromkeys(row.model for row in ladder if row.model not in (MEAN, VOTE)))
    columns = [*models, MEAN, VOTE]
    cells = {(row.step, row.views, row.crops, row.model): f"{row.top1:.1f}" for row in ladder}
    lines = [["step", "views", *columns]]
    for step, views, crops in dict.fromkeys((row.step, row.views, row.crops) for row in ladder):
        lines.append([step, f"{views}x{crops}", *(cells.get((step, views, crops, model), "") for model in columns)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = []
    for line in lines:
        padded = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        text.append("  ".join(padded).rstrip())
    text.insert(1, "-" * len(text[0]))
    return "\n".join(text)
