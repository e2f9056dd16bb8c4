"""A small table under review, its clips, and its server."""

import threading

import pytest

from slowfast.apps.review.films import Films
from slowfast.apps.review.server import ReviewServer
from slowfast.apps.review.state import open_review

from ..report.schedule import make_schedule


@pytest.fixture(scope="session")
def schedule_with_clips(tmp_path_factory):
    """The folder of a schedule with clips, which no test changes."""
    root = tmp_path_factory.mktemp("review") / "run"
    make_schedule(root)
    return root


@pytest.fixture
def table(schedule_with_clips, tmp_path):
    """A table of 30 rows with its record, without any decision."""
    for ending in ("csv", "json"):
        source = schedule_with_clips / "data" / "pseudo" / f"stage2.{ending}"
        (tmp_path / f"labels.{ending}").write_bytes(source.read_bytes())
    return tmp_path / "labels.csv"


@pytest.fixture
def voters(schedule_with_clips):
    """Prediction files of two voters."""
    return sorted((schedule_with_clips / "exp_pseudo_stage1").glob("*/total_unlabelx4x32x1x1.pkl"))


@pytest.fixture
def serve(schedule_with_clips):
    """Starts a server of a table; all of them end with the test."""
    servers = []

    def start(table, predictions=()):
        review = open_review(table, predictions)
        videos = schedule_with_clips / "data" / "dark"
        server = ReviewServer(review, Films([str(videos / name) for name in review.table.names], 0.25), "Review")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
