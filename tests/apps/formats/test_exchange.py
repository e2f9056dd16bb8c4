"""From exports to lists and back: classes, segments, what is told; the command."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from slowfast.apps.formats.clip import Clip, Export, Segment
from slowfast.apps.formats.exchange import named, numbered, read_classes, read_lists, rows_of, write_lists
from slowfast.apps.formats.match import Files
from slowfast.config import load_config
from slowfast.datasets.loader import build_dataset
from slowfast.utils.errors import InputError

PART = Segment(0, 5, "frames")


def test_classes(put):
    assert read_classes(put("label_map.txt", "Walk\nWave\n")) == ("Walk", "Wave")
    assert read_classes(put("data.yaml", "DATA: {CLASS_NAMES: [1, b]}")) == ("1", "b")
    for text in ("", "Walk\nWalk\n"):
        with pytest.raises(InputError, match="every class needs one line"):
            read_classes(put("x.txt", text))
    with pytest.raises(InputError, match=r"no DATA.CLASS_NAMES"):
        read_classes(put("x.yaml", "MODEL: {}"))


def test_numbers_of_classes():
    """The user's order, else that of the source, else natural order; nothing is guessed for bare numbers."""
    assert numbered(Export([Clip("a", ("10",)), Clip("b", ("2",))]), ()) == ("2", "10")
    assert numbered(Export([Clip("a", ("Wave",))], ("Wave", "Drink")), ()) == ("Wave", "Drink")
    assert numbered(Export([Clip("a", ("Wave",))], ("Wave", "Drink")), ("x", "Wave")) == ("x", "Wave")
    with pytest.raises(InputError, match="--classes FILE"):
        numbered(Export([Clip("a", (0,))]), ())
    with pytest.raises(InputError, match="names 2 classes, the source has the number 2"):
        numbered(Export([Clip("a", (2,))]), ("x", "y"))
    with pytest.raises(InputError, match="'wave' is none of the classes Wave"):
        numbered(Export([Clip("a", ("wave",))]), ("Wave",))
    assert named(Export([Clip("a", (1, 0))]), ("x", "y")).clips == [Clip("a", ("y", "x"))]


def test_segments_become_rows_only_when_asked():
    clips = [
        Clip("a.mp4", ("Walk",), PART),
        Clip("a.mp4", ("Walk",), Segment(8, 9, "frames")),
        Clip("b.mp4", ("Walk",), PART),
        Clip("b.mp4", ("Wave",), Segment(6, 9, "frames")),
        Clip("c.mp4", ("Wave",)),
        Clip("c.mp4", ("Walk",), PART),
    ]
    files = Files(["a.mp4", "b.mp4", "c.mp4"])

    def rows(segments):
        export = Export(clips)
        return [(name, clip.labels) for name, clip in rows_of(export, files, segments)], +export.told

    none, told = rows("")
    assert (
        none == [("c.mp4", ("Wave",))]
        and told["segments left out (--segments whole or trimmed makes rows of them)"] == 5
    )
    whole, told = rows("whole")
    assert whole == [("a.mp4", ("Walk",)), ("c.mp4", ("Wave",))]
    assert told["clips whose segments have different labels, left out"] == 1
    trimmed, told = rows("trimmed")
    assert trimmed == [("a.mp4", ("Walk",))] and told["clips that several rows disagree on, left out"] == 2


def test_a_clip_in_two_splits_and_one_name_in_two_folders():
    export = Export([Clip("a.mp4", ("x",), None, "train"), Clip("a.mp4", ("y",), None, "val")])
    rows = [(name, clip.subset) for name, clip in rows_of(export, Files(["train/a.mp4", "val/a.mp4"]), "whole")]
    assert rows == [("train/a.mp4", "train"), ("val/a.mp4", "val")]
    export = Export([Clip("a.mp4", ("x",), None, "train"), Clip("a.mp4", ("x",), None, "val")])
    assert [clip.subset for _, clip in rows_of(export, Files(["a.mp4"]), "")] == ["train"]
    assert export.told["clips in several splits, left in the first"] == 1


def test_lists_and_configuration(videos, tmp_path, repo):
    clips = [
        Clip("walk/a.mp4", ("Walk",), None, "train"),
        Clip("night walk 01", ("Walk",), None, "validation"),
        Clip("wave/c.mp4", (), None, "train"),
        Clip("d.mp4", ("Wave", "Walk"), None, "train"),
    ]
    export = Export(clips, ("Drink", "Walk", "Wave"))
    folders = write_lists(tmp_path / "out", export, videos, check=False)
    assert {split: folder.rows for split, folder in folders.items()} == {
        "train_label": [("walk/a.mp4", 1)],
        "val_dry": [("walk/night walk 01.mp4", 1)],
        "total_unlabel": [("wave/c.mp4", -1)],
    }
    assert export.told["clips with several labels, left out (--several-labels makes rows of them)"] == 1
    cfg = load_config([repo / "configs/demo/models/uniformer_b32_k600.yaml", tmp_path / "out/data.yaml"])
    assert list(cfg.DATA.CLASS_NAMES) == ["Drink", "Walk", "Wave"] and list(cfg.DATA.SPLITS.val_dry) == [
        "val_dry.csv",
        str(videos),
    ]
    back = read_lists(sorted((tmp_path / "out").glob("*.csv")), ())
    assert [(clip.name, clip.labels, clip.subset) for clip in back.clips] == [
        ("wave/c.mp4", (), ""),
        ("walk/a.mp4", ("Walk",), "train"),
        ("walk/night walk 01.mp4", ("Walk",), "val"),
    ]


def test_several_labels_come_and_go(videos, put, tmp_path, repo):
    clips = [
        Clip("walk/a.mp4", ("Walk",), None, "train"),
        Clip("d.mp4", ("Wave", "Walk"), None, "train"),
        Clip("wave/c.mp4"),
    ]
    export = Export(clips, ("Drink", "Walk", "Wave"))
    write_lists(tmp_path / "out", export, videos, check=False, several=True)
    assert (tmp_path / "out/train_label.csv").read_text() == "walk/a.mp4,1\nwave/d.mp4,1|2\n"
    assert not any("several labels" in text for text in +export.told)
    cfg = load_config([repo / "configs/demo/models/uniformer_b32_k600.yaml", tmp_path / "out/data.yaml"])
    records = build_dataset(cfg, "train_label", "source", train=True).records
    assert [record.probs.tolist() for record in records] == [[0, 1, 0], [0, 1, 1]]
    (tmp_path / "out/train_label.csv").open("a").write("more.mp4,none\n")
    back = read_lists([tmp_path / "out/train_label.csv"], ())
    assert [clip.labels for clip in back.clips] == [("Walk",), ("Walk", "Wave"), ()]
    assert sum((+back.told).values()) == 1, "none of the classes is told"
    (tmp_path / "out/train_label.csv").write_text("a.mp4,0|3\n")
    with pytest.raises(InputError, match="row 1 does not fit the 3 classes"):
        read_lists([tmp_path / "out/train_label.csv"], ())
    with pytest.raises(InputError, match="--several-labels goes without --dark"):
        write_lists(tmp_path / "dark", Export(clips), videos, several=True, dark=videos)


def test_dark_clips_make_it_a_whole_configuration(videos, put, tmp_path):
    dark = put("dark/1.mp4", "").parent
    export = Export([Clip("walk/a.mp4", ("Walk",)), Clip("wave/c.mp4", ("Wave",)), Clip("wave/d.mp4")])
    folders = write_lists(tmp_path / "out", export, videos, dark=dark, check=False)
    assert folders["total_unlabel"].rows == [("1.mp4", -1)]
    assert export.told["clips without a label, left out (the pool is --dark)"] == 1
    keys = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert keys["TRAIN"]["BATCH_SIZE"] == 1 and keys["DATA"]["SPLITS"]["train_label"][2] == "light"


def test_clips_that_cannot_be_read_are_left_out(videos, tmp_path):
    export = Export([Clip("walk/a.mp4", ("Walk",))])
    with pytest.raises(InputError, match="no row is left .*walk/a.mp4: the file is empty.* 3 clips that have no row"):
        write_lists(tmp_path / "out", export, videos, workers=1)
    with pytest.raises(InputError, match="--videos DIR"):
        write_lists(tmp_path / "out", export, tmp_path / "none")


def test_tables_of_pseudo_labels_have_a_score(put):
    classes = put("data.yaml", "DATA: {CLASS_NAMES: [Walk, Wave]}")
    table = put("stage1.csv", "a.mp4,1,0.25,0.75\n")
    assert read_lists([table], ()).clips == [Clip("a.mp4", ("Wave",), None, "", 0.75)]
    with pytest.raises(InputError, match="row 1 does not fit the 3 classes"):
        read_lists([table], ("x", "y", "z"))
    classes.unlink()
    with pytest.raises(InputError, match="--classes FILE"):
        read_lists([table], ())


@pytest.fixture
def command(repo, tmp_path):
    """Runs tools/prepare_lists.py."""
    tool = [sys.executable, str(repo / "tools/prepare_lists.py")]
    return lambda *words: subprocess.run([*tool, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)


def test_command_there_and_back(command, samples, videos, tmp_path):
    """Label Studio -> lists -> predictions for Label Studio."""
    source = str(samples / "labelstudio.json")
    done = command(
        "--from", "labelstudio", source, "--videos", "clips", "--label-from", "c", "--output", "mine", "--no-check"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine/train_label.csv").read_text() == "walk/night walk 01.mp4,0\n"
    assert (tmp_path / "mine/total_unlabel.csv").read_text() == "wave/d.mp4,-1\nwalk/a.mp4,-1\n"
    assert "told: 1 clips with several labels, left out" in done.stdout and "example.org" not in done.stdout
    lists = sorted(str(path) for path in (tmp_path / "mine").glob("*.csv"))
    back = command("--to", "labelstudio", "tasks.json", "--list", *lists, "--model-version", "1")
    assert back.returncode == 0 and "tasks.json: 3 clips as labelstudio" in back.stdout, back.stderr
    assert "not held: 3 names without an address" in back.stdout


def test_command_from_one_tool_to_another(command, put, tmp_path):
    put("train.txt", "a.mp4 1\nb.mp4 0\n")
    put("label_map.txt", "Walk\nWave\n")
    words = ("--from", "mmaction2", "train.txt", "--classes", "label_map.txt", "--to", "kinetics", "all.csv")
    assert command(*words).returncode == 0
    assert "Wave,a,,,\n" in (tmp_path / "all.csv").read_text()


def test_command_matches_names_on_the_way(command, samples, videos, tmp_path):
    source = str(samples / "labelstudio.json")
    words = ("--from", "labelstudio", source, "--label-from", "c", "--videos", "clips", "--to", "huggingface", "hf")
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert '"walk/night walk 01.mp4", "label": ["Walk"]' in (tmp_path / "hf/train/metadata.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "coco", "x"), "'coco' is unknown"),
        (("--from", "kinetics", "none.csv"), "this does not exist"),
        (("--to", "kinetics", "x.csv"), "--list CSV or --from"),
        (("--to", "cvat", "x.xml", "--list", "x.csv"), "no label of a whole clip"),
    ],
)
def test_command_refuses_in_one_sentence(command, words, told):
    done = command(*words)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_damaged_exports_are_named(put, read):
    """Whatever stands in a file, the answer is a sentence."""
    texts = (
        '{"a": 1}',
        "[[1]]",
        '{"samples": [{}]}',
        '{"labels": {"a": [3]}}',
        '[{"data": 1}]',
        '{"items": 1, "categories": {}}',
        '{"a": {"annotations": {"label": "x", "segment": [1]}}}',
        '[{"annotations": {}}]',
        '{"a": {"annotations": {"label": {"x": 1}}}}',
        '{"samples": [{"filepath": 3, "x": {"_cls": "Classification", "label": "y"}}]}',
    )
    for number, text in enumerate(texts):
        for kind in ("kinetics", "labelstudio", "fiftyone", "datumaro", "cvat"):
            path = put(f"{kind}{number}.json", text)
            with pytest.raises(InputError, match=str(path.parent)):
                read(kind, path)


def test_folders_of_frames_are_trained_on(put, read, tmp_path, repo):
    """A list of rawframes, folders of images, and the data set of the training loop."""
    for folder, numbers in (("walk/a", range(1, 6)), ("wave/b", range(4, 13))):
        for number in numbers:
            place = tmp_path / "frames" / folder / f"img_{number:05d}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((40, 60, 3), 9 * number, np.uint8)).save(place)
    export = read("rawframes", put("train.txt", "walk/a 5 0\nwave/b 9 1\n"), videos=tmp_path / "frames")
    write_lists(tmp_path / "out", export, tmp_path / "frames", classes=("walk", "wave"), workers=1)
    assert (tmp_path / "out/train_label.csv").read_text() == "walk/a,0\nwave/b,1\n"
    cfg = load_config([repo / "configs/demo/models/uniformer_b32_k600.yaml", tmp_path / "out/data.yaml"])
    dataset = build_dataset(cfg, "train_label", "source", train=True)
    assert [dataset[row].record.label for row in (0, 1)] == [0, 1] and dataset[1].frames is not None
