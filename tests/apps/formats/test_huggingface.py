"""Video folders of Hugging Face (facts: datasets 5.2.0)."""

import pytest

from slowfast.apps.formats.clip import Clip, Export, Options
from slowfast.apps.formats.huggingface import write
from slowfast.utils.errors import InputError


def test_metadata_in_every_split(put, read):
    """A BOM is fine, a backslash is a slash, texts are kept as they stand: 007 is a name."""
    put("f/train/metadata.csv", "\ufefffile_name,action,who\nclips\\a.mp4,007,x\nclips/b.mp4,true,y\n")
    source = put("f/validation/metadata.jsonl", '{"file_name": "c.mp4", "action": "none", "who": "z"}\n').parents[1]
    export = read("huggingface", source, label="action")
    assert export.clips == [
        Clip("train/clips/a.mp4", ("007",), None, "train"),
        Clip("train/clips/b.mp4", ("true",), None, "train"),
        Clip("validation/c.mp4", ("none",), None, "validation"),
    ]
    assert export.told["values of the column who of metadata.csv, not taken over"] == 2


def test_the_label_column_is_asked_for(put, read):
    source = put("f/metadata.csv", "file_name,label,scene\na.mp4,Walk,night\n").parent
    with pytest.raises(InputError, match=r"--label-from which column holds the label \(label, scene\)"):
        read("huggingface", source)
    with pytest.raises(InputError, match="no columns 'clas' is there"):
        read("huggingface", source, label="clas")


def test_columns_with_file_names(put, read):
    source = put("f/metadata.csv", "video_file_name,label\na.mp4,Walk\n").parent
    assert read("huggingface", source, label="label").clips == [Clip("a.mp4", ("Walk",))]
    two = put("g/metadata.csv", "left_file_name,right_file_name,label\na.mp4,b.mp4,Walk\n").parent
    with pytest.raises(InputError, match=r"--video-key \(left_file_name, right_file_name\)"):
        read("huggingface", two, label="label")
    assert read("huggingface", two, label="label", video_key="right_file_name").clips[0].name == "b.mp4"
    with pytest.raises(InputError, match=r"--video-key \(none found\)"):
        read("huggingface", put("h/metadata.jsonl", '{"file_names": ["a.mp4"], "label": "x"}\n').parent, label="label")


@pytest.mark.parametrize("text", ["", "None", "NA", "null"])
def test_what_datasets_reads_as_nothing_is_no_label(put, read, text):
    source = put("f/metadata.csv", f"file_name,label\na.mp4,{text}\nb.mp4,none\n").parent
    assert [clip.labels for clip in read("huggingface", source, label="label").clips] == [(), ("none",)]


@pytest.mark.parametrize("name", ["/data/a.mp4", "../a.mp4", "x/../../a.mp4", "C:\\a.mp4"])
def test_names_stay_inside(put, read, name):
    source = put("f/metadata.csv", f"file_name,label\n{name},Walk\n").parent
    with pytest.raises(InputError, match="row 2 names .* must be a path below"):
        read("huggingface", source, label="label")


def test_other_tables_are_refused(put, read, tmp_path):
    with pytest.raises(InputError, match="not separated by commas"):
        read("huggingface", put("s/metadata.csv", "file_name;label\na.mp4;Walk\n").parent, label="label")
    with pytest.raises(InputError, match="metadata.parquet is not read"):
        read("huggingface", put("p/metadata.parquet", "x").parent, label="label")
    with pytest.raises(InputError, match="row 2 is no JSON"):
        read("huggingface", put("j/metadata.jsonl", '{"file_name": "a.mp4", "label": "x"}\n{\n').parent, label="label")
    with pytest.raises(InputError, match="a video folder is needed"):
        read("huggingface", put("x.csv", "file_name\n"))


def test_a_table_above_the_splits_is_read_and_told(put, read):
    put("f/train/a.mp4", "")
    source = put("f/metadata.csv", "file_name,label\ntrain/a.mp4,Walk\n").parent
    export = read("huggingface", source, label="label")
    assert export.clips == [Clip("train/a.mp4", ("Walk",), None, "train")]
    assert export.told["rows of a table above its splits, which datasets does not look at"] == 1


def test_two_rows_of_a_clip_vote(put, read):
    rows = "a.mp4,Walk\na.mp4,Walk\na.mp4,Wave\nb.mp4,Walk\nb.mp4,Wave\n"
    export = read("huggingface", put("f/metadata.csv", "file_name,label\n" + rows).parent, label="label")
    assert [(clip.name, clip.labels) for clip in export.clips] == [
        ("a.mp4", ("Walk",)),
        ("b.mp4", ()),
    ]
    assert export.told["clips without a majority (a tie), left without a label"] == 1


def test_class_folders(put, read):
    """The innermost folder is the class; a class called test stays a class, and that is told."""
    for name in ("x/walk/a.mp4", "x/walk/b.webm", "x/wave/c.MKV", "test/d.mp4"):
        put(f"f/{name}", "")
    source = put("f/e.mp4", "").parent
    export = read("huggingface", source)
    assert [(clip.name, clip.labels) for clip in export.clips] == [
        ("e.mp4", ()),
        ("test/d.mp4", ("test",)),
        ("x/walk/a.mp4", ("walk",)),
        ("x/walk/b.webm", ("walk",)),
        ("x/wave/c.MKV", ("wave",)),
    ]
    assert export.told["class folders called like a split, which datasets takes for one"] == 1


def test_splits_of_class_folders(put, read):
    put("f/train/walk/a.mp4", "")
    source = put("f/test/walk/b.mp4", "").parents[2]
    assert [(clip.labels, clip.subset) for clip in read("huggingface", source).clips] == [
        (("walk",), "test"),
        (("walk",), "train"),
    ]


def test_round_trip(read, videos, tmp_path):
    """Tried with datasets 5.2.0: it loads what is written here, with a test split without labels too."""
    clips = [
        Clip("walk/a.mp4", ("007",), None, "train", 1.0),
        Clip("walk/night walk 01.mp4", ("true",), None, "train", 0.5),
        Clip("wave/c.mp4", (), None, "test"),
    ]
    target = tmp_path / "hf"
    lost = write(target, Export(clips, ("007", "true")), Options(videos=videos))
    assert (target / "train/walk/night walk 01.mp4").samefile(videos / "walk/night walk 01.mp4")
    back = read("huggingface", target, label="label").clips
    assert {(clip.name.partition("/")[2], clip.labels, clip.subset, clip.score) for clip in back} == {
        (clip.name, clip.labels, clip.subset, clip.score) for clip in clips
    }
    assert "null" not in (target / "test/metadata.jsonl").read_text()
    assert [text for text, count in lost.items() if count] == ["order of the classes (labels are texts)"]
    with pytest.raises(InputError, match="--videos"):
        write(target, Export(clips), Options())


def test_several_labels_are_lists(read, videos, tmp_path):
    clips = [Clip("walk/a.mp4", ("Walk", "Wave"), None, "train"), Clip("wave/c.mp4", (), None, "train")]
    write(tmp_path / "hf", Export(clips), Options(videos=videos))
    back = read("huggingface", tmp_path / "hf", label="label").clips
    assert [clip.labels for clip in back] == [("Walk", "Wave"), ()]


def test_datasets_loads_it(videos, tmp_path):
    datasets = pytest.importorskip("datasets")
    clips = [Clip("walk/a.mp4", ("007",), None, "train", 1.0), Clip("wave/c.mp4", (), None, "test")]
    write(tmp_path / "hf", Export(clips), Options(videos=videos))
    loaded = datasets.load_dataset("videofolder", data_dir=str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    columns = {split: part.remove_columns("video")[:] for split, part in loaded.items()}
    assert columns == {"train": {"label": ["007"], "score": [1.0]}, "test": {"label": [""], "score": [0.0]}}
