"""Golden networks and a tiny data set that trains in seconds."""

import importlib.util
import socket
import sys

import pytest

from slowfast.config import flatten, get_cfg
from slowfast.models import build_model


@pytest.fixture(scope="session")
def golden_module(golden):
    """The reference module that fills weights and inputs from names and seeds."""
    spec = importlib.util.spec_from_file_location("golden_reference", golden / "golden.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["golden_reference"] = module
    spec.loader.exec_module(module)
    return module


def build_from(resolved: dict, overrides: dict):
    """Build a network from recorded values, leaving keys without effect out."""
    cfg = get_cfg()
    known = flatten(cfg)
    for key, value in {**resolved, **overrides}.items():
        if key in known:
            node = cfg
            *sections, leaf = key.split(".")
            for section in sections:
                node = node[section]
            node[leaf] = value
    return cfg, build_model(cfg)


@pytest.fixture(scope="session")
def build():
    return build_from


@pytest.fixture(scope="session")
def data(tiny, tmp_path_factory):
    """The tiny data set."""
    return tiny.make_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture
def run(server, data, tmp_path):
    """Run in `tmp_path / folder` and return the exit status; `log(folder)` is what it said."""

    def run(folder, *opts, fault="", limit=600.0, env=None):
        argv = ["OUTPUT_DIR", tmp_path / folder, "DATA.PATH_PREFIX", data, *opts]
        return server.wait(server.start(tmp_path / f"{folder}.log", argv, fault, env), limit)

    run.log = lambda folder: (tmp_path / f"{folder}.log").read_text()
    return run


@pytest.fixture
def pair(server, data, tmp_path):
    """Run with two processes that meet over gloo; return both exit statuses; `log(folder, rank)` is what one said."""

    def pair(folder, *opts, faults=("", ""), limit=600.0):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        argv = ["OUTPUT_DIR", tmp_path / folder, "DATA.PATH_PREFIX", data, *opts]
        meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        pids = []
        for rank in (0, 1):
            env = {**meeting, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            pids.append(server.start(tmp_path / f"{folder}.{rank}.log", argv, faults[rank], env))
        return [server.wait(pid, limit) for pid in pids]

    pair.log = lambda folder, rank=0: (tmp_path / f"{folder}.{rank}.log").read_text()
    return pair
