import pytest

from slowfast.lists.names import check_unique, video_key
from slowfast.utils.errors import InputError


def test_two_names_of_one_video():
    assert len({video_key(name) for name in ("x.mp4", "./x.mp4", "a/../x.mp4", ".//x.mp4")}) == 1
    assert video_key("a/x.mp4") != video_key("x.mp4") and video_key("..x.mp4") == "..x.mp4"
    check_unique(["x.mp4", "a/x.mp4"], "l.csv")
    with pytest.raises(InputError, match="'./x.mp4' stands twice \\(there as 'x.mp4'\\), again in row 2"):
        check_unique(["x.mp4", "./x.mp4"], "l.csv")
