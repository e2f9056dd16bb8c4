"""FiftyOne on disk: labels.json by the exporter of fiftyone 1.22.1; samples.json by its documentation."""

import json

import pytest

from slowfast.apps.formats.clip import Clip, Export, Options, Segment
from slowfast.apps.formats.fiftyone import write
from slowfast.utils.errors import InputError


def test_temporal_detections(read, samples):
    """Frames count from 1, both included; labels may be numbers of classes; names have no ending."""
    export = read("fiftyone", samples / "fiftyone_support.json")
    assert export.classes == ("Walk", "Wave")
    assert export.clips == [
        Clip("a", ("Walk",), Segment(0, 5, "frames")),
        Clip("a", ("Wave",), Segment(11, 11, "frames"), score=0.9),
        Clip("night walk 01"),
    ]
    times = read("fiftyone", samples / "fiftyone_timestamps.json").clips
    assert times[0].segment == Segment(0.0, 5 / 11, "seconds") and times[0].labels == ("Walk",)


def test_class_folders(put, read):
    """The first folder is the class, `_unlabeled` none; a clip beside the folders is passed over."""
    for name in ("Walk/deep/a.mp4", "_unlabeled/b.mp4", ".hidden/c.mp4"):
        put(f"f/{name}", "")
    source = put("f/d.mp4", "").parent
    export = read("fiftyone", source)
    assert export.clips == [Clip("Walk/deep/a.mp4", ("Walk",)), Clip("_unlabeled/b.mp4")]
    assert export.told["clips in no class folder, left out"] == 2


def sample(name, tags=(), **fields):
    """A sample of a FiftyOneDataset."""
    return {"filepath": f"data/{name}", "tags": list(tags), "_media_type": "video", **fields}


def test_data_set(put, read):
    label = {"_cls": "Classification", "label": "Walk", "confidence": 0.5}
    several = {"_cls": "Classifications", "classifications": [{"label": "Walk"}, {"label": "Wave"}]}
    events = {"_cls": "TemporalDetections", "detections": [{"label": "Wave", "support": [1, 10], "confidence": None}]}
    content = {
        "samples": [
            sample("a.mp4", ["train"], truth=label, events=events),
            sample("b.mp4", ["train", "val"], truth=several),
            sample("c.mp4", truth=None),
        ]
    }
    source = put("f/samples.json", json.dumps(content)).parent
    with pytest.raises(InputError, match=r"--label-from \(events, truth\)"):
        read("fiftyone", source)
    assert read("fiftyone", source, label="truth").clips == [
        Clip("data/a.mp4", ("Walk",), None, "train", 0.5),
        Clip("data/b.mp4", ("Walk", "Wave")),
        Clip("data/c.mp4"),
    ]
    assert read("fiftyone", source, label="events").clips == [
        Clip("data/a.mp4", ("Wave",), Segment(0, 9, "frames"), "train"),
        Clip("data/b.mp4"),
        Clip("data/c.mp4"),
    ]


def test_bad_files(put, read):
    with pytest.raises(InputError, match="neither samples nor labels"):
        read("fiftyone", put("a.json", "{}"))
    with pytest.raises(InputError, match="x has the label 2, none of its 1 classes"):
        read("fiftyone", put("b.json", '{"classes": ["Walk"], "labels": {"x": [{"label": 2, "support": [1, 2]}]}}'))


def test_round_trip(read, videos, tmp_path):
    whole = [
        Clip("walk/a.mp4", ("Walk",), None, "train"),
        Clip("wave/c.mp4", ("Wave",), None, "val"),
        Clip("wave/d.mp4", (), None, "val"),
    ]
    lost = write(tmp_path / "out", Export(whole, ("Walk", "Wave")), Options(videos=videos))
    assert not +lost
    assert {(clip.labels, clip.subset) for clip in read("fiftyone", tmp_path / "out").clips} == {
        (clip.labels, clip.subset) for clip in whole
    }
    parts = [
        Clip("walk/a.mp4", ("Walk",), Segment(0, 5, "frames"), score=0.5),
        Clip("wave/c.mp4", ("Wave",), Segment(0.5, 1, "seconds")),
    ]
    assert not +write(tmp_path / "parts", Export(parts), Options(videos=videos))
    back = read("fiftyone", tmp_path / "parts").clips
    assert [(clip.labels, clip.segment, clip.score) for clip in back] == [
        (clip.labels, clip.segment, clip.score) for clip in parts
    ]
    assert json.loads((tmp_path / "parts/labels.json").read_text())["labels"]["walk/a"][0]["support"] == [1, 6]
    with pytest.raises(InputError, match="--videos"):
        write(tmp_path / "out", Export(whole), Options())
    (tmp_path / "out/val/Wave/wave/c.mp4").unlink()
    (tmp_path / "out/val/Wave/wave/c.mp4").touch()
    with pytest.raises(InputError, match="is there already"):
        write(tmp_path / "out", Export(whole), Options(videos=videos))
    with pytest.raises(InputError, match="gone.mp4: this clip is not there; check --videos"):
        write(tmp_path / "new", Export([Clip("gone.mp4")]), Options(videos=videos))
