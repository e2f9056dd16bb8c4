"""What is looked at before a run: odd lists are told, though the run goes on."""

import pytest

from slowfast.config import load_config
from slowfast.engine.preflight import check_inputs
from slowfast.utils.errors import InputError

from .tiny import CONFIG, make_data


def test_train_and_test_of_the_same_clips_are_told(tmp_path, caplog):
    make_data(tmp_path / "data")
    base = ["DATA.PATH_PREFIX", str(tmp_path / "data"), "TEST.DATA_SELECT", "own", "TRAIN.CHECKPOINT_FILE_PATH", ""]
    light = list(load_config(CONFIG).DATA.SPLITS.train_label)
    check_inputs(load_config(CONFIG, [*base, "DATA.SPLITS.own", str([*light[:2], "light"])]), tmp_path / "out")
    assert "clips of the split own are trained on" in caplog.text


@pytest.mark.parametrize("decoder", ["decord", "torchcodec"])
def test_a_decoder_that_is_not_installed_is_told_before_anything_starts(decoder, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("slowfast.video.torchcodec.why_unavailable", lambda: "no FFmpeg")
    make_data(tmp_path / "data")
    base = ["DATA.PATH_PREFIX", str(tmp_path / "data"), "TRAIN.CHECKPOINT_FILE_PATH", ""]
    with pytest.raises(InputError, match=f"^{decoder} [^;]*DATA.DECODING_BACKEND pyav$"):  # once, not for every list
        check_inputs(load_config(CONFIG, [*base, "DATA.DECODING_BACKEND", decoder]), tmp_path / "out")
