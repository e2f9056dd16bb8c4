"""Log lines and curves of records, whatever the measures are called."""

import logging
import types

import pytest

from slowfast.engine.hooks import Hook
from slowfast.engine.hooks.log_lines import LogLines
from slowfast.engine.hooks.tensorboard import Curves

RECORD = {"epoch": 2, "iter": 3, "loss": 1.25, "lr": 0.1, "keep rate": 0.5}
EVALUATION = {"epoch": 2, "split": "dark", "top1_err": 40.0, "top5_err": 10.0, "min_top1_err": 30.0}


@pytest.fixture
def trainer():
    return types.SimpleNamespace(max_epoch=4, length=5, steps_done=5)


def test_lines_name_every_measure_and_the_time_left(trainer, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    lines = LogLines({"dark": "training clips"})
    lines.start(trainer)
    lines.began -= 30.0
    trainer.steps_done = 8
    with caplog.at_level(logging.INFO, "slowfast"):
        lines.record(trainer, "train_iter", RECORD)
        lines.record(trainer, "train_epoch", RECORD)
        lines.record(trainer, "val_epoch", EVALUATION)
    assert caplog.messages == [
        "epoch 2/4 iter 3/5 loss 1.25 lr 0.1 keep rate 0.5 ETA 2:00",
        "epoch 2 dark (training clips) top-1 60.00 % (best 70.00 %)",
    ]


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
    trainer.steps_done = 8
    curves.record(trainer, "train_iter", RECORD)
    curves.record(trainer, "val_epoch", EVALUATION)
    curves.finish(trainer)
    assert made[0] == ("open", 6) and made[-1] == "closed" and ("val/dark_top1", 60.0, 10) in made
    assert {("train/loss", 1.25, 8), ("train/keep rate", 0.5, 8), ("train/lr", 0.1, 8)} == set(made[1:4])


def test_a_hook_needs_nothing(trainer):
    hook = Hook()
    hook.start(trainer)
    hook.record(trainer, "train_iter", {})
    hook.load_state_dict(hook.state_dict())
    hook.finish(trainer)
