"""Which keys have an effect: those that do make another run, places and the like do not."""

import pytest

from slowfast.config import flatten, get_cfg
from slowfast.parents.settings import test_settings as settings_of_test
from slowfast.parents.settings import training_settings


def values(**changed):
    cfg = get_cfg()
    cfg.MODEL.ARCH = "mvit"
    return flatten(cfg) | {key.replace("__", "."): value for key, value in changed.items()}


@pytest.mark.parametrize(
    ("key", "training", "test"),
    [
        ("SOLVER__BASE_LR", True, False), ("RNG_SEED", True, False), ("MVIT__DEPTH", True, True),
        ("UNIFORMER__DEPTH", False, False), ("DATA__GAMMA__SOURCE", True, False), ("DATA__GAMMA__TEST", False, False),
        ("TEST__SCORE", False, True), ("DATA__TEST_CROP_SIZE", True, True), ("OUTPUT_DIR", False, False),
        ("DATA__PATH_PREFIX", False, False), ("DATA__SPLITS__test", False, False), ("LOG_PERIOD", False, False),
        ("TRAIN__CHECKPOINT_FILE_PATH", False, False), ("MIXUP__ALPHA", False, False), ("OWN__KEY", True, False),
        ("TEST__BATCH_SIZE", False, False), ("MEAN_TEACHER__DECAY", False, False), ("DATA__MEAN", True, True),
    ],
)  # fmt: skip
def test_keys_with_an_effect(key, training, test):
    changed = values(**{key: "another"})
    assert (training_settings(changed) != training_settings(values())) is training
    before, after = (settings_of_test(found, adapted=False) for found in (values(), changed))
    assert (before != after) is test


def test_an_adaptation_depends_on_more():
    changed = values(BN__NUM_BATCHES_PRECISE=3)
    assert settings_of_test(changed, adapted=True) != settings_of_test(values(), adapted=True)
    assert settings_of_test(changed, adapted=False) == settings_of_test(values(), adapted=False)
