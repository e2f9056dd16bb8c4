import pytest

from slowfast.lists.names import Names, check_unique, video_key
from slowfast.utils.errors import InputError


def test_two_names_of_one_video():
    assert len({video_key(name) for name in ("x.mp4", "./x.mp4", "a/../x.mp4", ".//x.mp4")}) == 1
    assert video_key("a\\x.mp4") == video_key(r".\a\x.mp4") == "a/x.mp4" and video_key("e\u0301") == video_key("\u00e9")
    assert video_key("a/x.mp4") != video_key("x.mp4") and video_key("..x.mp4") == "..x.mp4"
    check_unique(["x.mp4", "a/x.mp4"], "l.csv")
    with pytest.raises(InputError, match="'./x.mp4' stands twice \\(there as 'x.mp4'\\), again in row 2"):
        check_unique(["x.mp4", "./x.mp4"], "l.csv")


def test_packed_names_are_a_sequence():
    names = Names(["a", "跑.mp4", "", "b"])
    assert len(names) == 4 and list(names) == ["a", "跑.mp4", "", "b"] == names and names != ["a"] and names != "a"
    assert names[-1] == "b" and names[1:] == ["跑.mp4", "", "b"] and names.index("b") == 3 and "跑.mp4" in names
    with pytest.raises(IndexError):
        names[4]
