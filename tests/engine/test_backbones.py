"""Networks of other libraries are voters: trained, adapted, tested to a PKL; what does not fit ends in a sentence."""

import numpy as np
import pytest
import torch

from slowfast.apps.export_weights import export_weights
from slowfast.apps.schedule import _made_of_training
from slowfast.apps.why import tree_of
from slowfast.config import load_config
from slowfast.ensemble import load_predictions
from slowfast.features.store import load_features
from slowfast.models import build_model
from slowfast.models.build import load_trained_weights
from tests.models.test_frames import TINY

ONE_EPOCH = ("SOLVER.MAX_EPOCH", "1")


@pytest.mark.parametrize("head", ["linear", "attentive"])
def test_a_folder_is_a_voter_and_comes_back_as_one(head, run, tmp_path):
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    hugging_face.write(tmp_path / "folder", "vjepa2")
    opts = ("MODEL.ARCH", "huggingface", "MODEL.BACKBONE", str(tmp_path / "folder"), "MODEL.HEAD", head)
    assert run("out", *opts, *ONE_EPOCH) == 0
    new = ["classifier (of another class count)", *(["probe (MODEL.HEAD attentive)"] if head == "attentive" else [])]
    assert f"new, to be trained: {', '.join(new)}\n" in run.log("out")
    assert "are used in place of DATA.MEAN" in run.log("out")
    assert "this network has no BatchNorm: BN.USE_PRECISE_STATS does nothing" in run.log("out")
    predictions = load_predictions(next((tmp_path / "out").glob("total_unlabel*.pkl")))
    assert predictions.video_preds.shape == (9, 11)
    if head == "linear":
        cfg = load_config(tmp_path / "out/config.yaml.resolved")
        model = build_model(cfg)
        load_trained_weights(cfg, model, tmp_path / "out/best.pyth")
        export_weights(cfg, model, "huggingface", tmp_path / "trained")
        kind = hugging_face.transformers.VJEPA2ForVideoClassification
        assert kind.from_pretrained(tmp_path / "trained").config.num_labels == 11
    assert run("other", *opts, "DATA.NUM_FRAMES", "3") == 2
    assert "takes frames in groups of 2" in run.log("other")


def test_the_weights_of_a_folder_are_the_starting_weights(run, tmp_path):
    """They are said to be, stand in the record, and a change of them is a change of what the training is made from."""
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    hugging_face.write(tmp_path / "folder", "vivit")
    opts = ("MODEL.ARCH", "huggingface", "MODEL.BACKBONE", str(tmp_path / "folder"), *ONE_EPOCH, "TEST.ALSO", "[]")
    assert (
        run("out", *opts, "SOLVER.BASE_LR", "0.0", "SOLVER.WARMUP_START_LR", "0.0", "SOLVER.COSINE_END_LR", "0.0") == 0
    )
    assert "random weights" not in run.log("out")
    assert f"starting from the weights of the folder {tmp_path / 'folder'}" in run.log("out")
    trained = torch.load(tmp_path / "out/best.pyth", weights_only=True)["model_state"]
    theirs = hugging_face.build(tmp_path / "folder", "vivit").state_dict()
    kept = [name for name in theirs if not name.startswith("classifier.")]
    assert kept and all(torch.equal(trained[name], theirs[name]) for name in kept)
    tree = tree_of(tmp_path / "out/best.pyth")
    start = next(node for node in tree.parents if node.role == "starting weights")
    assert (start.path, start.state) == (str(tmp_path / "folder"), "as it was") and start.made_of is None
    cfg = load_config(tmp_path / "out/config.yaml.resolved")
    before = made_of_job_of(cfg)
    hugging_face.write(tmp_path / "folder", "vivit", scale=0.2)
    assert [node.state for node in tree_of(tmp_path / "out/best.pyth").parents if node.role == "starting weights"] == [
        "changed: the content of folder"
    ]
    assert made_of_job_of(cfg) != before


def made_of_job_of(cfg):
    """What the schedule takes for the starting weights of a training."""
    return _made_of_training(cfg, {}).inputs["starting weights"]


def test_a_trunk_that_stays_random_is_told_and_a_folder_that_nothing_reads_is_refused(run, tmp_path):
    probe = ("TRAIN.PROBE", "True", "MIXUP.PROB", "0.0", *ONE_EPOCH, "TEST.ENABLE", "False")
    assert run("out", "MODEL.ARCH", "frames", "MODEL.BACKBONE", TINY, *probe) == 0
    assert "random weights, and TRAIN.PROBE leaves the trunk as it is: set TRAIN.CHECKPOINT_FILE_PATH" in run.log("out")
    assert run("other", "MODEL.ARCH", "videomae", "MODEL.BACKBONE", "pretrained/videomae") == 2
    assert "which MODEL.ARCH videomae does not read: set MODEL.ARCH huggingface (a folder)" in run.log("other")


def test_an_image_network_is_a_voter(run, tmp_path):
    assert run("out", "MODEL.ARCH", "frames", "MODEL.BACKBONE", TINY, *ONE_EPOCH) == 0
    assert "this network has no BatchNorm" not in run.log("out")
    predictions = load_predictions(next((tmp_path / "out").glob("total_unlabel*.pkl")))
    assert predictions.video_preds.shape == (9, 11)


def test_two_processes_miss_no_gradient(pair, tmp_path):
    """V-JEPA 2's predictor, which never gets one, would stop the second step."""
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    hugging_face.write(tmp_path / "folder", "vjepa2")
    opts = ("MODEL.ARCH", "huggingface", "MODEL.BACKBONE", str(tmp_path / "folder"), *ONE_EPOCH, "TEST.ENABLE", "False")
    assert pair("out", *opts) == [0, 0]


@pytest.mark.slow
def test_without_batchnorm_there_are_other_ways_to_adapt_and_all_commands_work(run, server, data, repo, tmp_path):
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    hugging_face.write(tmp_path / "folder", "videomae")
    opts = ("MODEL.ARCH", "huggingface", "MODEL.BACKBONE", str(tmp_path / "folder"), *ONE_EPOCH)
    also = (
        "TEST.ALSO",
        "['test:1x1','test:1x1:::recentre','test:1x1:::sar']",
        "ADAPT.LR",
        "0.05",
        "ADAPT.MARGIN",
        "1.0",
    )
    assert run("out", *opts, *also) == 0, run.log("out")
    found = {path.stem: load_predictions(path).video_preds for path in (tmp_path / "out").glob("test*.pkl")}
    plain = found.pop("testx4x32x1x1")
    assert len(found) == 2 and all(np.isfinite(scores).all() for scores in found.values())
    assert not [name for name, scores in found.items() if np.array_equal(scores, plain)]
    trained = ["--cfg", tmp_path / "out/config.yaml.resolved", "--checkpoint", tmp_path / "out/best.pyth"]
    layer = ["--layer", "videomae.encoder.layer.1", "--pool", "cls", "FEATURES.TAIL", "pad"]
    folders = ["--video-dir", data / "videos", "--view", "test", "--output-dir", tmp_path / "feats"]
    commands = {
        "predict": [data / "videos/test0.mp4", *trained, "--json", tmp_path / "answers.json"],
        "extract_features": [*trained, *folders, *layer],
    }
    for name, words in commands.items():
        pid = server.command(tmp_path / f"{name}.log", repo / f"tools/{name}.py", words, tmp_path)
        assert server.wait(pid) == 0, (tmp_path / f"{name}.log").read_text()
    assert load_features(next((tmp_path / "feats").rglob("*.npz"))).feats.shape[1] == 32
