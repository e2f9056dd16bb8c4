"""Which keys of a configuration have an effect on a result; places are left out, since inputs are known by content."""

from collections.abc import Mapping
from typing import Any

_NETWORKS = ("UNIFORMER", "MVIT", "SF", "VIDEOMAE")
_SPLITS = "DATA.SPLITS."
# Keys that may differ between the runs of one training: they do not change what is learned.
_FREE_SECTIONS = ("TEST", "TENSORBOARD", "DATA_LOADER", "FEATURES", "ADAPT")
_FREE_KEYS = (
    "OUTPUT_DIR", "NUM_GPUS", "NUM_THREADS", "LOG_PERIOD", "LOG_MODEL_INFO", "DIST_BACKEND", "TRAIN.ENABLE",
    "TRAIN.AUTO_RESUME", "TRAIN.ON_CHANGE", "TRAIN.KEEP_CHECKPOINTS", "TRAIN.SAVE_EVERY_MINUTES", "TRAIN.SAVE_LATEST",
    "TRAIN.CHECKPOINT_PERIOD", "TRAIN.CHECKPOINT_EPOCH_RESET", "TRAIN.COMPILE", "TRAIN.DETERMINISTIC", "TRAIN.ON_NAN",
    "DATA.CACHE_DIR", "DATA.DECODING_BACKEND", "DATA.GAMMA.TEST", "DATA.CLASS_NAMES", "DATA.MAX_FAILED",
)  # fmt: skip
# Known by content.
_PLACES = (
    "TRAIN.CHECKPOINT_FILE_PATH", "DATA.PATH_PREFIX", "DATA.PSEUDO_CSV", "DATA.PATH_LABEL_SEPARATOR",
    "DATA.ALLOW_OUTSIDE", "MODEL.PRETRAIN_DIR", "DATA.FEATURE_CACHE", "UNIFORMER.PRETRAIN_NAME", "SF.PRETRAIN_NAME",
)  # fmt: skip
# What a test reads besides the network's own section.
_TESTED = (
    "MODEL.ARCH", "MODEL.BACKBONE", "MODEL.HEAD", "MODEL.NUM_CLASSES", "DATA.NUM_FRAMES", "DATA.SAMPLING_RATE",
    "DATA.USE_OFFSET_SAMPLING", "DATA.MEAN", "DATA.STD", "DATA.SUBTRACT_TEMPORAL_MEAN", "DATA.TEST_CROP_SIZE",
    "DATA.ENSEMBLE_METHOD", "DATA.CLASS_NAMES", "TEST.DATASET", "TEST.SCORE", "TEST.TF32", "TEST.CHECKPOINT_WEIGHTS",
)  # fmt: skip
_ADAPTED = ("ADAPT.", "BN.", "AUG.", "DATA.TRAIN_", "DATA.RANDOM_FLIP", "RNG_SEED", "TRAIN.BATCH_SIZE", "TRAIN.DATASET")


def training_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys with an effect on a training, from all dotted keys of its configuration."""
    idle = {name for name in _NETWORKS if name != str(values.get("MODEL.ARCH")).upper()}
    idle |= set() if values.get("MIXUP.ENABLE", True) else {"MIXUP"}
    idle |= {"MEAN_TEACHER"} if values.get("TRAIN.METHOD", "") in ("", "supervised", "pseudo_label") else set()
    left_out = {*_FREE_SECTIONS, *idle}
    return {
        key: value
        for key, value in values.items()
        if key.split(".")[0] not in left_out and key not in (*_FREE_KEYS, *_PLACES) and not key.startswith(_SPLITS)
    }


def test_settings(values: Mapping[str, Any], *, adapted: bool) -> dict[str, Any]:
    """Return the keys with an effect on a test, `adapted` or not; views, gamma and the like are the test's own."""
    begins = (f"{str(values.get('MODEL.ARCH')).upper()}.", *(_ADAPTED if adapted else ()))
    return {
        key: value for key, value in values.items() if (key in _TESTED or key.startswith(begins)) and key not in _PLACES
    }
