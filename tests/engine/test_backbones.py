"""Networks of other libraries are voters: trained, adapted, tested to a PKL; what does not fit ends in a sentence."""

import pytest

from slowfast.apps.export_weights import export_weights
from slowfast.config import load_config
from slowfast.ensemble import load_predictions
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
    assert "classifier of another class count: new, to be trained" in run.log("out")
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
