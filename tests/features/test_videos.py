"""Which videos belong to a view, where their features go, who does which."""

import os
import unicodedata

import pytest

from slowfast.features.videos import find_videos, parse_shard, share_of
from slowfast.utils.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ["user_1/Dash_1.mp4", "user_1/rear_1.MP4", "deep/er/user_2/DASHBOARD_2.avi", "Dash_0.mkv",
                 "user_1/Dash_notes.csv", "user_1/.Dash_hidden.mp4", "user_1/A_Dash.mp4"]:  # fmt: skip
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).write_bytes(b"x")
    return tmp_path / "videos"


def test_a_view_is_the_start_of_the_file_name(folder):
    found = find_videos(folder, "out", "dash")
    assert [video.name for video in found] == ["Dash_0.mkv", "deep/er/user_2/DASHBOARD_2.avi", "user_1/Dash_1.mp4"]
    assert [str(video.output) for video in found] == [
        "out/videos/Dash_0.npz", "out/user_2/DASHBOARD_2.npz", "out/user_1/Dash_1.npz"
    ]  # fmt: skip
    assert [video.name for video in find_videos(folder, "out", "REAR")] == ["user_1/rear_1.MP4"]
    assert len(find_videos(folder, "out")) == 5


def test_outputs_stay_below_the_output_folder(folder):
    found = find_videos(folder / "user_1" / "..", "out", "Dash_0")
    assert [str(video.output) for video in found] == ["out/videos/Dash_0.npz"]


def test_links_are_followed_once(folder):
    (folder / "user_1" / "round").symlink_to(folder, target_is_directory=True)
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "Dash_9.mp4").write_bytes(b"x")
    (folder / "linked").symlink_to(folder.parent / "elsewhere", target_is_directory=True)
    assert [video.name for video in find_videos(folder, "out", "Dash_9")] == ["linked/Dash_9.mp4"]
    assert len(find_videos(folder, "out")) == 6


def test_two_videos_never_share_an_output(folder):
    (folder / "user_1" / "Dash_1.avi").write_bytes(b"x")
    (folder / "second" / "user_1").mkdir(parents=True)
    (folder / "second" / "user_1" / "Dash_1.mp4").write_bytes(b"x")
    twins = {video.name: video.twin for video in find_videos(folder, "out", "Dash_1")}
    first = "second/user_1/Dash_1.mp4"
    assert twins == {first: "", "user_1/Dash_1.avi": first, "user_1/Dash_1.mp4": first}


def test_endings_of_all_kinds_and_what_is_left_out(tmp_path, caplog):
    for name in ("a.hevc", "b.ASF", "c.mxf", "d.qt", "e.y4m", "f.txt", "g", ".h.mp4"):
        (tmp_path / name).write_bytes(b"x")
    assert [video.name for video in find_videos(tmp_path, "out")] == ["a.hevc", "b.ASF", "c.mxf", "d.qt", "e.y4m"]
    assert "2 files are left out because of their ending: .txt (1), none (1)" in caplog.text


def test_nothing_found_is_one_sentence(folder, tmp_path):
    with pytest.raises(InputError, match="starts with --view 'Top'; there are Dash_0.mkv, DASHBOARD_2.avi"):
        find_videos(folder, "out", "Top")
    with pytest.raises(InputError, match="is no folder"):
        find_videos(tmp_path / "none", "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no video files"):
        find_videos(tmp_path / "empty", "out", "Dash")


@pytest.mark.parametrize("shards", [["1/2", "2/2"], ["0/2", "1/2"], ["1/1"], ["1/3", "2/3", "3/3"]])
def test_shards_are_disjoint_and_complete(folder, shards):
    videos = find_videos(folder, "out")
    parts = [share_of(videos, *parse_shard(shard)) for shard in shards]
    assert sorted(video.name for part in parts for video in part) == sorted(video.name for video in videos)


@pytest.mark.parametrize("text", ["", "1", "3/2", "1/0", "0/0", "a/b", "-1/2", "1/2/3", "1.5/2"])
def test_wrong_shards_are_refused(text):
    with pytest.raises(InputError, match="--shard"):
        parse_shard(text)


def test_views_and_names_in_any_form(folder):
    apart, composed = (unicodedata.normalize(form, "Rück") for form in ("NFD", "NFC"))
    (folder / "user_1" / f"{apart}_1.mp4").write_bytes(b"x")
    (folder / "user_1" / os.fsdecode(b"Dash_\xe9.mp4")).write_bytes(b"x")
    assert [video.name for video in find_videos(folder, "out", composed)] == [f"user_1/{apart}_1.mp4"]
    assert "user_1/Dash_\\xe9.mp4" in [video.name for video in find_videos(folder, "out", "Dash")]
