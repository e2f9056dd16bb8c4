import json

import numpy as np
import pytest

from slowfast.ensemble.rules import CorrectionPass, apply_passes, stage_rules, submission_rules


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_stage_tables_are_the_published_ones(stage, golden):
    published = json.loads((golden / "pseudo" / "rules.json").read_text())
    rules = stage_rules(stage)
    thresholds = published["thresholds"][f"stage{stage}"]
    assert list(rules.thresholds) == ([0.0] * 11 if thresholds is None else list(thresholds.values()))
    usual = published["weights"]["rows_where_argmax_of_ssv2_is_not_6_or_7"]
    anchored = published["weights"]["rows_where_argmax_of_ssv2_is_6_or_7"]
    assert {**rules.weights.usual, "sum": 0.95} == usual
    assert {**rules.weights.anchored, "sum": 1.0} == anchored
    assert (rules.weights.anchor, list(rules.weights.anchor_labels)) == ("ssv2", [6, 7])


def test_default_inputs_are_the_round_before():
    inputs = {stage: stage_rules(stage).inputs for stage in (1, 2, 3, 4)}
    assert inputs[1]["ssv2"] == "exp_adapt_bn/uniformer_b32_ssv2/total_unlabelx32x224x1x1.pkl"
    assert inputs[3]["sf"] == "exp_pseudo_stage2/sf32_k700/total_unlabelx32x224x1x1.pkl"
    assert inputs[4]["mvit"] == "exp_pseudo_stage3/mvit_b32_k600/total_unlabelx32x224x1x1.pkl"
    assert list(inputs[2]) == ["ssv2", "uni", "mvit", "sf"]


def test_submission_tables_are_the_published_ones(golden):
    published = json.loads((golden / "ensemble" / "rules.json").read_text())
    rules = submission_rules()
    models = ["ssv2", "uni", "mvit", "sf", "dense"]
    assert rules.files == {"1x3": published["inputs"]["modes_0_1_2"], "3x3": published["inputs"]["modes_3_4"]}
    weights = published["weights_ssv2_uni_mvit_sf_dense"]
    for number, key in ((0, "modes_0_1"), (1, "modes_0_1"), (2, "mode_2"), (3, "modes_3_4"), (4, "modes_3_4")):
        assert [rules.modes[number].weights.usual[model] for model in models] == weights[key]
    for number in (1, 2, 3, 4):
        wanted = published["deal_preds"][f"v{number}"]["passes"]
        found = rules.modes[number].passes
        assert len(found) == len(wanted)
        for step, reference in zip(found, wanted):
            assert (step.label, step.test, step.at_most) == (
                reference["label"], reference["prob_index"], reference["max_prob"],
            )  # fmt: skip
            assert [list(pair) for pair in step.alternatives] == reference["fallbacks"]
    assert rules.modes[0].passes == () and rules.vote == (1, 4)


def test_passes_run_in_order_and_bounds_are_inclusive():
    probs = np.array([[0.5, 0.25, 0.25], [0.6, 0.25, 0.15], [0.5, 0.1, 0.4], [0.5, 0.1, 0.1]])
    first = CorrectionPass(0, 0, 0.5, ((1, 0.25), (2, 0.25)))
    second = CorrectionPass(1, 1, 1.0, ((2, 0.25),))
    assert apply_passes(np.zeros(4), probs, [first]).tolist() == [1, 0, 2, 0]
    assert apply_passes(np.zeros(4), probs, [first, second]).tolist() == [2, 0, 2, 0]
