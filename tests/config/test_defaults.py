"""Default values: upstream's where the key is upstream's, one comment each, every key read somewhere."""

import json
import re

from slowfast.config import flatten, get_cfg
from slowfast.config.legacy import is_legacy


def recorded(golden) -> dict:
    """Upstream's defaults by dotted key."""
    return {key: entry["value"] for key, entry in json.loads((golden / "defaults.json").read_text()).items()}


def test_every_upstream_key_is_known_or_accepted(golden):
    upstream, own = recorded(golden), flatten(get_cfg())
    assert len(upstream) == 300
    assert [key for key in upstream if key not in own and not is_legacy(key)] == []


def test_no_key_is_both_known_and_legacy():
    assert [key for key in flatten(get_cfg()) if is_legacy(key)] == []


def test_shared_keys_have_upstreams_default(golden):
    upstream, own = recorded(golden), flatten(get_cfg())
    different = {key: own[key] for key in own if key in upstream and own[key] != upstream[key]}
    assert different == {"DATA.PATH_PREFIX": "data"}


def test_every_key_has_one_comment(repo):
    lines = (repo / "slowfast" / "config" / "defaults.py").read_text().splitlines()
    settings = [line for line in lines if re.match(r"_C\.[\w.]+ = (?!CN\(\))", line)]
    assert len(settings) >= len(flatten(get_cfg()))
    assert [line for line in settings if "  # " not in line and not line.endswith("(")] == []


def test_calls_do_not_share_state():
    first, second = get_cfg(), get_cfg()
    first.DATA.MEAN[0] = 9.0
    first.RNG_SEED = 9
    assert second.DATA.MEAN[0] == 0.45 and second.RNG_SEED == 1
