"""tools/predict.py: answers for files without lists or labels."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from slowfast.apps import lettering
from slowfast.apps.predict import Answer, find_videos, predict_files, render, table
from slowfast.config import load_config
from slowfast.models import build_model
from slowfast.utils.errors import InputError
from slowfast.utils.files import write_json
from slowfast.video import open_video
from slowfast.video.writer import write_h264

from ..engine.tiny import CONFIG, write_clip

ENV = os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Clips, a damaged one among them, a configuration and weights."""
    root = tmp_path_factory.mktemp("predict")
    for number, name in enumerate(("a.mp4", "deep/b.mp4", "deep/a.mp4")):
        write_clip(root / "clips" / name, number, number)
    (root / "clips/broken.mp4").write_bytes(b"\0\1\2\3" * 40)
    cfg = load_config(CONFIG, ["TEST.NUM_SPATIAL_CROPS", "3"])
    torch.manual_seed(0)
    model = build_model(cfg)
    torch.save(model.state_dict(), root / "weights.pth")
    return root, cfg, model.eval()


def test_probabilities_are_those_of_the_network(made):
    root, cfg, model = made
    answers = {answer.name: answer for answer in predict_files(cfg, root / "weights.pth", [root / "clips"])}
    assert list(answers) == ["a.mp4", "broken.mp4", "deep/a.mp4", "deep/b.mp4"]
    from slowfast.datasets.loader import build_file_loader

    assert answers["deep/b.mp4"].light.gamma == 1.0 and "light, mean grey" in table([answers["deep/b.mp4"]], top=1)
    loader = build_file_loader(cfg, [root / "clips/deep/b.mp4"], ["b"], [1.0])
    with torch.no_grad():
        expected = model(next(iter(loader))["clips"]).mean(0).softmax(-1).numpy()
    ranking = answers["deep/b.mp4"].ranking
    assert len(ranking) == 11 and ranking == sorted(ranking, key=lambda item: -item[1])
    np.testing.assert_allclose(sorted(share for _, share in ranking), np.sort(expected), atol=1e-5)
    assert answers["broken.mp4"].ranking == [] and "no video container" in answers["broken.mp4"].error
    assert ranking[0][0] in table([answers["deep/b.mp4"]], top=1)


def test_names_that_would_be_ambiguous_are_whole_paths(made):
    root = made[0] / "clips"
    names = [name for name, _ in find_videos([root / "a.mp4", root / "deep"])]
    assert names == [str(root / "a.mp4"), str(root / "deep/a.mp4"), "b.mp4"]
    with pytest.raises(InputError, match="does not exist"):
        find_videos([root / "none"])


def test_a_file_that_is_given_twice_is_answered_once(made, monkeypatch):
    root = made[0] / "clips"
    monkeypatch.chdir(root)
    assert [name for name, _ in find_videos([root / "deep", Path("deep/a.mp4"), root / "deep/../deep/b.mp4"])] == [
        "a.mp4", "b.mp4"
    ]  # fmt: skip


def test_a_folder_of_images_is_one_video(tmp_path):
    (tmp_path / "clip").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "clip" / name).touch()
    assert find_videos([tmp_path]) == find_videos([tmp_path / "clip"]) == [("clip", tmp_path / "clip")]


def test_weights_of_other_classes_are_refused(made):
    root, cfg, _ = made
    other = load_config(CONFIG, ["MODEL.NUM_CLASSES", "7"])
    with pytest.raises(InputError, match="7 other classes"):
        predict_files(other, root / "weights.pth", [root / "clips"])
    with pytest.raises(InputError, match="does not exist"):
        predict_files(cfg, root / "none.pyth", [root / "clips"])


def test_clips_too_small_for_the_network_are_told(made):
    root = made[0]
    with pytest.raises(InputError, match=r"clips are too small.*DATA.TEST_CROP_SIZE \(now 4\)"):
        predict_files(load_config(CONFIG, ["DATA.TEST_CROP_SIZE", "4"]), root / "weights.pth", [root / "clips"])


def test_copies_show_both_pictures_and_the_answer(made, tmp_path):
    root, cfg, _ = made
    answers = predict_files(cfg, root / "weights.pth", [root / "clips/deep"], 0.25)
    assert answers[0].light.reason == "gamma 0.25 as given"
    target = render(answers[0], tmp_path)
    assert target == tmp_path / "a.mp4"
    with open_video(target) as copy, open_video(answers[0].path) as video:
        left, right = np.split(copy.get_frames([5])[0].astype(int), 2, axis=1)
        assert len(copy) == len(video) and copy.fps == video.fps
        assert np.abs(left - video.get_frames([5])[0]).mean() < 12
    assert right.mean() > left.mean() + 40


def test_copies_spare_the_videos_and_each_other(tmp_path):
    clip, other = tmp_path / "a.mp4", tmp_path / "a.mkv"
    for path in (clip, other):
        write_clip(path, 0, 0)
    answers = [Answer(path.name, path, [("run", 0.75)]) for path in (clip, other)]
    before = clip.read_bytes()
    with pytest.raises(InputError, match="another folder"):
        render(answers[0], tmp_path)
    assert clip.read_bytes() == before
    assert [render(answer, tmp_path / "out").name for answer in answers] == ["a.mp4", "a.mkv.mp4"]


def test_no_two_copies_have_one_name(tmp_path):
    names = ["a.avi", "a.avi.mp4", "a", "a.mp4", "x" * 250 + ".ts"]
    write_clip(tmp_path / "clip.mp4", 0, 0)
    answers = [Answer(name, tmp_path / "clip.mp4", [("run", 0.75)]) for name in names]
    copies = [render(answer, tmp_path / "out", set(names)) for answer in answers]
    assert [path.name for path in copies[:4]] == ["a.avi.mp4.mp4", "a.avi.mp4", "a.mp4.mp4", "a.mp4"]
    assert len(set(copies)) == len(names) and all(path.is_file() for path in copies)


def test_names_that_are_no_text_keep_their_answers(made, tmp_path):
    root, cfg, _ = made
    for name in (b"\xff.mp4", b"\xfe.mp4", b"~nobody.mp4", b"back\\slash.mp4", b"x\n  99.0 %  run.mp4"):
        shutil.copy(next((root / "clips/deep").glob("*.mp4")), os.fsencode(tmp_path) + b"/" + name)
    answers = predict_files(cfg, root / "weights.pth", [tmp_path])
    assert len({answer.name for answer in answers}) == 5 and not any(answer.error for answer in answers)
    write_json(tmp_path / "answers.json", [answer.as_dict(2) for answer in answers])
    assert table(answers, 2).encode() and "\n  99.0 %  run" not in table(answers, 2)


NAMES = ["跑步", "走路", "يركض", "走る", "달리기", "a\x1b[31mb", "Ждать", "坐", "站", "跳", "推"]


def drawn(answer, folder):
    """A frame of the copy of an answer."""
    with open_video(render(answer, folder)) as copy:
        return copy.get_frames([5])[0].astype(int)


@pytest.mark.parametrize("file", ["夜间 跑步.mp4", "ليل.mp4", "よる.mp4"])
def test_a_class_that_no_font_can_write_is_drawn_by_its_number(made, tmp_path, monkeypatch, file):
    root, _, _ = made
    (tmp_path / "in").mkdir()
    write_h264(tmp_path / "in" / file, np.full((6, 120, 160, 3), 12, np.uint8), fps=6, crf=1)
    cfg = load_config(CONFIG, ["DATA.CLASS_NAMES", str(NAMES)])
    monkeypatch.setattr(lettering, "_FOLDERS", ())
    lettering.installed_fonts.cache_clear(), lettering.font_for.cache_clear()
    answer = predict_files(cfg, root / "weights.pth", [tmp_path / "in"], 1.0)[0]
    name, share = answer.ranking[0]
    assert name == NAMES[answer.number] != NAMES[0]
    copy = drawn(answer, tmp_path / "out")
    assert (tmp_path / "out" / file).is_file()
    number = replace(answer, ranking=[(f"class {answer.number}", share)])
    np.testing.assert_array_equal(copy, drawn(number, tmp_path / "number"))
    other = replace(answer, ranking=[("class 99", share)])
    assert np.abs(copy - drawn(other, tmp_path / "other")).max() > 60
    lettering.installed_fonts.cache_clear(), lettering.font_for.cache_clear()


def test_a_long_class_name_fits_and_its_probability_is_seen(tmp_path):
    write_h264(tmp_path / "a.mp4", np.full((6, 240, 160, 3), 12, np.uint8), fps=6, crf=1)
    for name in ("Playing the saxophone", "Playing basketball with friends in the park at night"):
        frame = drawn(Answer("a.mp4", tmp_path / "a.mp4", [(name, 0.97)]), tmp_path / name)
        bright = frame[:, 160:].max(axis=2) > 150
        assert bright[:20, 3:30].any() and (not bright[:, 156:].any() or len(name) > 30)


def test_names_of_any_script_and_grey_of_few_levels_by_command(made, repo, server, tmp_path):
    for file in ("夜间 跑步.mp4", "ليل.mp4"):
        (tmp_path / "in").mkdir(exist_ok=True)
        write_clip(tmp_path / "in" / file, 0, 0)
    with av.open(str(tmp_path / "in/thermal.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray16le"
        values = np.linspace(7000, 9000, 48 * 64).reshape(48, 64).astype(np.uint16)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="gray16le")))
        container.mux(stream.encode())
    words = ["in", "--cfg", CONFIG, "--checkpoint", made[0] / "weights.pth", "--json", "a.json", "--render", "out"]
    words += ["--set", "DATA.CLASS_NAMES", NAMES]
    log = tmp_path / "log"
    assert server.wait(server.command(log, repo / "tools/predict.py", words, tmp_path)) == 0, log.read_text()
    text = log.read_text()
    assert "leaves 9 of 256 levels" in text and "\x1b" not in text and any(name in text for name in NAMES)
    answers = json.loads((tmp_path / "a.json").read_text())
    assert {answer["video"] for answer in answers} == {"夜间 跑步.mp4", "ليل.mp4", "thermal.mkv"}
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_command(made, repo, tmp_path):
    root = made[0]
    command = [sys.executable, str(repo / "tools/predict.py"), "clips", "--cfg", str(CONFIG), "--checkpoint",
               "weights.pth"]  # fmt: skip
    options = ["--top", "2", "--json", str(tmp_path / "a.json"), "--render", str(tmp_path / "copies")]
    done = subprocess.run(
        [*command, *options, "--set", "DATA.GAMMA.TEST", "0.5"], cwd=root, env=ENV, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "broken.mp4\n  cannot be read" in done.stdout and "1 of 4" in done.stderr
    answers = json.loads((tmp_path / "a.json").read_text())
    assert [len(answer["answers"]) for answer in answers] == [2, 0, 2, 2]
    assert {path.relative_to(tmp_path / "copies").as_posix() for path in (tmp_path / "copies").rglob("*.mp4")} == {
        "a.mp4", "deep/a.mp4", "deep/b.mp4"
    }  # fmt: skip
    command[2] = "clips/broken.mp4"
    assert subprocess.run(command, cwd=root, env=ENV, capture_output=True, timeout=120).returncode == 2


def shares(answers):
    """The probabilities of every readable video, by class."""
    return {answer.name: dict(answer.ranking) for answer in answers if answer.ranking}


@pytest.mark.parametrize("name", ["batchnorm", "recentre", "tent"])
def test_a_network_adapts_to_the_videos_or_to_a_pool(made, name, tmp_path):
    root, cfg, _ = made
    plain = shares(predict_files(cfg, root / "weights.pth", [root / "clips"]))
    adapting = load_config(CONFIG, ["TEST.NUM_SPATIAL_CROPS", "3", "TEST.ADAPT", name, "ADAPT.LR", "0.1"])
    own = shares(predict_files(adapting, root / "weights.pth", [root / "clips"]))
    assert own.keys() == plain.keys() and own != plain
    for number in range(3):
        write_clip(tmp_path / f"{number}.mp4", number, 10 + number)
    (tmp_path / "pool.csv").write_text("0.mp4,-1\n1.mp4,-1\n2.mp4,-1\n")
    folder = shares(predict_files(adapting, root / "weights.pth", [root / "clips"], None, [tmp_path]))
    assert folder != own
    again = shares(predict_files(adapting, root / "weights.pth", [root / "clips/a.mp4"], None, [tmp_path / "pool.csv"]))
    assert again["a.mp4"] == pytest.approx(folder["a.mp4"], abs=1e-5)


@pytest.mark.parametrize(
    ("opts", "sources", "pool", "words"),
    [
        ([], ["clips"], ["clips"], "no adaptation: add --adapt"),
        (["TEST.ADAPT", "recentre"], ["clips/a.mp4"], [], "1 video is no pool to adapt to, at least 2"),
        (["TEST.ADAPT", "recentr"], ["clips"], [], "did you mean 'recentre'"),
        (["TEST.ADAPT", "tent"], ["clips"], ["nowhere"], "does not exist"),
        (["TEST.ADAPT", "tent"], ["clips"], ["clips/broken.mp4"], "at least 2"),
    ],
)
def test_pools_that_are_none(made, opts, sources, pool, words):
    root = made[0]
    with pytest.raises(InputError, match=words):
        given = ([root / name for name in sources], None, [root / name for name in pool])
        predict_files(load_config(CONFIG, opts), root / "weights.pth", *given)


def test_mixed_precision_is_honoured(made):
    root = made[0]
    exact, mixed = (
        shares(
            predict_files(load_config(CONFIG, ["TEST.MIXED_PRECISION", choice]), root / "weights.pth", [root / "clips"])
        )
        for choice in ("auto", "bf16")
    )
    assert exact != mixed
    for name, ranking in exact.items():
        assert ranking == pytest.approx(mixed[name], abs=0.01)


def test_own_code_and_broken_weights_by_command(made, repo, tmp_path):
    root = made[0]
    (tmp_path / "own.py").write_text(
        "import torch\nfrom slowfast.engine.adapt import ADAPTATIONS, Adaptation\n\n\n"
        "@ADAPTATIONS.register('first')\nclass First(Adaptation):\n"
        "    def adapt(self, model, pool):\n"
        "        with torch.no_grad():\n            model.head.bias[0] += 1000\n        return model\n"
    )
    command = [sys.executable, str(repo / "tools/predict.py"), "clips/deep", "--cfg", str(CONFIG), "--checkpoint"]
    more = ["--plugin", str(tmp_path / "own.py"), "--adapt", "first", "--adapt-split", "test"]
    done = subprocess.run(
        [*command, "weights.pth", *more, "--set", "DATA.PATH_PREFIX", "nowhere"], cwd=root, env=ENV,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2 and "nowhere/test.csv" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run(
        [*command, "weights.pth", *more[:-2]], cwd=root, env=ENV, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and done.stdout.count("100.0 %  0") == 2, done.stderr
    state = torch.load(root / "weights.pth", weights_only=True)
    state["head.bias"][3] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    done = subprocess.run(
        [*command, str(tmp_path / "nan.pth"), "--json", str(tmp_path / "a.json")], cwd=root, env=ENV,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2 and "hold NaN or infinite" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "a.json").exists()
