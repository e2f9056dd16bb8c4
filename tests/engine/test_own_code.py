"""Faults of own code: one sentence that names file, line or class, exit 2, and what is left behind."""

import pytest
import torch

from slowfast.config import load_config
from slowfast.engine.adapt import Adaptation
from slowfast.engine.build import build_optimizer
from slowfast.engine.methods import feature_width
from slowfast.engine.predictor import Predictor
from slowfast.models import build_model
from slowfast.solver import OPTIMIZERS, construct_optimizer
from slowfast.utils.errors import InputError

from .tiny import CONFIG

METHOD = """
from slowfast.engine.methods import METHODS, LabelledLoss, Measure, Method, Reads


@METHODS.register("own")
class Own(Method):
    def __init__(self, cfg, network, device):
        super().__init__(cfg, network, device)
        self.loss = LabelledLoss(cfg, device)

    @classmethod
    def loaders(cls, cfg):
        return {"labelled": Reads("train_label")}

    def step(self, batches):
        return self.update(self.one, self.loss.prepare(batches["labelled"]))

    def one(self, batch):
        logits, features = self.network(batch["clips"], with_features=True)
        return self.loss(logits, batch)
"""
NETWORK = """
from torch import nn

from slowfast.models import NETWORKS, Network


@NETWORKS.register("own_net")
class OwnNet(Network):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv3d(3, 8, 3, padding=1)
        self.head = nn.Linear(8, classes)

    @classmethod
    def from_cfg(cls, cfg):
        return cls(cfg.MODEL.NUM_CLASSES)

    def forward_features(self, clips):
        return self.conv(clips).mean((2, 3, 4))
"""


@pytest.fixture
def own(run, tmp_path):
    """Run an own file with one place changed; return (status, what it said, its output folder)."""

    def own(text, old="", new="", *opts):
        assert old in text
        path = tmp_path / "own.py"
        path.write_text(text.replace(old, new, 1))
        status = run("out", "--plugin", path, *opts)
        return status, run.log("out"), tmp_path / "out"

    return own


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('{"labelled": Reads("train_label")}', "None", "loaders of Own returned None; return {name: Reads(...)}"),
        ('Reads("train_label")', '("train_label", "light")', "loaders of Own returned {'labelled': ('train_label'"),
        ("self.loss = L", "self.two = network; self.loss = L", "keeps 'two' and 'network', which are one network"),
        ("self.loss = L", "self.loss = cfg.NO.KEY", "own.py, line 9, in __init__: AttributeError: NO; mend the file"),
    ],
)  # fmt: skip
def test_a_wrong_method_leaves_nothing(old, new, words, own):
    status, said, folder = own(METHOD, old, new, "TRAIN.METHOD", "own", "TEST.ENABLE", "False")
    assert status == 2 and words in said.splitlines()[-1] and not folder.exists()


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ('return batches["pool"]', "own.py, line 16, in step: KeyError: 'pool'; mend the file (traceback in "),
        ("pass", "step of Own returned a NoneType; return a dict"),
        ('return {"a": self.network.head.weight}', "returned 'a' as a Parameter that is not one number"),
        ('return {"a": "b"}', "returned 'a' as a str that is not one number"),
    ],
)
def test_a_step_that_fails_is_told_and_its_traceback_is_in_the_log(new, words, own):
    old = 'return self.update(self.one, self.loss.prepare(batches["labelled"]))'
    status, said, folder = own(METHOD, old, new, "TRAIN.METHOD", "own", "TEST.ENABLE", "False")
    assert status == 2 and words in said.splitlines()[-1] and "Traceback" not in said
    assert not list(folder.rglob("*.pyth")) and not (folder / "metrics.jsonl").exists()
    # What is refused without a traceback leaves no folder behind.
    log = folder / "stdout.log"
    assert (log.is_file() and "Traceback" in log.read_text()) == ("line 16" in words) == folder.exists()


def test_a_step_reads_features_with_one_process_and_with_two(own, pair, tmp_path):
    opts = ("TRAIN.METHOD", "own", "TEST.ENABLE", "False", "SOLVER.MAX_EPOCH", "1")
    status, said, _ = own(METHOD, "", "", *opts)
    assert status == 0, said
    assert pair("two", "--plugin", tmp_path / "own.py", *opts) == [0, 0], pair.log("two")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("return cls(cfg.MODEL.NUM_CLASSES)", "cls(1)", "from_cfg returned a NoneType"),
        ("self.head =", "self.fc =", "OwnNet has no classifier that begins with head."),
        ("class OwnNet(Network):", "class OwnNet(Network):\n    head_names = ('fc.',)", "begins with fc."),
        (".mean((2, 3, 4))", "", "forward_features of OwnNet gives (8, 8, 4, 32, 32), pooled to (B, D) is needed"),
    ],
)
def test_a_wrong_network_is_told(old, new, words, own):
    status, said, folder = own(NETWORK, old, new, "MODEL.ARCH", "own_net", "BN.USE_PRECISE_STATS", "False")
    assert status == 2 and words in said.splitlines()[-1] and "Traceback" not in said
    assert not list(folder.rglob("*.pyth"))


def test_a_network_without_blocks_cannot_save_memory(own):
    status, said, folder = own(NETWORK, "", "", "MODEL.ARCH", "own_net", "MODEL.USE_CHECKPOINT", "True")
    assert status == 2 and "OwnNet has no `blocks` to compute again" in said and not folder.exists()


def test_a_failure_elsewhere_names_the_loaded_files(own):
    text = "from slowfast.solver import OPTIMIZERS\nOPTIMIZERS.register('own')(lambda groups, lr: None)\n"
    status, said, _ = own(text, "", "", "SOLVER.OPTIMIZING_METHOD", "own")
    assert status == 1 and "own.py gave back or takes)" in said.splitlines()[-1]


def test_keys_of_own_code_are_named_where_the_file_is_missing(run):
    assert run("out", "TWIN.WEIGHT", "1") == 2
    assert "unknown key TWIN.WEIGHT" in run.log("out") and "come with --plugin FILE.py" in run.log("out")
    assert run("out", "SOLVER.WEIGHT", "1") == 2 and run.log("out").count("--plugin") == 1


def test_what_is_no_optimizer_and_no_network_is_refused(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS._choices, "none", lambda groups, **_: None)
    with pytest.raises(InputError, match="SOLVER.OPTIMIZING_METHOD none made a NoneType"):
        construct_optimizer([{"params": [torch.nn.Parameter(torch.ones(1))]}], method="none", lr=0.1)

    class Forgets(Adaptation):
        def adapt(self, model, pool):
            pass

    cfg = load_config(CONFIG)
    with pytest.raises(InputError, match="adapt of Forgets returned a NoneType; return the network to test"):
        Predictor(cfg, build_model(cfg), torch.device("cpu")).adapted(Forgets(cfg), None)


def test_a_second_network_needs_no_layers_and_a_network_does():
    small = ["MODEL.ARCH", "sf", "SF.DEPTH", "[1, 1, 1, 1]", "SF.WIDTH", "8"]  # its two paths have no order of layers
    cfg = load_config(CONFIG, ["SOLVER.LAYER_DECAY", "0.5", *small])
    optimizer = build_optimizer(cfg, torch.nn.Linear(2, 2))
    assert all(group["lr_scale"] == 1.0 for group in optimizer.param_groups)
    with pytest.raises(InputError, match="has no `layer_of"):
        build_optimizer(cfg, build_model(cfg))


@pytest.mark.parametrize("name", ["uniformer", "mvit", "sf", "videomae"])
def test_the_width_of_features_is_measured_without_a_trace(name):
    sizes = ["SF.DEPTH", "[1, 1, 1, 1]", "SF.WIDTH", "8", "VIDEOMAE.EMBED_DIM", "32", "VIDEOMAE.DEPTH", "1",
             "VIDEOMAE.NUM_HEADS", "2", "MVIT.DEPTH", "1"]  # fmt: skip
    cfg = load_config(CONFIG, ["MODEL.ARCH", name, *sizes])
    model = build_model(cfg).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    width = feature_width(cfg, model, torch.device("cpu"))
    logits, features = model(torch.rand(2, 3, 4, 32, 32), with_features=True)
    assert features.shape == (2, width) and logits.shape == (2, 11)
    model.load_state_dict(before)
    feature_width(cfg, model, torch.device("cpu"))
    assert model.training and all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
