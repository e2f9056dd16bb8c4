import shlex
import sys

import pytest


@pytest.fixture(scope="session")
def stub_schedule():
    """From voters and rounds to a schedule whose commands are calls of `stub.py`; the first voter is the expert."""

    def schedule(voters: list[str], rounds: int) -> dict:
        python = f"{shlex.quote(sys.executable)} stub.py"
        return {
            "root": "out", "data": "out/data", "voters": voters, "experts": voters[:1], "rounds": rounds,
            "frames": 4, "crop": 8, "data_ready": "ready", "make_data": f"{python} data {{data}} ready",
            "train": f"{python} train {{out}} total_unlabelx4x8x1x1.pkl testx4x8x3x3.pkl",
            "select": f"{python} select {{data}}/pseudo stage{{stage}}.csv",
            "vote": f"{python} vote {{root}}/submission arid_pred.csv", "disk": "ignore", "keep_cache": True,
        }  # fmt: skip

    return schedule
