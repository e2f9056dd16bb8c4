"""The ladder for the terminal."""

from slowfast.report import LadderRow, ladder_table


def test_one_line_per_step_and_views():
    rows = [
        LadderRow("gamma", "a", 1, 1, 40.0),
        LadderRow("gamma", "long_name", 1, 1, 9.96),
        LadderRow("gamma", "mean", 1, 1, 24.98),
        LadderRow("gamma", "vote", 1, 1, 45.04),
        LadderRow("ensemble", "vote", 3, 3, 100.0),
    ]
    assert ladder_table(rows).splitlines() == [
        "step      views     a  long_name  mean   vote",
        "---------------------------------------------",
        "gamma     1x1    40.0       10.0  25.0   45.0",
        "ensemble  3x3                           100.0",
    ]
