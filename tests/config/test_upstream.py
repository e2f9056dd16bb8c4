"""Upstream's own YAML text and override lines of the 21 experiments load and give upstream's values."""

import json
import logging

import pytest
import yaml

from slowfast.config import flatten, get_cfg, load_config
from slowfast.config.legacy import is_legacy


@pytest.fixture(scope="module")
def recorded(golden):
    return json.loads((golden / "experiments.json").read_text())


def leaves(tree: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in tree.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return flat


def upstream_yaml(entry: dict) -> str:
    """Return the text of an experiment's own YAML file, made from its keys and the resolved values."""
    values = leaves(entry["resolved_run"])
    tree: dict = {}
    for key in entry["config_yaml_keys"]:
        *sections, leaf = key.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[leaf] = values[key]
    return yaml.safe_dump(tree)


def test_yaml_and_override_lines_load(recorded, tmp_path, caplog):
    known = flatten(get_cfg())
    for name, entry in recorded.items():
        if name == "_about":
            continue
        path = tmp_path / f"{name.replace('/', '_')}.yaml"
        path.write_text(upstream_yaml(entry))
        expected = leaves(entry["resolved_run"])
        for lines, changed in (
            ("run_overrides", {}),
            ("test_overrides", entry["resolved_test_diff_to_run"]),
        ):
            opts = [part for pair in entry[lines].items() for part in pair]
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                values = flatten(load_config(path, opts))
            wanted = {key: value for key, value in (expected | changed).items() if key in known}
            assert {key: (values[key], value) for key, value in wanted.items() if values[key] != value} == {}, name
            assert len(caplog.records) == 1
            mentioned = caplog.records[0].getMessage()
            for key in entry["config_yaml_keys"]:
                assert (key in mentioned.split()) == is_legacy(key), key
