"""The commands: exit status, sentences, options."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from slowfast.apps.benchmark.features import compare_data_paths
from slowfast.config import load_config
from slowfast.engine.checkpoint import save_checkpoint
from slowfast.features.build import build_plan, build_preprocess
from slowfast.features.store import load_features, read_index
from slowfast.models import build_model


def base(helpers, clips, output, *more):
    """Arguments of an extraction with random weights."""
    return ["--cfg", helpers.TINY, "--checkpoint", "none", "--video-dir", clips, "--output-dir", output, *more]


def test_newcomers_command(helpers, tool, clips, tmp_path, capsys):
    assert tool("extract_features", *base(helpers, clips, tmp_path)) == 0
    said = capsys.readouterr().out
    assert "weights are random (RNG_SEED 1)" in said
    assert "5 of 6 videos have features" in said and "too short" not in said.split("without:")[0]
    assert len(read_index(tmp_path / "features.csv")) == 6


def test_a_folder_gives_its_own_features_and_is_known_by_its_weights(helpers, tool, clips, tmp_path, capsys):
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    hugging_face.write(tmp_path / "folder", "vjepa2")
    keys = {"MODEL.ARCH": "huggingface", "MODEL.BACKBONE": tmp_path / "folder", "DATA.NUM_FRAMES": 4,
            "DATA.SAMPLING_RATE": 2, "DATA.TRAIN_CROP_SIZE": 32, "DATA.TEST_CROP_SIZE": 32}  # fmt: skip
    words = ["--view", "right", *(word for pair in keys.items() for word in pair)]
    said = []
    for seed, classes in ((1, 5), (2, 5), (1, 7)):
        more = [*words, "MODEL.NUM_CLASSES", classes, "RNG_SEED", seed]
        assert tool("extract_features", *base(helpers, clips, tmp_path / f"{seed}{classes}", *more)) == 0
        said.append(capsys.readouterr().out)
    whole = f"--checkpoint none: weights are those of the folder {tmp_path / 'folder'}"
    assert whole + "\n" in said[0]
    assert whole + "; new and random: classifier (of another class count)\n" in said[2]
    one, other, new = (load_features(tmp_path / name / "user_1/Right_1.npz") for name in ("15", "25", "17"))
    assert np.array_equal(one.feats, other.feats) and np.array_equal(one.feats, new.feats)
    assert "RNG_SEED" not in one.settings and "RNG_SEED 1" in new.settings
    hugging_face.write(tmp_path / "folder", "vjepa2", scale=0.2)
    more = [*words, "MODEL.NUM_CLASSES", 5]
    assert tool("extract_features", *base(helpers, clips, tmp_path / "15", *more)) == 2
    folder = ["--checkpoint", tmp_path / "folder"]
    assert tool("extract_features", *base(helpers, clips, tmp_path / "x", *more, *folder)) == 2
    assert "a folder of Hugging Face is MODEL.BACKBONE, with none here" in capsys.readouterr().err


def test_the_last_of_several_configurations_wins(helpers, tool, clips, tmp_path):
    (tmp_path / "more.yaml").write_text("FEATURES: {STRIDE: 5}\n")
    words = base(helpers, clips, tmp_path / "out", "--view", "right", "--cfg", tmp_path / "more.yaml")
    assert tool("extract_features", *words) == 0
    assert load_features(tmp_path / "out/user_1/Right_1.npz").stride == 5


def test_shards_and_options_by_command(helpers, tool, clips, tmp_path):
    assert tool("extract_features", *base(helpers, clips, tmp_path / "one", "--view", "right")) == 0
    for shard in ("1/2", "2/2"):
        status = tool("extract_features", *base(helpers, clips, tmp_path / "two", "--view", "right", "--shard", shard))
        assert status == 0
    assert helpers.contents(tmp_path / "one") == helpers.contents(tmp_path / "two")
    options = ["--fps", "5", "--tail", "pad", "--batch-size", "2", "--stride", "4", "--precision", "bf16"]
    assert tool("extract_features", *base(helpers, clips, tmp_path / "three", "--view", "right", *options)) == 0
    features = load_features(tmp_path / "three/user_1/Right_1.npz")
    assert (features.fps, features.stride, features.num_frames) == (5.0, 4, 12)
    assert '"precision": "bf16"' in features.settings
    options[-1] = "auto"
    assert tool("extract_features", *base(helpers, clips, tmp_path / "four", "--view", "right", *options)) == 0
    exact = load_features(tmp_path / "four/user_1/Right_1.npz")
    assert '"precision": "off"' in exact.settings and 0 < np.abs(exact.feats - features.feats).max() < 0.5


def test_strict(helpers, tool, clips, tmp_path, capsys):
    assert tool("extract_features", *base(helpers, clips, tmp_path, "--strict", "--view", "Dash")) == 0
    assert tool("extract_features", *base(helpers, clips, tmp_path, "--strict", "--view", "REAR")) == 2
    assert "features.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--view", "Top"], "starts with --view 'Top'"),
        (["--shard", "3/2"], "--shard is '3/2'"),
        (["--batch-size", "0"], "FEATURES.BATCH_SIZE is 0"),
        (["--fps", "-1"], "FEATURES.FPS is -1"),
        (["--fps", "1e9"], "FEATURES.FPS is 1e+09, up to 1000"),
        (["FEATURES.STRID", "4"], "did you mean FEATURES.STRIDE"),
        (["--checkpoint", "nowhere.pth"], "no such file"),
        (["--video-dir", "nowhere"], "is no folder"),
    ],
)
def test_bad_input_is_one_sentence(helpers, tool, clips, tmp_path, capsys, more, words):
    assert tool("extract_features", *base(helpers, clips, tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_output_that_cannot_be_written(helpers, tool, clips, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert tool("extract_features", *base(helpers, clips, tmp_path / "file" / "out")) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert tool("export_features", "--format", "npy", "--features", clips, "--output-dir", tmp_path / "x") == 2


def test_weights_from_a_file(helpers, tool, clips, tmp_path, capsys):
    cfg = load_config(helpers.TINY)
    torch.manual_seed(7)
    torch.save({"model_state": build_model(cfg).state_dict()}, tmp_path / "weights.pyth")
    arguments = base(helpers, clips, tmp_path / "out", "--view", "Dash", "--checkpoint", tmp_path / "weights.pyth")
    assert tool("extract_features", *arguments) == 0
    assert tool("extract_features", *base(helpers, clips, tmp_path / "random", "--view", "Dash")) == 0
    loaded, random = (load_features(tmp_path / name / "user_1/Dash_1.npz") for name in ("out", "random"))
    assert np.abs(loaded.feats - random.feats).max() > 0.1


def test_the_same_weights_in_another_file_are_the_same(helpers, tool, clips, tmp_path, capsys):
    def features(seed, name, **more):
        torch.manual_seed(seed)
        save_checkpoint(tmp_path / name, {"model_state": build_model(load_config(helpers.TINY)).state_dict(), **more})
        return tool(
            "extract_features",
            *base(helpers, clips, tmp_path / "out", "--view", "Dash", "--checkpoint", tmp_path / name),
        )

    assert features(7, "best.pyth", epoch=1) == 0
    before = helpers.contents(tmp_path / "out")
    assert features(7, "elsewhere.pyth", epoch=2, cfg="other") == 0 and helpers.contents(tmp_path / "out") == before
    assert features(8, "best.pyth", epoch=1) == 2 and "other settings (weights " in capsys.readouterr().err
    assert helpers.contents(tmp_path / "out") == before


def test_weights_of_another_model_are_refused(helpers, tool, clips, tmp_path, capsys, repo):
    other = build_model(load_config(repo / "configs/demo/models/sf32_k700.yaml"))
    torch.save({"model_state": other.state_dict()}, tmp_path / "sf.pyth")
    assert tool("extract_features", *base(helpers, clips, tmp_path / "out", "--checkpoint", tmp_path / "sf.pyth")) == 2
    error = capsys.readouterr().err
    assert "sf.pyth" in error and "Traceback" not in error
    assert not list((tmp_path / "out").rglob("*.npz"))


def test_benchmark(helpers, tool, shared, capsys):
    folder = shared / "videos" / "dark"
    assert tool("extract_features", "--cfg", helpers.TINY, "--video-dir", folder, "--view", "Turn", "--benchmark") == 0
    said = capsys.readouterr().out.rstrip()
    assert said.startswith("video=Turn_1_1.mp4 frames=36 windows=3 ") and said.endswith(" largest_difference=0")


@pytest.mark.slow
def test_one_pass_is_three_times_as_fast_as_every_window_by_itself(shared, repo):
    for name in ("videomae_vith_k400", "videomae_vitl_hybrid_k700"):
        cfg = load_config(repo / f"configs/features/{name}.yaml")
        path = shared / "videos/long_139s_10fps.mp4"
        figures = compare_data_paths(path, build_plan(cfg), build_preprocess(cfg))
        assert (figures["frames"], figures["windows"], figures["largest_difference"]) == (1394, 86, 0)
        assert figures["open_ratio"] >= 3 and figures["seek_ratio"] > 1.5


@pytest.mark.slow
def test_processes_of_a_job_share_the_videos(helpers, tool, clips, tmp_path, repo):
    assert tool("extract_features", *base(helpers, clips, tmp_path / "one")) == 0
    launcher = [sys.executable, repo / "tools/spawn.py", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, repo / "tools/extract_features.py", *base(helpers, clips, tmp_path / "two")]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # a launcher gives one; other sums round differently
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, env={**os.environ, **threads}
    )
    assert done.returncode == 0, done.stderr
    assert helpers.contents(tmp_path / "one") == helpers.contents(tmp_path / "two")


@pytest.mark.parametrize("name", ["recentre", "batchnorm"])
def test_features_of_a_network_adapted_to_the_videos(helpers, tool, clips, tmp_path, repo, capsys, name):
    cfg = repo / "configs/demo/models/uniformer_b32_k600.yaml"
    small = ["DATA.NUM_FRAMES", "4", "DATA.TEST_CROP_SIZE", "32", "FEATURES.STRIDE", "4", "ADAPT.BATCH_SIZE", "4"]
    small += ["NUM_GPUS", "0", "DATA.TRAIN_CROP_SIZE", "32", "DATA.SAMPLING_RATE", "2"]

    def features(folder, *opts):
        arguments = base(helpers, clips, tmp_path / folder, "--view", "Right", *opts)
        arguments[1] = cfg
        assert tool("extract_features", *arguments, *small) == 0, capsys.readouterr().err
        return [load_features(path) for path in sorted((tmp_path / folder).rglob("*.npz"))]

    plain, adapted = features("plain"), features("adapted", "TEST.ADAPT", name)
    assert all(np.abs(one.feats - other.feats).max() > 1e-3 for one, other in zip(plain, adapted))
    again = features("again", "TEST.ADAPT", name, "--shard", "1/1")
    assert all(np.array_equal(one.feats, other.feats) for one, other in zip(adapted, again))
    assert '"adapted"' in adapted[0].settings and '"adapted"' not in plain[0].settings
    arguments = base(helpers, clips, tmp_path / "plain", "--view", "Right", "TEST.ADAPT", name)
    arguments[1] = cfg
    assert tool("extract_features", *arguments, *small) == 2
    # The adaptation saw all videos: with another one among them the others are other features, too.
    shutil.copytree(clips, tmp_path / "clips")
    shutil.copy(clips / "user_1/Right_1.mp4", tmp_path / "clips/user_2/Right_2.mp4")
    words = [tmp_path / "clips" if word is clips else word for word in arguments]
    words[words.index(tmp_path / "plain")] = tmp_path / "adapted"
    assert tool("extract_features", *words, *small) == 2 and "other settings (adapted " in capsys.readouterr().err
    if name == "recentre":
        off = [np.abs(np.mean([one.feats.mean(0) for one in made], 0)).mean() for made in (plain, adapted)]
        assert off[1] < 0.3 * off[0]


def test_nothing_to_adapt_and_own_code(helpers, tool, clips, tmp_path, capsys):
    assert tool("extract_features", *base(helpers, clips, tmp_path / "out", "TEST.ADAPT", "batchnorm")) == 2
    assert "batchnorm has nothing to adapt" in capsys.readouterr().err
    (tmp_path / "own.py").write_text("raise ValueError('not today')\n")
    assert tool("extract_features", *base(helpers, clips, tmp_path / "out", "--plugin", tmp_path / "own.py")) == 2
    assert "not today" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.npz"))
