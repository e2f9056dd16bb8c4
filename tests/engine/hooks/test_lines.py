"""Log lines and curves of records, whatever the measures are called."""

import logging
import types

import pytest

from slowfast.engine.hooks import Hook
from slowfast.engine.hooks.log_lines import LogLines
from slowfast.engine.hooks.tensorboard import Curves
from slowfast.engine.update import Measure

RECORD = {"epoch": 2, "iter": 3, "loss": 1.25, "lr": 0.1, "keep rate": 0.5}
EVALUATION = {"epoch": 2, "split": "dark", "top1_err": 40.0, "top5_err": 10.0, "min_top1_err": 30.0}


@pytest.fixture
def trainer():
    run = types.SimpleNamespace(epoch=1, iteration=0)
    return types.SimpleNamespace(max_epoch=4, length=5, steps_done=5, log_period=2, run=run, rates={})


@pytest.fixture
def said(caplog, monkeypatch):
    """The lines of the log."""
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    with caplog.at_level(logging.INFO, "slowfast"):
        yield caplog


def steps(trainer, lines, *batches, seconds=0.0):
    """Let a hook see iterations with errors of 100, 50, ... percent, some seconds apart."""
    for loss, error in batches:
        trainer.run.iteration += 1
        trainer.steps_done += 1
        lines.began, lines.said = lines.began - seconds, lines.said - seconds
        measures = {"loss": Measure(loss, 4), "grad_norm": Measure(2.0, 0.0), "top1_err": Measure(error, 4),
                    "top5_err": Measure(error / 2, 4), "keep rate": Measure(0.5), "target_top1_err": Measure(error, 1),
                    "hidden": Measure(1.0, 1, every_iteration=False)}  # fmt: skip
        lines.step(trainer, trainer.run.iteration, measures, 0.1)


def test_lines_hold_means_since_the_line_before_as_accuracies_and_the_time_left(trainer, said):
    lines = LogLines(num_classes=11, clips={"dark": "training clips"})
    lines.start(trainer)
    steps(trainer, lines, (1.0, 100.0), (2.0, 50.0), (4.0, 25.0), seconds=5.0)
    lines.record(trainer, "train_iter", RECORD)
    lines.record(trainer, "train_epoch", RECORD)
    lines.record(trainer, "val_epoch", EVALUATION)
    assert said.messages == [
        "epoch 2/4 iter 2/5 loss 1.5 grad_norm 2 top-1 25.00 % top-5 62.50 % keep rate 0.5 target top-1 25.00 % lr 0.1"
        " ETA 1:05",
        "epoch 2 dark (training clips) top-1 60.00 % (best 70.00 %)",
    ]
    trainer.rates = {"clips/s": 12.34, "waiting": 0.05, "GB": 10.2}
    steps(trainer, lines, (8.0, 25.0))
    assert " lr 0.1 12.3 clips/s waiting 5 % peak 10.2 GB ETA " in said.messages[-1]
    assert said.messages[-1].startswith("epoch 2/4 iter 4/5 loss 6 grad_norm 2 top-1 75.00 %")


@pytest.mark.parametrize(("classes", "there"), [(5, False), (2, False), (6, True)])
def test_top5_of_five_classes_says_nothing(classes, there, trainer, said):
    lines = LogLines(num_classes=classes)
    lines.start(trainer)
    steps(trainer, lines, (1.0, 100.0), (2.0, 50.0))
    assert len(said.messages) == 1 and ("top-5" in said.messages[0]) == there and "top5" not in said.messages[0]


def test_a_line_after_half_a_minute_however_few_iterations(trainer, said):
    trainer.log_period = 1000
    lines = LogLines(num_classes=11)
    lines.start(trainer)
    steps(trainer, lines, (1.0, 100.0), (3.0, 50.0), (5.0, 50.0), seconds=16.0)
    assert len(said.messages) == 1 and "iter 2/5 loss 2 " in said.messages[0]


def test_values_that_are_not_finite_do_not_hide_the_others(trainer, said):
    lines = LogLines(num_classes=11)
    lines.start(trainer)
    steps(trainer, lines, (float("nan"), 100.0), (3.0, 50.0))
    assert "iter 2/5 loss 3 " in said.messages[0]


def test_curves_go_on_where_the_run_goes_on(trainer, tmp_path, monkeypatch):
    made = []

    class Writer:
        def __init__(self, folder, purge_step):
            made.append(("open", purge_step))

        def add_scalar(self, *point):
            made.append(point)

        def close(self):
            made.append("closed")

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", Writer)
    curves = Curves(tmp_path)
    curves.start(trainer)
    trainer.steps_done, trainer.rates = 8, {"clips/s": 12.0}
    curves.record(trainer, "train_iter", RECORD)
    curves.record(trainer, "val_epoch", EVALUATION)
    curves.finish(trainer)
    assert made[0] == ("open", 5) and made[-1] == "closed" and ("val/dark_top1", 60.0, 10) in made
    assert {("train/loss", 1.25, 7), ("train/keep rate", 0.5, 7), ("train/lr", 0.1, 7)} == set(made[1:4])
    assert made[4] == ("pace/clips/s", 12.0, 7)


def test_a_hook_needs_nothing(trainer):
    hook = Hook()
    hook.start(trainer)
    hook.step(trainer, 1, {}, 0.1)
    hook.record(trainer, "train_iter", {})
    hook.load_state_dict(hook.state_dict())
    hook.finish(trainer)
