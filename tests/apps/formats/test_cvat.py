"""CVAT 1.1, by its documented schema; and a file of datumaro 1.13.12 (export "cvat", use_track=True)."""

import pytest

from slowfast.apps.formats.clip import Clip, Segment
from slowfast.apps.formats.kinds import kind_of
from slowfast.utils.errors import InputError


def box(frame, action="", outside=0):
    """A box of a track."""
    attribute = f'<attribute name="action">{action}</attribute>' if action else ""
    return f'<box frame="{frame}" keyframe="1" outside="{outside}" xtl="0" ytl="0" xbr="1" ybr="1">{attribute}</box>'


def track(*boxes, label="Walk", more=""):
    """A track."""
    return f'<track id="0" label="{label}" {more}>{"".join(boxes)}</track>'


PERSON = "<owner><username>some one</username><email>one@example.org</email></owner><assignee>two</assignee>"
TASK = f"<task><id>1</id><name>x</name><source>night walk.mp4</source>{PERSON}</task>"


@pytest.fixture
def cvat(put, read):
    """Reads an annotations.xml: cvat(meta, tracks, **options)."""
    text = '<?xml version="1.0"?><annotations><version>1.1</version><meta>{}</meta>{}</annotations>'
    return lambda meta, tracks, **options: read("cvat", put("annotations.xml", text.format(meta, tracks)), **options)


def test_frames_count_from_0_and_outside_ends(cvat):
    tracks = track(*map(box, range(3)), box(3, outside=1), box(7), box(8, outside=1))
    export = cvat(TASK, tracks)
    assert export.clips == [
        Clip("night walk.mp4", ("Walk",), Segment(0, 2, "frames")),
        Clip("night walk.mp4", ("Walk",), Segment(7, 7, "frames")),
    ]
    assert "example" not in repr(export) and "some one" not in repr(export)


@pytest.mark.parametrize("shape", "box polygon polyline points mask ellipse cuboid skeleton".split())
def test_every_shape_counts_interpolated_ones_too(cvat, shape):
    inside = '<points frame="9" outside="0"/>' if shape == "skeleton" else ""
    shapes = [f'<{shape} frame="{n}" keyframe="{int(n == 0)}" outside="0">{inside}</{shape}>' for n in range(3)]
    assert [clip.segment for clip in cvat(TASK, track(*shapes)).clips] == [Segment(0, 2, "frames")]


def test_steps_of_a_frame_filter_are_one_run(cvat):
    task = TASK.replace("<name>", "<frame_filter>step=5</frame_filter><name>")
    assert cvat(task, track(*map(box, (0, 5, 10, 20)))).clips[0].segment == Segment(0, 10, "frames")


def test_tracks_together_are_one_presence(cvat):
    assert [clip.segment for clip in cvat(TASK, track(box(0), box(1)) + track(box(1), box(2))).clips] == [
        Segment(0, 2, "frames")
    ]


def test_which_attribute_is_asked_for(cvat):
    """The action stands in an attribute of the shape and changes between frames."""
    tracks = track(box(0, "Walk"), box(1, "Walk"), box(2, "Wave"), box(3), label="person")
    with pytest.raises(InputError, match=r"--label-from \(action, label\)"):
        cvat(TASK, tracks)
    export = cvat(TASK, tracks, label="action")
    assert [(clip.labels, clip.segment) for clip in export.clips] == [
        (("Walk",), Segment(0, 1, "frames")),
        (("Wave",), Segment(2, 2, "frames")),
    ]
    assert export.told["shapes without the attribute action"] == 1
    assert cvat(TASK, tracks, label="label").clips[0].labels == ("person",)


def test_a_job_names_no_video(cvat):
    job = "<job><id>4</id><size>3</size></job><original_size><width>4</width></original_size>"
    with pytest.raises(InputError, match="--video-name"):
        cvat(job, track(box(0)))
    assert cvat(job, track(box(0)), video_name="a.mp4").clips[0].name == "a.mp4"


def test_frames_of_a_project_are_shifted_back(cvat):
    """Numbers run on over the tasks of a subset: each is shifted by start_frame + step * size of those before it."""
    tasks = [
        (1, "a.mp4", "train", 10, 2),
        (2, "b.mp4", "train", 6, 1),
        (3, "c.mp4", "val", 9, 1),
        (4, "d.mp4", "train", 5, 1),
    ]
    text = "".join(
        f"<task><id>{number}</id><source>{name}</source><subset>{subset}</subset><size>{size}</size>"
        f"<start_frame>{3 if number == 1 else 0}</start_frame><frame_filter>step={step}</frame_filter></task>"
        for number, name, subset, size, step in tasks
    )
    shifts = {1: 0, 2: 3 + 2 * 10, 3: 0, 4: 3 + 2 * 10 + 6}
    tracks = "".join(track(box(shifts[n] + n), more=f'task_id="{n}" subset="x"') for n in shifts)
    export = cvat(f"<project><name>p</name><tasks>{text}</tasks></project>", tracks)
    assert [(clip.name, clip.segment.start, clip.subset) for clip in export.clips] == [
        ("a.mp4", 1, "train"),
        ("b.mp4", 2, "train"),
        ("c.mp4", 3, "val"),
        ("d.mp4", 4, "train"),
    ]
    with pytest.raises(InputError, match="the task '9', which meta does not describe"):
        cvat(f"<project><tasks>{text}</tasks></project>", track(box(0), more='task_id="9"'))


def test_tags_stand_in_cvat_for_images(cvat):
    images = "".join(
        f'<image id="{n}" name="frame_{n:06d}"><tag label="Walk"/><box label="x"/></image>' for n in (0, 1, 4)
    )
    export = cvat(TASK, images)
    assert [clip.segment for clip in export.clips] == [Segment(0, 1, "frames"), Segment(4, 4, "frames")]
    assert export.told["boxes and other shapes of images"] == 3


def test_export_of_datumaro(read, samples):
    """No source; outside boxes; it drops the attributes that no label declares."""
    with pytest.raises(InputError, match="--video-name"):
        read("cvat", samples / "cvat_datumaro.xml")
    export = read("cvat", samples / "cvat_datumaro.xml", video_name="a.mp4")
    assert export.clips == [Clip("a.mp4", ("person",), Segment(0, 3, "frames"))]


def test_bad_files_and_writing(put, read, cvat):
    with pytest.raises(InputError, match="no annotations.xml"):
        read("cvat", put("a.xml", "<annotations>"))
    with pytest.raises(InputError, match="does not export tags"):
        cvat(TASK, "")
    with pytest.raises(InputError, match="no label of a whole clip"):
        kind_of("cvat", writing=True)
    with pytest.raises(InputError, match="'coco' is unknown"):
        kind_of("coco")
