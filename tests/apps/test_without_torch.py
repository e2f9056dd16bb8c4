"""Pseudo-labels and the vote run on a machine without torch."""

import subprocess
import sys


def test_selection_and_vote_import_without_torch(repo):
    script = "import sys; sys.modules['torch'] = None; import slowfast.apps.selection, slowfast.apps.vote"
    done = subprocess.run([sys.executable, "-c", script], cwd=repo, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
