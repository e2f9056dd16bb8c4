"""Data sets of datumaro: samples exported by datumaro 1.13.12."""

import json
from pathlib import Path

import pytest

from slowfast.apps.formats.clip import Clip, Export, Options, Segment
from slowfast.apps.formats.datumaro import write
from slowfast.utils.errors import InputError


def test_its_own_export(read, samples):
    """Frames of a video count from 0, the last one included; items without a label stay."""
    export = read("datumaro", samples / "datumaro")
    assert export.classes == ("Drink", "Walk", "Wave")
    assert export.clips == [
        Clip("a.mp4", ("Walk",), None, "train", 0.9),
        Clip("night walk 01.mp4", ("Walk",), None, "train"),
        Clip("c.mp4", ("Wave", "Drink"), Segment(2, 5, "frames"), "val"),
        Clip("d.mp4", (), None, "val"),
    ]


def test_a_data_set_from_a_generator_is_empty(read, samples):
    with pytest.raises(InputError, match="from a generator exports none"):
        read("datumaro", samples / "datumaro_generator.json")


def test_one_name_in_two_splits_is_two_clips(read, put):
    text = (
        '{"categories": {"label": {"labels": [{"name": "Walk"}]}}, "items": [{"id": "a", "video": {"path": "a.mp4"}, '
    )
    for split, labels in (("train", '[{"type": "label", "label_id": 0}]'), ("val", "[]")):
        put(f"d/annotations/{split}.json", text + f'"annotations": {labels}}}]}}')
    source = put(
        "d/annotations/more.json", text.replace('"a.mp4"', '"a.mp4", "start_frame": 3') + '"annotations": []}]}'
    ).parents[1]
    export = read("datumaro", source)
    assert export.clips == [Clip("a.mp4", ("Walk",), None, "train"), Clip("a.mp4", (), None, "val")]
    assert export.told["items that begin inside their video and name no last frame, left out"] == 1


def test_frames_of_a_video_task(read, put):
    """Items that are images with the number of their frame, as CVAT exports a task on a video."""
    items = [
        {"id": f"frame_{n:06d}", "annotations": [{"type": "label", "label_id": 0}], "attr": {"frame": n},
         "image": {"path": f"frame_{n:06d}.png"}} for n in (4, 5)
    ]  # fmt: skip
    source = put("default.json", json.dumps({"categories": {"label": {"labels": [{"name": "Walk"}]}}, "items": items}))
    with pytest.raises(InputError, match="no clip .2 items that are images, left out .--video-name"):
        read("datumaro", source)
    clips = read("datumaro", source, video_name="a.mp4").clips
    assert clips == [Clip("a.mp4", ("Walk",), Segment(n, n, "frames")) for n in (4, 5)]


def test_boxes_are_told_and_wrong_numbers_refused(read, put):
    head = '{"categories": {"label": {"labels": [{"name": "Walk"}]}}, "items": [{"id": "a", "media": {"path": "a.mp4"}'
    box = '{"type": "bbox", "label_id": 0}'
    export = read("datumaro", put("a.json", head + f', "annotations": [{box}]}}]}}'))
    assert export.clips == [Clip("a.mp4", (), None, "a")]
    assert export.told["annotations of another kind than label (boxes and so on)"] == 1
    wrong = '{"type": "label", "label_id": 1}'
    with pytest.raises(InputError, match="item 'a' has a label_id that is none of its 1 categories"):
        read("datumaro", put("b.json", head + f', "annotations": [{wrong}]}}]}}'))
    with pytest.raises(InputError, match="no items and categories"):
        read("datumaro", put("c.json", "[]"))
    with pytest.raises(InputError, match="not as datumaro writes it"):
        read("datumaro", put("d.json", '{"categories": {}, "items": [{"annotations": []}]}'))


def test_round_trip_loses_nothing(read, tmp_path):
    clips = [
        Clip("walk/a.mp4", ("Walk",), None, "train", 0.25),
        Clip("b.mp4", ("Wave", "Walk"), None, "train"),
        Clip("c.mp4", (), None, "val"),
        Clip("d.mp4", ("Walk",), Segment(2, 5, "frames"), "val"),
        Clip("d.mp4", ("Wave",), Segment(0.5, 2, "seconds"), "val"),
    ]
    export = Export(clips, ("Run", "Walk", "Wave"))
    for clip in clips:
        (tmp_path / clip.name).parent.mkdir(exist_ok=True)
        (tmp_path / clip.name).touch()
    assert not +write(tmp_path / "out", export, Options(videos=tmp_path))
    assert (tmp_path / "out/videos/train/walk/a.mp4").samefile(tmp_path / "walk/a.mp4")
    assert +write(tmp_path / "alone", export, Options()) == {"clips themselves (--videos DIR makes links to them)": 5}
    back = read("datumaro", tmp_path / "out")
    assert back.clips == clips and back.classes == ("Run", "Walk", "Wave")


def test_what_is_written_is_what_datumaro_writes(samples, read, tmp_path):
    export = read("datumaro", samples / "datumaro")
    write(tmp_path, export, Options())
    for path in (samples / "datumaro/annotations").iterdir():
        theirs = json.loads(path.read_text())
        ours = json.loads((tmp_path / "annotations" / path.name).read_text())
        assert {key: theirs[key] for key in theirs if key != "items"} == {
            key: ours[key] for key in ours if key != "items"
        }
        assert [item["video"] for item in theirs["items"]] == [item["video"] for item in ours["items"]]


def test_datumaro_reads_it(tmp_path, videos):
    pytest.importorskip("datumaro")
    from datumaro.components.dataset import Dataset

    write(tmp_path / "out", Export([Clip("walk/a.mp4", ("Walk",), None, "train")], ("Walk",)), Options(videos=videos))
    item = next(iter(Dataset.import_from(str(tmp_path / "out"), "datumaro")))
    assert (item.subset, item.annotations[0].label) == ("train", 0)
    assert Path(item.media.path).exists()
