import pytest

from slowfast.lists.endings import ENDINGS, find_files
from slowfast.utils.errors import InputError


def test_what_is_left_out_is_told(tmp_path, caplog):
    for name in ("a.MP4", "b/c.y4m", "b/notes.csv", "b/d.csv", ".hidden.mp4", "README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_files(tmp_path) == [tmp_path / "a.MP4", tmp_path / "b/c.y4m"]
    assert "3 files are left out because of their ending: .csv (2), none (1)" in caplog.text
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no video files"):
        find_files(tmp_path / "empty")
    assert {".hevc", ".asf", ".mxf", ".qt", ".y4m", ".m2ts"} <= ENDINGS
