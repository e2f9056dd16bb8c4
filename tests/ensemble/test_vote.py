import json

import numpy as np
import pytest

from slowfast.ensemble.rules import submission_rules
from slowfast.ensemble.vote import majority_vote, run_mode
from slowfast.utils.scores import softmax


@pytest.mark.parametrize("number", range(5))
def test_golden_modes(number, golden):
    arrays = np.load(golden / "ensemble" / "predictions.npz")
    reference = np.load(golden / "ensemble" / "expected.npz")
    expected = json.loads((golden / "ensemble" / "expected.json").read_text())[f"mode{number}"]
    rules = submission_rules()
    mode = rules.modes[number]
    scores = {model: arrays[f"{model}_{path[-7:-4]}"] for model, path in rules.files[mode.files].items()}
    labels, mixed = run_mode(scores, mode)
    np.testing.assert_allclose(mixed, reference[f"mixed_{number}"], atol=1e-6, rtol=0)
    np.testing.assert_allclose(softmax(mixed), reference[f"probs_{number}"], atol=1e-6, rtol=0)
    assert mixed.argmax(axis=1).tolist() == expected["argmax_labels"]
    assert labels.tolist() == expected["labels"]
    assert int((labels != mixed.argmax(axis=1)).sum()) == expected["changed_by_passes"]


def test_majority_and_ties():
    winner, giver = majority_vote([[3, 1, 2, 0], [1, 1, 0, 0], [1, 4, 1, 5]])
    assert winner.tolist() == [1, 1, 0, 0]
    assert giver.tolist() == [1, 0, 1, 0]
