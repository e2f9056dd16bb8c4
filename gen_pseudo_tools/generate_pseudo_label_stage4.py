"""Pseudo-labels of stage 4 from the predictions of the round before."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slowfast.apps.stages import run_stage

if __name__ == "__main__":
    run_stage(4)
