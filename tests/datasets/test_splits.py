import json
from pathlib import Path

import pytest

from slowfast.config import get_cfg
from slowfast.datasets.splits import check_role, resolve_split
from slowfast.utils.errors import InputError


def test_golden_splits(golden):
    facts = json.loads((golden / "data/facts.json").read_text())["splits"]
    splits = get_cfg().DATA.SPLITS
    for name, fact in facts.items():
        split = resolve_split(name, splits, Path("/root"), "pseudo/stage1.csv")
        expected = "pseudo/stage1.csv" if fact["csv"] == "DATA.PSEUDO_CSV" else fact["csv"]
        folder = fact["video_folder"]
        folder = folder["ug2"] if isinstance(folder, dict) else folder
        assert (split.list_path, split.folder) == (Path("/root") / expected, Path("/root") / folder)


def test_refusals():
    splits = get_cfg().DATA.SPLITS
    with pytest.raises(InputError, match="'vall' is unknown, DATA.SPLITS has train_label"):
        resolve_split("vall", splits, Path("/root"))
    with pytest.raises(InputError, match="DATA.PSEUDO_CSV"):
        resolve_split("train_pseudo_label", splits, Path("/root"))
    with pytest.raises(InputError, match="role"):
        check_role("dark")
    assert check_role("VAL_DARK") == "val_dark"
