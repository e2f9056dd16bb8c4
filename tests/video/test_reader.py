"""What is no readable file is refused before a decoder touches it."""

import os

import pytest

from slowfast.utils.errors import InputError
from slowfast.video import VideoError, open_video


def refusal(path) -> str:
    with pytest.raises(VideoError) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    return caught.value.reason


def test_missing_file(tmp_path):
    assert "does not exist" in refusal(tmp_path / "none.mp4")


def test_folder_with_a_video_name(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    assert "folder" in refusal(tmp_path / "a.mp4")


def test_named_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    assert "pipe" in refusal(tmp_path / "a.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_no_permission(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"1234")
    path.chmod(0)
    assert "cannot be opened" in refusal(path)


def test_play_list_cannot_reach_other_files(tmp_path):
    other = tmp_path / "secret.mp4"
    other.write_bytes(b"\0" * 100)
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n{other}\n")
    assert "text file" in refusal(path)


def test_name_with_a_zero_byte():
    with pytest.raises(VideoError):
        open_video("a\0b.mp4")


def test_unknown_backend(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\1\2\3")
    with pytest.raises(InputError, match="DATA.DECODING_BACKEND"):
        open_video(path, "opencv")
