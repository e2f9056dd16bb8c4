import json

import pytest

from slowfast.solver import LRSchedule


def schedule_of(values: dict) -> LRSchedule:
    return LRSchedule(
        base_lr=values["SOLVER.BASE_LR"],
        end_lr=values["SOLVER.COSINE_END_LR"],
        max_epoch=values["SOLVER.MAX_EPOCH"],
        warmup_epochs=values["SOLVER.WARMUP_EPOCHS"],
        warmup_start_lr=values["SOLVER.WARMUP_START_LR"],
        cosine_after_warmup=values["SOLVER.COSINE_AFTER_WARMUP"],
        policy=values["SOLVER.LR_POLICY"],
        steps=values["SOLVER.STEPS"],
        relative_lrs=values["SOLVER.LRS"],
    )


def test_rates_equal_golden(golden):
    rates = json.loads((golden / "train/lr.json").read_text())
    experiments = json.loads((golden / "experiments.json").read_text())
    cases = [(experiments[name]["resolved_run"], case["lr"]) for name, case in rates["experiments"].items()]
    for case in rates["other"]:
        cases.append(({**experiments[case["base"]]["resolved_run"], **case["overrides"]}, case["lr"]))
    assert len(cases) > 21
    for values, points in cases:
        schedule = schedule_of(values)
        for epoch, lr in points:
            assert schedule.at(epoch) == pytest.approx(lr, abs=1e-12)


def test_warmup_longer_than_the_run_reaches_towards_the_base_rate():
    schedule = LRSchedule(base_lr=1.0, max_epoch=2, warmup_epochs=4, warmup_start_lr=0.0, cosine_after_warmup=True)
    assert [schedule.at(epoch) for epoch in (0, 1, 2)] == [0.0, 0.25, 0.5]


def test_warm_restarts_repeat_one_cycle():
    options = {"base_lr": 1.0, "end_lr": 0.01, "warmup_epochs": 0.25, "cosine_after_warmup": True}
    whole = LRSchedule(max_epoch=8, cycles=4, **options)
    part = LRSchedule(max_epoch=2, **options)
    for epoch in (0.0, 0.1, 0.25, 1.0, 1.75):
        for cycle in range(4):
            assert whole.at(2 * cycle + epoch) == pytest.approx(part.at(epoch), abs=1e-12)
    assert whole.at(2.25) > 50 * whole.at(1.99)
