import json

import numpy as np
import pytest
import torch

from slowfast.engine.adapt.batchnorm import adapt_batchnorm


def test_statistics_equal_golden(golden, golden_module, build):
    case = json.loads((golden / "train/steps.json").read_text())["precise_bn"]
    experiments = json.loads((golden / "experiments.json").read_text())
    resolved = experiments[case.get("experiment", "exp_pseudo_stage4/uniformer_b32_k600")]["resolved_run"]
    _, model = build(resolved, case["config_overrides"])
    golden_module.fill_(model, case["weight_seed"])
    sizes_and_seeds = list(zip(case["batch_sizes"], case["input_seeds"]))
    batches = [torch.as_tensor(golden_module.make_input((size, 3, 4, 32, 32), seed)) for size, seed in sizes_and_seeds]
    model.eval()
    assert adapt_batchnorm(model, batches, num_batches=10, clips_of=lambda clips: clips) == 5
    assert not model.training
    buffers = dict(model.named_buffers())
    for name, values in case["running_stats"].items():
        np.testing.assert_allclose(buffers[name][:4], values["first4"], atol=1e-5)
        assert float(buffers[name].mean()) == pytest.approx(values["mean"], abs=1e-5)
    assert {module.momentum for module in model.modules() if hasattr(module, "running_mean")} == {0.1}
    with torch.no_grad():
        np.testing.assert_allclose(model(batches[0])[:1], case["eval_output_batch0"][:1], atol=1e-4)


def test_a_network_without_batchnorm_reads_nothing():
    def explode():
        raise AssertionError
        yield

    assert adapt_batchnorm(torch.nn.Linear(2, 2), explode(), num_batches=3, clips_of=lambda clips: clips) == 0
