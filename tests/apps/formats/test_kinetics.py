"""Lists of Kinetics, CSV and JSON."""

import pytest

from slowfast.apps.formats.clip import Clip, Export, Options, Segment
from slowfast.apps.formats.exchange import rows_of
from slowfast.apps.formats.kinetics import write
from slowfast.apps.formats.match import Files
from slowfast.utils.errors import InputError

HEADER = "label,youtube_id,time_start,time_end,split\n"


def test_csv_and_json_say_the_same(put, read):
    wanted = [
        Clip("-ab_1", ("high jump",), Segment(6, 16, "seconds"), "train"),
        Clip("x9", ("yoga",), Segment(0, 10, "seconds"), "train"),
    ]
    text = HEADER + '"high jump",-ab_1,6,16,train\nyoga,x9,0,10,train\n'
    assert read("kinetics", put("train.csv", text)).clips == wanted
    entries = '{"-ab_1": {"annotations": {"label": "high jump", "segment": [6.0, 16.0]}, "subset": "train"},'
    entries += ' "x9": {"annotations": {"label": "yoga", "segment": [0, 10]}, "duration": 10, "subset": "train"}}'
    assert read("kinetics", put("train.json", entries)).clips == wanted


def test_lists_for_testing_have_no_label(put, read):
    export = read("kinetics", put("test.csv", "youtube_id,time_start,time_end,split\nx9,0,10,test\n"))
    assert export.clips == [Clip("x9", (), Segment(0, 10, "seconds"), "test")]


def test_files_with_times_in_their_names_are_rows(put, read):
    export = read("kinetics", put("train.csv", HEADER + "yoga,x9,6,16,train\nyoga,x8,0,10,train\n"))
    files = Files(["yoga/x9_000006_000016.mp4", "yoga/x8.mp4"])
    assert [name for name, _ in rows_of(export, files, "")] == ["yoga/x9_000006_000016.mp4"]
    assert export.told["segments left out (--segments whole or trimmed makes rows of them)"] == 1
    assert [name for name, _ in rows_of(export, files, "trimmed")] == ["yoga/x9_000006_000016.mp4", "yoga/x8.mp4"]


def test_bad_tables(put, read):
    with pytest.raises(InputError, match="no column youtube_id"):
        read("kinetics", put("a.csv", "name,label\nx,y\n"))
    with pytest.raises(InputError, match="row 2: the times"):
        read("kinetics", put("b.csv", HEADER + "yoga,x,six,16,train\n"))
    with pytest.raises(InputError, match="not separated by commas"):
        read("kinetics", put("c.csv", HEADER.replace(",", ";") + "yoga;x;6;16;train\n"))
    with pytest.raises(InputError, match="row 2 has more columns"):
        read("kinetics", put("d.csv", HEADER + "yoga,x,6,16,train,more\n"))
    with pytest.raises(InputError, match="it holds no clip"):
        read("kinetics", put("e.csv", HEADER))


def test_round_trip(read, tmp_path):
    segment = Segment(6, 16, "seconds")
    clips = [
        Clip("yoga/x9_000006_000016.mp4", ("yoga",), None, "train"),
        Clip("y", ("high, jump",), segment, "val", 0.5),
        Clip("z.mp4"),
    ]
    lost = write(tmp_path / "all.csv", Export(clips), Options())
    assert read("kinetics", tmp_path / "all.csv").clips == [
        Clip("yoga/x9", ("yoga",), segment, "train"),
        Clip("y", ("high, jump",), segment, "val"),
        Clip("z"),
    ]
    assert lost["scores of labels"] == 1 and lost["clips without times (their cells are empty)"] == 1
    with pytest.raises(InputError, match="endings only"):
        write(tmp_path / "b.csv", Export([Clip("a.mp4"), Clip("a.avi")]), Options())
