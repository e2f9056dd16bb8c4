"""The loop, with a network of three weights and counted batches: what happens in which order, and what it records."""

import types

import pytest
import torch
from torch import nn

from slowfast.engine import trainer as trainer_module
from slowfast.engine.checkpoint import CheckpointFolder, Saves, load_checkpoint
from slowfast.engine.hooks import Hook
from slowfast.engine.methods import Measure, Method
from slowfast.engine.run import RunState
from slowfast.engine.trainer import Trainer
from slowfast.engine.update import Update
from slowfast.solver import LRSchedule
from slowfast.utils.cli import Preempted
from slowfast.utils.errors import InputError


class Loader:
    """Batches that say which one they are."""

    def __init__(self, length):
        self.length, self.asked = length, []

    def __len__(self):
        return self.length

    def set_epoch(self, epoch, position):
        self.asked.append((epoch, position))
        self.epoch, self.position = epoch, position

    def __iter__(self):
        for number in range(self.position, self.length):
            yield {"clips": torch.ones(2, 3), "names": ["a", "b"], "place": (self.epoch, number)}


class Counting(Method):
    """Fits ones and measures what it is told to."""

    def __init__(self, network, told=None):
        super().__init__(None, network, torch.device("cpu"))
        self.seen, self.told = [], told or {}
        self.register_buffer("count", torch.zeros(()))

    def step(self, batches):
        self.count += 1
        self.seen.append({name: batch["place"] for name, batch in batches.items()})
        self.draw = [batch["rng"].randint(1 << 30) for batch in batches.values()]
        measures = self.update(lambda batch: (self.network(batch["clips"]) - 1).square().mean(), batches["labelled"])
        return {**measures, **self.told, "value": float(self.count)}


class Errors:
    """An evaluator with given errors."""

    def __init__(self, errors, done):
        self.left, self.done = list(errors), done

    def errors(self, network):
        self.done.append("evaluate")
        return {"top1_err": self.left.pop(0), "top5_err": 0.0}


class Records(Hook):
    """Remembers all records, and counts as a state of its own."""

    def __init__(self):
        self.all, self.count = [], 0

    def record(self, trainer, kind, values):
        self.all.append((kind, values))
        self.count += 1

    def of(self, kind):
        return [values for name, values in self.all if name == kind]

    def state_dict(self):
        return {"records": self.count}

    def load_state_dict(self, state):
        self.count = state["records"]


class Noting(Saves):
    """Files that note when they are written."""

    def __init__(self, folder, done):
        super().__init__(
            folder=CheckpointFolder(folder / "checkpoints"), best_path=folder / "best.pyth", extra={}, every_epoch=False
        )
        self.done = done

    def epoch(self, state, epoch):
        self.done.append(f"save {epoch}")
        super().epoch(state, epoch)

    def partial(self, state):
        self.done.append(f"partial {state['epoch']} {state['iteration']}")
        super().partial(state)

    def best(self, state):
        self.done.append("best")
        super().best(state)


@pytest.fixture
def make(tmp_path):
    """Build a loop; `done` lists what happened around its iterations."""

    def make(errors=(50.0, 60.0, 40.0), lengths=(3, 2), told=None, **settings):
        torch.manual_seed(0)
        done = []
        method = Counting(nn.Linear(3, 1), told)
        optimizer = torch.optim.SGD(method.network.parameters(), lr=0.1)
        method.update = Update(networks=[method.network], optimizer=optimizer, device=torch.device("cpu"))
        trainer = Trainer(
            method=method,
            loaders=dict(zip(("labelled", "pool"), map(Loader, lengths))),
            schedule=LRSchedule(base_lr=1.0, max_epoch=3),
            max_epoch=3,
            seed=5,
            saves=Noting(tmp_path, done),
            adapt=lambda network, epoch: done.append(f"adapt {epoch}"),
            evaluators=[("dark", Errors(errors, done))],
            hooks=[Records()],
            **settings,
        )
        trainer.done = done
        return trainer

    return make


def test_an_epoch_trains_adapts_saves_evaluates_and_keeps_the_best(make):
    trainer = make()
    trainer.train()
    first, second = ["adapt 0", "save 0", "evaluate", "best"], ["adapt 1", "save 1", "evaluate"]
    assert trainer.done == [*first, *second, "adapt 2", "save 2", "evaluate", "best", "save 2"]
    assert trainer.run.best == {"dark": 40.0} and len(trainer.method.seen) == 6


def test_the_last_epoch_is_kept_where_nothing_may_choose(make):
    trainer = make(keep_last=True)
    trainer.train()
    assert [name for name in trainer.done if name == "best"] == ["best"] * 3
    assert trainer.run.best == {"dark": 40.0}


def test_periods(make):
    trainer = make(errors=(50.0, 50.0), eval_period=2, save_period=5)
    trainer.train()
    assert trainer.done == ["adapt 1", "evaluate", "best", "adapt 2", "save 2", "evaluate", "best", "save 2"]


def test_without_evaluation_the_last_epoch_is_the_best(make, tmp_path):
    trainer = make()
    trainer.evaluators = []
    trainer.train()
    assert trainer.done.count("best") == 3
    assert load_checkpoint(tmp_path / "best.pyth")["epoch"] == 2


def test_a_short_loader_is_read_again_with_another_shuffle(make):
    trainer = make(steps_per_epoch=5)
    trainer.train()
    turn = trainer_module._TURN
    assert trainer.loaders["pool"].asked[:3] == [(0, 0), (turn, 0), (2 * turn, 0)]
    assert [seen["pool"] for seen in trainer.method.seen[:5]] == [(0, 0), (0, 1), (turn, 0), (turn, 1), (2 * turn, 0)]


def test_the_rate_follows_the_first_loader(make):
    trainer = make(lengths=(4, 2))
    trainer.train()
    rates = [values["lr"] for values in trainer.hooks[0].of("train_iter")]
    assert rates[:3] == [trainer.schedule.at(0), trainer.schedule.at(0.25), trainer.schedule.at(1)]


def test_records_hold_every_measure_in_order(make):
    told = {
        "twice": Measure(3.0, 2.0),
        "late": Measure(1.0, 1.0, False),
        "bad": Measure(float("nan")),
        "now": Measure(7, 0),
    }
    trainer = make(told=told)
    trainer.train()
    records = trainer.hooks[0]
    first = records.of("train_iter")[0]
    assert list(first) == ["epoch", "iter", "loss", "grad_norm", "lr", "twice", "bad", "now", "value"]
    assert set(records.of("train_epoch")[0]) == {"epoch", "lr", "loss", "twice", "late", "value"}
    assert [values["value"] for values in records.of("train_epoch")] == [1.5, 3.5, 5.5]
    assert records.of("val_epoch")[1] == {
        "epoch": 2, "split": "dark", "top1_err": 60.0, "top5_err": 0.0, "min_top1_err": 50.0,
    }  # fmt: skip


def test_lines_between_two_records_are_left_out(make):
    trainer = make(lengths=(5, 5), log_period=3)
    trainer.train()
    assert [values["iter"] for values in trainer.hooks[0].of("train_iter")] == [3, 5] * 3


@pytest.mark.parametrize("after", range(1, 6))
def test_a_run_goes_on_from_any_iteration(after, make, monkeypatch):
    whole, cut, rest = make(), make(), make()
    whole.train()
    whole.saves.folder.clear()
    monkeypatch.setattr(trainer_module, "stop_requested", lambda: float(cut.method.count) >= after)
    with pytest.raises(Preempted):
        cut.train()
    monkeypatch.undo()
    path = cut.saves.folder.find_last()
    rest.load_state_dict(load_checkpoint(path))
    assert rest.hooks[0].count == cut.hooks[0].count
    rest.evaluators[0][1].left = rest.evaluators[0][1].left[cut.done.count("evaluate") :]
    rest.train()
    assert cut.method.seen + rest.method.seen == whole.method.seen and rest.method.draw == whole.method.draw
    assert all(map(torch.equal, rest.network.parameters(), whole.network.parameters()))
    assert float(rest.method.count) == 6 and rest.run.best == whole.run.best


def test_a_stop_in_the_adaptation_goes_back_to_before_it(make):
    trainer = make()

    def stop(network, epoch):
        network.weight.data.zero_()
        raise Preempted

    before = trainer.adapt
    trainer.adapt = stop
    with pytest.raises(Preempted):
        trainer.train()
    assert trainer.done == ["partial -1 2"]
    again = make()
    again.load_state_dict(load_checkpoint(trainer.saves.folder.find_last()))
    assert again.network.weight.any() and before is not None
    again.train()
    assert again.done[:2] == ["adapt 0", "save 0"] and len(again.method.seen) == 4


def test_a_stop_in_the_evaluation_repeats_only_that(make):
    trainer = make()

    def stop(network):
        raise Preempted

    trainer.evaluators[0][1].errors = stop
    with pytest.raises(Preempted):
        trainer.train()
    assert trainer.done == ["adapt 0", "save 0"]
    again = make()
    again.load_state_dict(load_checkpoint(trainer.saves.folder.find_last()))
    assert (again.run.phase, again.run.epoch, again.steps_done) == ("evaluate", 0, 2)
    again.train()
    assert again.done[:3] == ["evaluate", "best", "adapt 1"]


def test_a_stop_after_an_epoch_saves_once(make, monkeypatch):
    trainer = make(save_period=5)
    monkeypatch.setattr(trainer_module, "stop_requested", lambda: "adapt 1" in trainer.done)
    with pytest.raises(Preempted, match="saved after epoch 2"):
        trainer.train()
    assert trainer.done == ["adapt 0", "evaluate", "best", "adapt 1", "save 1"]


@pytest.mark.parametrize("name", ["model_state", "optimizer_state"])
def test_a_state_of_something_else_is_refused(name, make):
    trainer = make()
    state = trainer.state_dict()
    state[name] = {"other": torch.ones(2)}
    with pytest.raises(InputError, match="does not fit this network, method or optimizer"):
        trainer.load_state_dict(state)


def test_a_checkpoint_of_the_time_before_methods_goes_on(make):
    trainer = make()
    state = {name: value for name, value in trainer.state_dict().items() if name not in ("networks", "method_state")}
    del trainer.method._buffers["count"]
    trainer.load_state_dict({**state, "epoch": 1, "pending_evaluation": True})
    assert (trainer.run.epoch, trainer.run.phase) == (1, "evaluate")


def test_one_process_measures_what_all_do(make, monkeypatch):
    trainer = make()
    distributed = trainer_module.distributed
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    asked = iter([[0.0, 1.0]])
    monkeypatch.setattr(distributed, "sum_numbers", lambda values: next(asked))
    assert trainer._agree() == (False, True)
    asked = iter([[8.0, 0.0, 4.0, 0.0, 40.0, 0.0, 12.0, 0.0]])
    noted = []
    monkeypatch.setattr(trainer, "_note", lambda iteration, measures, lr: noted.append((iteration, lr, measures)))
    monkeypatch.setattr(trainer.method.update, "check", lambda: None)
    trainer._seen = [
        (number, 0.1, {"any name": Measure(3.0, 2.0), "own": Measure(torch.tensor(9.0), 0.0)}) for number in (1, 2)
    ]
    trainer._read()
    assert noted == [
        (1, 0.1, {"any name": Measure(5.0, 8.0), "own": Measure(9.0, 0.0)}),
        (2, 0.1, {"any name": Measure(3.0, 4.0), "own": Measure(9.0, 0.0)}),
    ]
    assert not trainer._seen


def test_a_step_that_is_not_finite_is_found_before_it_is_saved(make, monkeypatch):
    trainer = make(log_period=100)
    trainer.method.update.late = True
    monkeypatch.setattr(trainer.method.update, "_number", lambda value: torch.tensor(float("nan")))
    saved = []
    monkeypatch.setattr(trainer.saves, "epoch", lambda *_: saved.append("epoch"))
    monkeypatch.setattr(trainer.saves, "partial", lambda *_: saved.append("partial"))
    with pytest.raises(InputError, match="the loss is nan on the clips a, b"):
        trainer.train()
    assert trainer.run.iteration == trainer.length and not saved
    trainer = make(log_period=100, save_partial_every=1e-9)
    trainer.method.update.late = True
    monkeypatch.setattr(trainer.method.update, "_number", lambda value: torch.tensor(float("nan")))
    monkeypatch.setattr(trainer.saves, "partial", lambda *_: saved.append("partial"))
    with pytest.raises(InputError, match="the loss is nan"):
        trainer.train()
    assert trainer.run.iteration == 1 and not saved


def test_measures_wait_for_their_line_and_are_what_they_were(make):
    records = []
    for log_period in (1, 2, 1000):
        trainer = make(log_period=log_period)
        trainer.train()
        hook = next(hook for hook in trainer.hooks if isinstance(hook, Records))
        records.append(hook.of("train_epoch"))
    assert records[0] == records[1] == records[2] and records[0]


def test_every_process_is_evaluated_with_the_statistics_that_are_saved(monkeypatch):
    network, seen = torch.nn.BatchNorm1d(3), []

    class Watcher:
        def errors(self, network):
            seen.append(network.running_mean.tolist())
            return {"top1_err": 50.0, "top5_err": 0.0}

    trainer = object.__new__(Trainer)
    trainer.method = types.SimpleNamespace(network_to_test=lambda: network)
    trainer.evaluators, trainer.hooks, trainer.run = [("dark", Watcher())], [], RunState()
    monkeypatch.setattr("slowfast.engine.trainer.distributed.share_", lambda tensor: tensor.fill_(7))
    trainer._evaluate()
    assert seen == [[7.0] * 3]
