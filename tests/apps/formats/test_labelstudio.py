"""Label Studio: JSON by the schema of label-studio 1.23.2; JSON_MIN and CSV made of it by label-studio-sdk 2.1.2."""

import json

import pytest

from slowfast.apps.formats.clip import Clip, Export, Options, Segment
from slowfast.apps.formats.labelstudio import write
from slowfast.utils.errors import InputError

NIGHT, C, D, A = (
    "/data/upload/1/bd496a50-night_walk_01.mp4",
    "clips/wave/c.mp4",
    "/data/upload/1/0123abcd-d.mp4",
    "/data/upload/1/aaaaaaaa-a.mp4",
)


def task(*results, name="a.mp4", **more):
    """A task with one annotation for every list of results."""
    annotations = [{"result": result, "was_cancelled": False} for result in results]
    return {"data": {"video": name}, "annotations": annotations, **more}


def choice(*labels, control="c"):
    """A result of a control of choices."""
    return {"from_name": control, "to_name": "video", "type": "choices", "value": {"choices": list(labels)}}


def region(start, end, label="Walk"):
    """A result of the timeline."""
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]}
    return {"from_name": "t", "to_name": "video", "type": "timelinelabels", "value": value}


@pytest.fixture
def tasks(put, read):
    """Reads tasks: tasks(*tasks, **options)."""
    return lambda *tasks, **options: read("labelstudio", put("tasks.json", json.dumps(tasks)), **options)


def test_full_export(read, samples):
    """Majority of three; several choices; a skipped one has no label; a tie has none; predictions are numbers only."""
    export = read("labelstudio", samples / "labelstudio.json", label="c")
    assert [(clip.name, clip.labels) for clip in export.clips] == [
        (NIGHT, ("Walk",)),
        (C, ("Walk", "Wave")),
        (D, ()),
        (A, ()),
    ]
    told = {text: count for text, count in export.told.items() if count}
    assert told == {
        "annotations skipped by their annotator, left out": 1,
        "clips with several opinions: the majority counts": 2,
        "clips without a majority (a tie), left without a label": 1,
        "predictions, which are not read": 1,
    }


def test_which_control_is_asked_for(read, samples):
    with pytest.raises(InputError, match=r"several or none of: controls; say which with --label-from \(c, t\)"):
        read("labelstudio", samples / "labelstudio.json")
    with pytest.raises(InputError, match="no controls 'x' is there"):
        read("labelstudio", samples / "labelstudio.json", label="x")


def test_the_timeline_counts_from_1_at_a_rate_that_is_asked_for(read, samples, tasks):
    with pytest.raises(InputError, match="--fps"):
        read("labelstudio", samples / "labelstudio.json", label="t")
    first = read("labelstudio", samples / "labelstudio.json", label="t", fps=30.0).clips[0]
    assert first == Clip(NIGHT, ("Walk",), Segment(0, 10 / 30, "seconds"))
    one = tasks(task([region(20, 20)]), fps=24.0).clips[0].segment
    assert (one.start, one.end) == (19 / 24, 20 / 24)


@pytest.mark.parametrize(("ending", "kept"), [("_min.json", 3), (".csv", 3)])
def test_a_row_for_each_annotation(read, samples, ending, kept):
    """One choice is text, several are {"choices": []}; skipped annotations are not there."""
    export = read("labelstudio", samples / f"labelstudio{ending}", label="c")
    assert [(clip.name, clip.labels) for clip in export.clips] == [(NIGHT, ("Walk",)), (C, ("Wave", "Walk")), (A, ())]
    segments = read("labelstudio", samples / f"labelstudio{ending}", label="t", fps=30.0).clips
    assert Clip(NIGHT, ("Walk",), Segment(0, 10 / 30, "seconds")) in segments
    with pytest.raises(InputError, match=r"--label-from which column holds the label \(c, t\)"):
        read("labelstudio", samples / f"labelstudio{ending}")


def test_no_person_is_copied(read, samples):
    for ending in (".json", "_min.json", ".csv"):
        assert "example.org" in (samples / f"labelstudio{ending}").read_text()
        assert "example.org" not in repr(read("labelstudio", samples / f"labelstudio{ending}", label="c"))


def test_ground_truth_counts_alone_and_rejected_does_not(tasks):
    both = task([choice("Walk")], [choice("Wave")], [choice("Wave")])
    both["annotations"][0]["ground_truth"] = True
    assert tasks(both).clips[0].labels == ("Walk",)
    rejected = task([choice("Walk")])
    rejected["annotations"][0]["reviews"] = [{"accepted": True}, {"accepted": False}]
    export = tasks(rejected, label="")
    assert export.clips == [Clip("a.mp4")] and export.told["annotations rejected in review, left out"] == 1


def test_optional_fields_may_be_missing(tasks):
    """A task without id, annotations without fields; full predictions of an import file are not read."""
    made = {"data": {"video": "a.mp4"}, "predictions": [{"result": [choice("Walk")], "score": 0.9}]}
    assert tasks(made).clips == [Clip("a.mp4")]
    assert tasks({"data": {"video": "a.mp4"}, "annotations": [{"result": [choice("Walk")]}]}).clips == [
        Clip("a.mp4", ("Walk",))
    ]


def test_boxes_over_time_are_not_labels_of_clips(tasks):
    value = {"sequence": [{"frame": 1, "x": 0}], "framesCount": 300, "duration": 10, "labels": ["person"]}
    boxes = {"from_name": "b", "to_name": "video", "type": "videorectangle", "value": value}
    assert tasks(task([boxes, choice("Walk")])).clips == [Clip("a.mp4", ("Walk",))]


def test_the_key_of_the_video(tasks):
    """The only key whose values end like videos, else the user's."""
    assert (
        tasks(task([choice("x")], name="a.mp4") | {"data": {"clip": "a.mp4", "note": "dark"}}).clips[0].name == "a.mp4"
    )
    several = task([choice("x")]) | {"data": {"left": "a.mp4", "right": "b.mp4"}}
    with pytest.raises(InputError, match=r"--video-key \(left, right\)"):
        tasks(several)
    assert tasks(several, video_key="right").clips[0].name == "b.mp4"


def test_bad_exports(put, read):
    for number, text in enumerate(("{}", "[]", "[1]")):
        with pytest.raises(InputError, match="no export of Label Studio"):
            read("labelstudio", put(f"{number}.json", text))
    with pytest.raises(InputError, match="this is no JSON"):
        read("labelstudio", put("x.json", "[{"))
    with pytest.raises(InputError, match="not as labelstudio writes it"):
        read("labelstudio", put("y.json", '[{"data": {"video": "a.mp4"}, "annotations": [{"result": 5}]}]'))


def test_round_trip(read, tmp_path):
    clips = [
        Clip("walk/a.mp4", ("Walk",), None, "train"),
        Clip("b.mp4", ("Walk", "Wave"), None, "val"),
        Clip("c.mp4"),
        Clip("d.mp4", ("Wave",), Segment(0.5, 1.5, "seconds"), "train"),
    ]
    target, options = tmp_path / "tasks.json", Options(fps=24.0, url_prefix="/data/local-files/?d=")
    assert not +write(target, Export(clips, ("Walk", "Wave")), options)
    whole = read("labelstudio", target, label="label").clips
    assert whole == [*clips[:3], Clip("d.mp4", (), None, "train")]
    parts = read("labelstudio", target, label="segments", fps=24.0).clips
    assert clips[3] in parts
    assert json.loads(target.read_text())[3]["annotations"][0]["result"][0]["value"]["ranges"] == [
        {"start": 13, "end": 36}
    ]
    config = (tmp_path / "tasks_config.xml").read_text()
    assert 'value="$video" frameRate="24"' in config and 'choice="multiple"' in config and "<TimelineLabels" in config
    with pytest.raises(InputError, match="--fps"):
        write(target, Export(clips), Options())


def test_frames_are_written_from_1(tmp_path):
    write(tmp_path / "t.json", Export([Clip("a.mp4", ("x",), Segment(0, 9, "frames"))], ("x",)), Options())
    result = json.loads((tmp_path / "t.json").read_text())[0]["annotations"][0]["result"][0]
    assert result["value"]["ranges"] == [{"start": 1, "end": 10}]


def test_predictions_have_score_and_version(tmp_path):
    export = Export([Clip("a.mp4", ("<b>&",), None, "", 0.75), Clip("b.mp4")], ("<b>&",))
    write(tmp_path / "t.json", export, Options(model_version="round 2", url_prefix="http://x/"))
    first, second = json.loads((tmp_path / "t.json").read_text())
    assert first["predictions"][0]["score"] == 0.75 and first["predictions"][0]["model_version"] == "round 2"
    assert first["data"] == {"video": "http://x/a.mp4"} and "annotations" not in first
    assert second == {"data": {"video": "http://x/b.mp4"}}
    assert "&lt;b&gt;&amp;" in (tmp_path / "t_config.xml").read_text()
    lost = write(tmp_path / "t.json", export, Options())
    assert lost["scores of labels (--model-version keeps them, as predictions)"] == 1
    assert lost["names without an address Label Studio can open (--url-prefix)"] == 2
