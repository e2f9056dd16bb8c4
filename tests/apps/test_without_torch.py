"""Pseudo-labels and the vote run on a machine without torch."""

import subprocess
import sys


def test_selection_and_vote_import_without_torch(repo):
    names = ("selection", "vote", "formats.exchange", "report.make", "review.server", "review.export")
    modules = ", ".join(f"slowfast.apps.{name}" for name in names)
    script = f"import sys; sys.modules['torch'] = None; import {modules}"
    done = subprocess.run([sys.executable, "-c", script], cwd=repo, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
