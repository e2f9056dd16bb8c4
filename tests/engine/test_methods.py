"""Training methods: own ones from a file, mean teacher, what they measure and keep, what is refused."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from slowfast.config import load_config
from slowfast.engine.build import build_method
from slowfast.engine.checkpoint import load_checkpoint
from slowfast.engine.methods import Method, Reads, chosen_method, frozen_copy
from slowfast.models import build_model
from slowfast.utils.errors import InputError

TRAIN = ("TEST.ENABLE", "False")
INSIDE = ("TRAIN.SAVE_EVERY_MINUTES", "1e-6")
TEACHER = (
    "TRAIN.METHOD", "mean_teacher", "MEAN_TEACHER.THRESHOLD", "0.1", "MEAN_TEACHER.DECAY", "0.9",
    "TRAIN.STEPS_PER_EPOCH", "4",
)  # fmt: skip

VIT = (
    "MODEL.ARCH", "videomae", "VIDEOMAE.EMBED_DIM", "16", "VIDEOMAE.DEPTH", "1", "VIDEOMAE.NUM_HEADS", "2",
    "BN.USE_PRECISE_STATS", "False",
)  # fmt: skip

# As a person would write it: two views of unlabelled clips should give the same logits; a running centre is kept.
OWN = '''
"""Consistency of two strong views."""

import torch

from slowfast.config import add_keys
from slowfast.engine.methods import METHODS, LabelledLoss, Measure, Method, Reads

add_keys("TWIN", {"WEIGHT": 0.5, "SPLIT": "total_unlabel"})


@METHODS.register("twin")
class Twin(Method):
    """Labelled loss plus the distance of two views."""

    def __init__(self, cfg, network, device):
        super().__init__(cfg, network, device)
        self.weight = cfg.TWIN.WEIGHT
        self.loss = LabelledLoss(cfg, device)
        self.scale = torch.nn.Linear(cfg.MODEL.NUM_CLASSES, cfg.MODEL.NUM_CLASSES).to(device)
        self.register_buffer("centre_K", torch.zeros(cfg.MODEL.NUM_CLASSES, device=device))

    @classmethod
    def loaders(cls, cfg):
        pool = Reads(cfg.TWIN.SPLIT, "dark", labelled=False, views=("strong", "strong2"))
        return {"labelled": Reads("train_label"), "pool": pool}

    def step(self, batches):
        measures = self.update(self.both, self.loss.prepare(batches["labelled"]), batches["pool"])
        return {**measures, "centre": float(self.centre_K.norm()), "%s": Measure(3.0, 2.0)}

    def both(self, labelled, pool):
        loss, measured = self.loss(self.network(labelled["clips"]), labelled)
        first, second = self.network(pool["strong"]), self.network(pool["strong2"])
        distance = (self.scale(first) - second - self.centre_K).square().mean()
        self.centre_K.lerp_(second.detach().mean(0), 0.1)
        return loss + self.weight * distance, {**measured, "distance": distance.detach()}
'''


ODD = """
class Odd(torch.nn.Linear):
    get_extra_state = set_extra_state = lambda self, state=None: object()
"""


@pytest.fixture
def plugin(tmp_path):
    """Write the own method and return the arguments that choose it."""

    def plugin(text=OWN % "three", name="twin"):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return ("TRAIN.METHOD", name, *TRAIN, "--plugin", str(path))

    return plugin


def lines(folder, kind):
    """The measurements of one kind."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["_type"] == kind]


def test_an_own_method_trains_and_its_measures_are_recorded(plugin, run, tmp_path):
    assert run("out", *plugin(), "TWIN.WEIGHT", "0.25", "TENSORBOARD.ENABLE", "True") == 0, run.log("out")
    first = lines(tmp_path / "out", "train_iter")[0]
    order = ["loss", "grad_norm", "lr", "top1_err", "top5_err", "distance", "centre", "three"]
    assert list(first) == ["_type", "epoch", "iter", *order]
    epochs = lines(tmp_path / "out", "train_epoch")
    assert set(epochs[0]) == {"_type", "epoch", "lr", "loss", "top1_err", "top5_err", "distance", "centre", "three"}
    distances = [record["distance"] for record in lines(tmp_path / "out", "train_iter") if record["epoch"] == 1]
    assert epochs[0]["distance"] == pytest.approx(np.mean(distances), rel=1e-5) and epochs[0]["three"] == 3.0
    assert " distance " in run.log("out") and " three 3 " in run.log("out")
    assert any(b"train/distance" in path.read_bytes() for path in (tmp_path / "out/tensorboard").iterdir())
    state = load_checkpoint(tmp_path / "out/best.pyth")
    assert state["networks"].keys() == {"scale"} and state["method_state"]["centre_K"].any()
    assert torch.load(tmp_path / "out/best.pyth", weights_only=True)["networks"]["scale"]["weight"].shape == (11, 11)


@pytest.mark.parametrize("fault", ["kill@step:2", "kill@step:4", "kill@write:2", "kill@eval:3"])
def test_an_own_method_goes_on_exactly(fault, plugin, run, tiny, tmp_path):
    opts = plugin()
    assert run("calm", *opts) == 0, run.log("calm")
    assert run("out", *opts, *INSIDE, fault=fault) == -9
    assert run("out", *opts) == 0, run.log("out")
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


def test_an_own_method_in_two_processes(plugin, pair, tiny, tmp_path):
    opts = plugin()
    assert pair("calm", *opts) == [0, 0], pair.log("calm", 0) + pair.log("calm", 1)
    assert pair("out", *opts, *INSIDE, faults=("kill@step:3", "kill@step:3")) == [-9, -9]
    assert pair("out", *opts) == [0, 0], pair.log("out")
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


def test_mean_teacher_tests_the_teacher(run, tmp_path):
    assert run("out", *TEACHER, "SOLVER.MAX_EPOCH", "1", "BN.USE_PRECISE_STATS", "False") == 0, run.log("out")
    records = lines(tmp_path / "out", "train_iter")
    assert all(0 <= record["keep_rate"] <= 1 for record in records) and records[0]["keep_rate"] > 0
    assert all(
        record["loss"] == pytest.approx(record["supervised_loss"] + record["consistency_loss"], rel=1e-4)
        for record in records
    )
    state = load_checkpoint(tmp_path / "out/best.pyth")
    teacher, student = state["model_state"], state["networks"]["network"]
    assert teacher.keys() == student.keys() and state["method_state"]["updates"] == 4
    assert not all(torch.equal(teacher[name], student[name]) for name in teacher)
    assert list((tmp_path / "out").glob("*.pkl"))


@pytest.mark.parametrize("fault", ["kill@step:3", "kill@step:6", "kill@bn:3", "kill@write:3"])
def test_mean_teacher_goes_on_exactly(fault, run, tiny, tmp_path):
    assert run("calm", *TEACHER, *TRAIN) == 0, run.log("calm")
    assert run("out", *TEACHER, *TRAIN, *INSIDE, fault=fault) == -9
    assert run("out", *TEACHER, *TRAIN) == 0, run.log("out")
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


def test_mean_teacher_in_two_processes(pair, tiny, tmp_path):
    opts = (*TEACHER, *TRAIN, "TRAIN.ACCUMULATE", "2")
    assert pair("calm", *opts) == [0, 0], pair.log("calm", 0) + pair.log("calm", 1)
    assert pair("out", *opts, *INSIDE, faults=("kill@step:6", "kill@step:6")) == [-9, -9]
    assert pair("out", *opts) == [0, 0], pair.log("out")
    assert tiny.results(tmp_path / "out") == tiny.results(tmp_path / "calm")


def test_a_state_without_the_teacher_is_refused(run, tmp_path):
    assert run("first", *TRAIN, "SOLVER.MAX_EPOCH", "1") == 0
    start = ("TRAIN.CHECKPOINT_FILE_PATH", str(tmp_path / "first/best.pyth"))
    assert run("out", *TEACHER, *TRAIN, *start, "TRAIN.CHECKPOINT_KEEP_EPOCH", "True") == 2
    assert "network, method or optimizer" in run.log("out") and "CHECKPOINT_KEEP_EPOCH False" in run.log("out")
    assert run("out", *TEACHER, *TRAIN, *start) == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("total_unlabel", "dusk", "the split 'dusk' is unknown, DATA.SPLITS has train_label"),
        ('"dark"', '"dim"', "reads 'total_unlabel' as 'dim', 'light' or 'dark' is needed"),
        ('("strong", "strong2")', '("strong", "strong")', "the views strong, strong are asked for"),
        ("self.scale =", "self.again = network; self.scale =", "keeps 'again' and 'network', which are one network"),
        ("import torch\n", "import nothing_like_it\n", "line 4, does not import (ModuleNotFoundError"),
        ("self.scale =", "self.odd = Odd(2, 2); self.scale =", "keeps 'odd', whose state '_extra_state' is a object"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_anything_is_written(old, new, words, plugin, run, tmp_path):
    assert run("out", *plugin((OWN % "three").replace(old, new, 1) + ODD)) == 2
    assert words in run.log("out") and "Traceback" not in run.log("out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("opts", "words"),
    [
        (("TRAIN.BATCH_SIZE", "10"), "9 rows, fewer than one batch of 10"),
        (("MEAN_TEACHER.SPLIT", "dusk"), "the split 'dusk' is unknown"),
        ((*VIT, "TEST.ENABLE", "True", "TEST.ADAPT", "batchnorm"), "TEST.ADAPT batchnorm has nothing to adapt"),
    ],
)
def test_pools_and_adaptations_that_cannot_be_leave_nothing(opts, words, run, tmp_path):
    assert run("out", *TEACHER, *TRAIN, *opts) == 2
    assert words in run.log("out") and "Traceback" not in run.log("out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["lr", "epoch", "iter", "split", "_type"])
def test_reserved_names_are_refused_and_nothing_is_left(name, plugin, run, tmp_path):
    folder = ("OUTPUT_DIR", str(tmp_path / "new/out"))
    assert run("out", *plugin(OWN % name), "TENSORBOARD.ENABLE", "True", *folder) == 2
    said = run.log("out")
    assert f"measures {name!r}, a name that every record has already" in said and "Traceback" not in said
    assert not (tmp_path / "new").exists()


def test_reserved_names_in_two_processes_leave_nothing(plugin, pair, tmp_path):
    assert 2 in pair("out", *plugin(OWN % "lr")), pair.log("out")
    assert "measures 'lr'" in pair.log("out") + pair.log("out", 1) and not (tmp_path / "out").exists()


def test_a_folder_that_was_there_keeps_what_it_held(plugin, run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("mine")
    assert run("out", *plugin(OWN % "lr")) == 2
    assert (tmp_path / "out/notes.txt").read_text() == "mine" and (tmp_path / "out/stdout.log").exists()


def test_what_was_measured_before_bad_input_stays(plugin, run, tmp_path):
    count = "        self.calls = getattr(self, 'calls', 0) + 1\n        measures ="
    late = (OWN % "three").replace('"three"', '"three" if self.calls < 3 else "lr"')
    assert run("out", *plugin(late.replace("        measures =", count))) == 2 and "measures 'lr'" in run.log("out")
    assert lines(tmp_path / "out", "train_iter")


@pytest.fixture
def cfg(tiny):
    return load_config(tiny.CONFIG, ["OUTPUT_DIR", "unused"])


def method_of(cfg, **attributes):
    """Build a method that keeps something more."""

    class Own(Method):
        def __init__(self, *args):
            super().__init__(*args)
            for name, value in attributes.items():
                setattr(self, name, value)

    cfg = cfg.clone()
    cfg.defrost()
    cfg.TRAIN.METHOD = "own"
    from slowfast.engine.methods import METHODS

    METHODS._choices["own"] = Own
    try:
        return build_method(cfg, build_model(cfg), torch.device("cpu"))
    finally:
        del METHODS._choices["own"]


class Odd(nn.Linear):
    """Its state is no tensor."""

    def get_extra_state(self):
        return object()

    def set_extra_state(self, state):
        pass


def test_networks_that_cannot_be_saved_are_refused(cfg):
    with pytest.raises(InputError, match=r"keeps 'odd', whose state '_extra_state' is a object: only tensors"):
        method_of(cfg, odd=Odd(2, 2))
    with pytest.raises(InputError, match="all of them inside networks"):
        method_of(cfg, loose=nn.Parameter(torch.ones(2)))


def test_a_method_may_test_only_what_it_keeps(cfg):
    hidden = nn.Linear(2, 2)
    with pytest.raises(InputError, match="tests a network that it does not keep"):
        method_of(cfg, network_to_test=lambda: hidden)


def test_the_default_depends_on_the_table(cfg):
    assert chosen_method(cfg).__name__ == "Supervised"
    cfg = cfg.clone()
    cfg.defrost()
    cfg.DATA.PSEUDO_CSV = "pseudo.csv"
    assert chosen_method(cfg).__name__ == "PseudoLabel"
    cfg.TRAIN.METHOD = "supervised"
    assert chosen_method(cfg).__name__ == "Supervised"


def test_all_networks_that_learn_are_optimised(cfg):
    method = method_of(cfg, more=nn.Linear(2, 2), still=frozen_copy(nn.Linear(2, 2)))
    assert method.trained().keys() == {"network", "more"}
    optimised = {id(weight) for group in method.update.optimizer.param_groups for weight in group["params"]}
    assert {id(weight) for weight in method.more.parameters()} <= optimised
    assert not {id(weight) for weight in method.still.parameters()} & optimised


def test_light_decides_the_gamma():
    assert (Reads("a").role, Reads("a", "dark").role) == ("source", "target")
