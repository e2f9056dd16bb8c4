"""Golden networks and a tiny data set that trains in seconds."""

import importlib.util
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
