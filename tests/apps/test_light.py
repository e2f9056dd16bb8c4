"""Light or dark is measured per clip."""

import pytest

from slowfast.apps.light import choose_light
from slowfast.config import get_cfg
from slowfast.utils.errors import InputError


def test_every_clip_gets_the_gamma_of_its_light(clips, tmp_path):
    cfg = get_cfg()
    (tmp_path / "broken.mp4").write_bytes(b"\0" * 99)
    dark, light, broken = choose_light(cfg, [clips / "clip 0.mp4", clips / "clip 6.mp4", tmp_path / "broken.mp4"])
    assert dark.gamma == 0.25 and dark.luma < 55 and dark.reason.startswith("dark, mean grey")
    assert light.gamma == 1.0 and light.luma > 55 and light.reason.endswith("gamma 1 (off)")
    assert broken.luma is None and broken.reason == ""
    assert [choice.gamma for choice in choose_light(cfg, [clips / "clip 0.mp4"], 0.5)] == [0.5]
    with pytest.raises(InputError, match="--gamma is 0.0"):
        choose_light(cfg, [clips / "clip 0.mp4"], 0.0)
