"""Combinations of values that cannot work, each as a sentence with the fix."""

import importlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fvcore.common.config import CfgNode

from slowfast.config.defaults import get_cfg

DATASETS = ("ug2_sparse", "ug2", "track3")
_SAMPLINGS = "ug2_sparse (uniform sampling), ug2 (dense) or track3 (trimmed clips)"
_ALSO = re.compile(
    r"^(?P<split>\w+)(:(?P<views>\d+)x(?P<crops>[13])"
    r"(:(?P<gamma>[\d.]*)(:(?P<pool>\w*)(:(?P<adapt>[\w-]+))?)?)?)?(?<!:)$"
)
BATCHNORM = "batchnorm"
# What takes a clip to have one label.
_ONE_LABEL = {"TRAIN.METHOD": ("pseudo_label", "mean_teacher"), "TEST.ADAPT": ("tent", "sar")}
# Networks of this repository, which no MODEL.BACKBONE names.
_OWN = ("uniformer", "mvit", "sf", "videomae")

_CHOICES = {
    "MODEL.HEAD": ("linear", "attentive"),
    "MODEL.LOSS_FUNC": ("cross_entropy", "soft_cross_entropy", "bce"),
    "MODEL.PSEUDO_LOSS_FUNC": ("", "kl"),
    "DATA.DECODING_BACKEND": ("pyav", "decord", "torchcodec"),
    "DATA.ENSEMBLE_METHOD": ("sum", "max"),
    "AUG.RE_MODE": ("pixel", "rand", "const"),
    "SOLVER.LR_POLICY": ("cosine", "steps_with_relative_lrs"),
    "TEST.SCORE": ("logits", "probs"),
    "TRAIN.MIXED_PRECISION": ("auto", "off", "fp16", "bf16"),
    "TEST.MIXED_PRECISION": ("auto", "off", "fp16", "bf16"),
    "TRAIN.CHOOSE_EPOCH": ("validation", "last"),
    "TRAIN.ON_NAN": ("stop", "skip"),
    "TRAIN.ON_CHANGE": ("refuse", "restart"),
    "FEATURES.TAIL": ("drop", "pad"),
    "FEATURES.POOL": ("mean", "cls", "all"),
    "FEATURES.RESIZE": ("crop", "squash", "squash_antialias"),
}
# What the rooms above offer under a name, plugins included; an empty value chooses nothing.
_REGISTRIES = {
    "MODEL.ARCH": "slowfast.models:NETWORKS",
    "TRAIN.METHOD": "slowfast.engine.methods:METHODS",
    "TEST.ADAPT": "slowfast.engine.adapt:ADAPTATIONS",
    "SOLVER.OPTIMIZING_METHOD": "slowfast.solver:OPTIMIZERS",
}
_POSITIVE = (
    "MODEL.NUM_CLASSES", "DATA.NUM_FRAMES", "DATA.SAMPLING_RATE", "DATA.TRAIN_CROP_SIZE", "DATA.TEST_CROP_SIZE",
    "TRAIN.BATCH_SIZE", "TRAIN.EVAL_PERIOD", "TRAIN.CHECKPOINT_PERIOD", "TEST.BATCH_SIZE", "TEST.NUM_ENSEMBLE_VIEWS",
    "SOLVER.MAX_EPOCH", "SOLVER.CYCLES", "AUG.NUM_SAMPLE", "LOG_PERIOD", "NUM_SHARDS", "BN.NUM_BATCHES_PRECISE",
    "FEATURES.STRIDE", "FEATURES.BATCH_SIZE", "FEATURES.DECODERS", "TRAIN.ACCUMULATE", "ADAPT.BATCH_SIZE",
    "ADAPT.BATCHES", "DATA.FEATURE_VIEWS",
)  # fmt: skip
_NOT_NEGATIVE = (
    "NUM_GPUS", "NUM_THREADS", "DATA_LOADER.NUM_WORKERS", "TRAIN.KEEP_CHECKPOINTS",
    "TRAIN.STEPS_PER_EPOCH", "SOLVER.WARMUP_EPOCHS", "SOLVER.CLIP_GRADIENT", "RNG_SEED",
    "FEATURES.FPS", "SOLVER.BASE_LR", "SOLVER.COSINE_END_LR", "SOLVER.WARMUP_START_LR", "SOLVER.WEIGHT_DECAY",
    "BN.WEIGHT_DECAY", "MIXUP.ALPHA", "MIXUP.CUTMIX_ALPHA", "AUG.RE_COUNT", "TRAIN.SAVE_EVERY_MINUTES",
    "DATA_LOADER.TIMEOUT", "SOLVER.MOMENTUM", "SOLVER.DAMPENING", "MEAN_TEACHER.WEIGHT", "ADAPT.LR", "ADAPT.RADIUS",
    "ADAPT.RESET", "LORA.RANK", "LORA.ALPHA",
)  # fmt: skip
_SHARES = (
    "ADAPT.MOMENTUM", "ADAPT.MARGIN",
    "MIXUP.PROB", "MIXUP.SWITCH_PROB", "MIXUP.LABEL_SMOOTH_VALUE", "AUG.RE_PROB", "AUG.DARKEN_PROB", "DATA.MAX_FAILED",
    "MODEL.DROPOUT_RATE", "UNIFORMER.DROPOUT_RATE", "UNIFORMER.ATTENTION_DROPOUT_RATE", "UNIFORMER.DROP_DEPTH_RATE",
    "MVIT.DROPOUT_RATE", "MVIT.DROPPATH_RATE", "SF.DROPOUT_RATE", "VIDEOMAE.DROP_PATH_RATE", "VIDEOMAE.FC_DROPOUT_RATE",
    "MEAN_TEACHER.DECAY", "MEAN_TEACHER.THRESHOLD", "LORA.DROPOUT",
)  # fmt: skip
# Lists of numbers and how many there are; 0: any number of them.
_NUMBERS = {
    "DATA.MEAN": 3, "DATA.STD": 3, "DATA.TRAIN_JITTER_SCALES": 0, "DATA.TRAIN_JITTER_SCALES_RELATIVE": 0,
    "DATA.TRAIN_JITTER_ASPECT_RELATIVE": 0, "MODEL.CHECKPOINT_NUM": 4, "UNIFORMER.EMBED_DIM": 4, "UNIFORMER.DEPTH": 4,
    "MVIT.PATCH_KERNEL": 3, "MVIT.PATCH_STRIDE": 3, "MVIT.PATCH_PADDING": 3, "MVIT.POOL_KV_STRIDE_ADAPTIVE": 3,
    "MVIT.POOL_KVQ_KERNEL": 3, "SF.DEPTH": 4, "SOLVER.STEPS": 0, "SOLVER.LRS": 0,
    "SOLVER.LION_BETAS": 2, "TRAIN.CLASS_WEIGHTS": 0,
}  # fmt: skip
# Lists of rows of so many numbers.
_ROWS = {"MVIT.DIM_MUL": 2, "MVIT.HEAD_MUL": 2, "MVIT.POOL_Q_STRIDE": 4, "MVIT.POOL_KV_STRIDE": 4}
_TEXTS = (
    "DATA.CLASS_NAMES", "TEST.ALSO", "TRAIN.EVAL_SPLITS", "TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", "TRAIN.FREEZE",
    "LORA.TARGETS",
)  # fmt: skip
# Keys of those above that may be None.
_OPTIONAL = ("MVIT.POOL_KV_STRIDE", "MVIT.POOL_KV_STRIDE_ADAPTIVE", "MVIT.POOL_KVQ_KERNEL")


@dataclass(frozen=True)
class TestSetting:
    """One test of given weights.

    Attributes:
        split: the tested split.
        views: temporal views of a video.
        crops: crops of a view.
        gamma: exponent of the gamma correction; None: DATA.GAMMA.TEST.
        adapt_split: split whose clips the network is adapted to; empty: TEST.ADAPT_SPLIT.
        adapt: adaptation, as TEST.ADAPT; empty: none.
    """

    split: str
    views: int = 1
    crops: int = 1
    gamma: float | None = None
    adapt_split: str = ""
    adapt: str = ""

    @property
    def suffix(self) -> str:
        """What the PKL's name says of gamma and adaptation when they are not the usual ones."""
        gamma = "" if self.gamma is None else f"_gamma{self.gamma:g}"
        name = "bn" if self.adapt == BATCHNORM else self.adapt
        return gamma + (f"_{name}-{self.adapt_split}" if name else "")


def parse_also(text: str) -> TestSetting:
    """Return the test that an entry of TEST.ALSO stands for.

    Args:
        text: `split[:VIEWSxCROPS[:GAMMA[:ADAPT_SPLIT[:ADAPT]]]]`; an empty GAMMA is DATA.GAMMA.TEST, an empty
            ADAPT_SPLIT is TEST.ADAPT_SPLIT; an ADAPT_SPLIT without ADAPT stands for `batchnorm`.

    Raises:
        ValueError: the text has another form.
    """
    match = _ALSO.match(text)
    if match is None:
        raise ValueError(text)
    gamma = float(match["gamma"]) if match["gamma"] else None
    pool = match["pool"] or ""
    adapt = match["adapt"] or (BATCHNORM if pool else "")
    return TestSetting(match["split"], int(match["views"] or 1), int(match["crops"] or 1), gamma, pool, adapt)


def several_labels(cfg: CfgNode) -> bool:
    """Return whether a clip may have several labels, or none: every class is a question of its own."""
    return cfg.MODEL.LOSS_FUNC == "bce"


def value_of(cfg: CfgNode, key: str):
    """Return the value of a dotted key."""
    for name in key.split("."):
        cfg = cfg[name]
    return cfg


def find_conflicts(cfg: CfgNode) -> list[str]:
    """Return a sentence for every value or combination that cannot work."""
    wrong = dict([*_wrong_lists(cfg), *_not_finite(cfg)])
    if wrong:  # what follows computes with the values
        cfg = cfg.clone()
        for key in wrong:
            *sections, leaf = key.split(".")
            value_of(cfg, ".".join(sections))[leaf] = value_of(get_cfg(), key)
    rest = [*_wrong_names(cfg), *_wrong_values(cfg), *_wrong_data(cfg), *_wrong_run(cfg), *_wrong_tests(cfg)]
    rest += [*_wrong_training(cfg), *_wrong_trunk(cfg), *_wrong_models(cfg), *_wrong_several(cfg)]
    return [*wrong.values(), *(text for text in rest if not any(key in text for key in wrong))]


def _are_numbers(value: Any, count: int) -> bool:
    """Return whether a value is a list of `count` numbers (0: any number of them)."""
    return (
        isinstance(value, list)
        and (not count or len(value) == count)
        and all(type(item) in (int, float) and math.isfinite(item) for item in value)
    )


def _wrong_lists(cfg: CfgNode) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of lists that do not hold what they should."""
    for key, count in _NUMBERS.items():
        value = value_of(cfg, key)
        if not _are_numbers(value, count) and not (value is None and key in _OPTIONAL):
            yield key, f"{key} is {value!r}, a list of {count or 'any number of'} numbers is needed"
    for key, count in _ROWS.items():
        value = value_of(cfg, key)
        rows_fit = isinstance(value, list) and all(_are_numbers(row, count) for row in value)
        if not rows_fit and not (value is None and key in _OPTIONAL):
            yield key, f"{key} is {value!r}, a list of rows of {count} numbers is needed"
    for key in _TEXTS:
        if not all(isinstance(item, str) for item in value_of(cfg, key)):
            yield key, f"{key} is {value_of(cfg, key)!r}, a list of texts is needed"
    scale = cfg.UNIFORMER.QKV_SCALE
    if scale is not None and type(scale) not in (int, float):
        yield "UNIFORMER.QKV_SCALE", f"UNIFORMER.QKV_SCALE is {scale!r}, a number or None is needed"


def _not_finite(cfg: CfgNode, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) of numbers that are infinite or none."""
    for name, value in cfg.items():
        if isinstance(value, CfgNode):
            yield from _not_finite(value, f"{prefix}{name}.")
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{prefix}{name}", f"{prefix}{name} is {value}, a finite number is needed"


def _wrong_values(cfg: CfgNode) -> Iterator[str]:
    """Yield values outside their range."""
    for key, choices in _CHOICES.items():
        value = value_of(cfg, key)
        if value not in choices:
            yield f"{key} is {value!r}, one of {', '.join(repr(choice) for choice in choices)} is needed"
    for key in _POSITIVE:
        if value_of(cfg, key) < 1:
            yield f"{key} is {value_of(cfg, key)}, at least 1 is needed"
    for key in _NOT_NEGATIVE:
        if value_of(cfg, key) < 0:
            yield f"{key} is {value_of(cfg, key)}, a value of 0 or more is needed"
    for key in _SHARES:
        if not 0 <= value_of(cfg, key) <= 1:
            yield f"{key} is {value_of(cfg, key)}, a share from 0 to 1 is needed"
    if 0 in cfg.DATA.STD:
        yield f"DATA.STD is {cfg.DATA.STD}, divisors other than 0 are needed"
    for role, gamma in cfg.DATA.GAMMA.items():
        if not 0 < gamma <= 10:
            yield f"DATA.GAMMA.{role} is {gamma}, a value above 0 and up to 10 is needed (1 is off)"


def _wrong_data(cfg: CfgNode) -> Iterator[str]:
    """Yield what no list can have."""
    separator = cfg.DATA.PATH_LABEL_SEPARATOR
    if not separator or set("\r\n") & set(separator):
        yield f"DATA.PATH_LABEL_SEPARATOR is {separator!r}, what stands between name and label is needed"
    for name, split in cfg.DATA.SPLITS.items():
        if len(split) not in (2, 3) or not all(isinstance(part, str) for part in split):
            yield f"DATA.SPLITS.{name} is {split}, [list, folder] or [list, folder, light] (or dark) is needed"
        elif split[2:] not in ([], ["light"], ["dark"]):
            yield f"DATA.SPLITS.{name} has {split[2]!r} as its third part, light or dark is needed"
        if not re.fullmatch(r"\w+", name):
            yield f"DATA.SPLITS.{name}: a name of letters, digits and _ is needed, because files are named after it"


def _wrong_names(cfg: CfgNode) -> Iterator[str]:
    """Yield names that nothing is registered under; without torch they are checked where they are used."""
    for key, place in _REGISTRIES.items():
        name, (module, registry) = value_of(cfg, key), place.split(":")
        if name == "" == value_of(get_cfg(), key):
            continue
        try:
            choices = getattr(importlib.import_module(module), registry)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            return
        if name not in choices:
            yield choices.refusal(name)


def _wrong_run(cfg: CfgNode) -> Iterator[str]:
    """Yield what no run can have."""
    if cfg.FEATURES.FPS > 1000:
        yield f"FEATURES.FPS is {cfg.FEATURES.FPS:g}, up to 1000 frames a second are possible (0 keeps a video's own)"
    if cfg.RNG_SEED >= 2**32:
        yield f"RNG_SEED is {cfg.RNG_SEED}, a value below 2**32 is needed"
    if not cfg.OUTPUT_DIR:
        yield "OUTPUT_DIR is empty, the folder that the run writes to is needed"
    if cfg.MIXUP.ENABLE and cfg.MIXUP.ALPHA == cfg.MIXUP.CUTMIX_ALPHA == 0:
        yield "MIXUP.ENABLE needs MIXUP.ALPHA or MIXUP.CUTMIX_ALPHA above 0"
    if list(cfg.SOLVER.STEPS) != sorted(cfg.SOLVER.STEPS):
        yield f"SOLVER.STEPS is {cfg.SOLVER.STEPS}, rising epochs are needed"


def _wrong_tests(cfg: CfgNode) -> Iterator[str]:
    """Yield conflicts of testing."""
    if cfg.TEST.NUM_SPATIAL_CROPS not in (1, 3):
        yield f"TEST.NUM_SPATIAL_CROPS is {cfg.TEST.NUM_SPATIAL_CROPS}, 1 or 3 is needed"
    named = [("TEST.DATA_SELECT", cfg.TEST.DATA_SELECT), ("BN.ADAPT_SPLIT", cfg.BN.ADAPT_SPLIT)]
    named += [("TEST.ADAPT_SPLIT", cfg.TEST.ADAPT_SPLIT)] if cfg.TEST.ADAPT_SPLIT else []
    named += [("TRAIN.EVAL_SPLITS", name) for name in cfg.TRAIN.EVAL_SPLITS]
    for entry in cfg.TEST.ALSO:
        try:
            setting = parse_also(str(entry))
        except ValueError:
            yield f"TEST.ALSO has {entry!r}, split[:VIEWSxCROPS[:GAMMA[:ADAPT_SPLIT[:ADAPT]]]] is needed"
            continue
        if setting.views < 1 or not 0 < (1.0 if setting.gamma is None else setting.gamma) <= 10:
            yield f"TEST.ALSO has {entry!r}, at least 1 view and a gamma above 0 and up to 10 are needed"
        named += [("TEST.ALSO", name) for name in (setting.split, setting.adapt_split) if name]
    for key, name in named:
        if name not in cfg.DATA.SPLITS:
            yield f"{key} is {name!r}, a split of DATA.SPLITS is needed: {', '.join(cfg.DATA.SPLITS)}"
    for key in ("TRAIN", "TEST"):
        if cfg[key].ENABLE and cfg[key].DATASET not in DATASETS:
            yield f"{key}.DATASET is {cfg[key].DATASET!r}, {_SAMPLINGS} is needed"
    if cfg.TEST.ENABLE and cfg.TEST.DATASET == "track3" and cfg.TEST.NUM_ENSEMBLE_VIEWS > 2:
        yield f"TEST.DATASET track3 has 1 or 2 views, TEST.NUM_ENSEMBLE_VIEWS is {cfg.TEST.NUM_ENSEMBLE_VIEWS}"


def _wrong_training(cfg: CfgNode) -> Iterator[str]:
    """Yield conflicts of training."""
    if cfg.MIXUP.ENABLE and cfg.MODEL.LOSS_FUNC != "soft_cross_entropy":
        yield f"MIXUP.ENABLE needs MODEL.LOSS_FUNC soft_cross_entropy, not {cfg.MODEL.LOSS_FUNC}: set one of them"
    if cfg.MIXUP.ENABLE and cfg.TRAIN.ENABLE and cfg.TRAIN.BATCH_SIZE * cfg.AUG.NUM_SAMPLE < 2:
        yield "MIXUP.ENABLE needs at least two clips in a batch: raise TRAIN.BATCH_SIZE"
    clips = cfg.TRAIN.BATCH_SIZE * cfg.AUG.NUM_SAMPLE
    if cfg.TRAIN.ENABLE and cfg.TRAIN.ACCUMULATE > 1 and clips % cfg.TRAIN.ACCUMULATE:
        yield f"TRAIN.ACCUMULATE is {cfg.TRAIN.ACCUMULATE}, which does not divide a batch of {clips} clips"
    weights = cfg.TRAIN.CLASS_WEIGHTS
    if weights and (len(weights) != cfg.MODEL.NUM_CLASSES or min(weights) < 0 or not any(weights)):
        yield f"TRAIN.CLASS_WEIGHTS is {weights}, {cfg.MODEL.NUM_CLASSES} numbers of 0 or more are needed"
    if len(cfg.SOLVER.STEPS) != len(cfg.SOLVER.LRS):
        yield "SOLVER.STEPS and SOLVER.LRS need the same length"
    if cfg.SOLVER.LR_POLICY == "steps_with_relative_lrs" and not cfg.SOLVER.STEPS:
        yield "SOLVER.LR_POLICY steps_with_relative_lrs needs SOLVER.STEPS and SOLVER.LRS"
    if cfg.SOLVER.CYCLES > 1 and cfg.SOLVER.LR_POLICY != "cosine":
        yield f"SOLVER.CYCLES {cfg.SOLVER.CYCLES} needs SOLVER.LR_POLICY cosine"
    if cfg.SOLVER.LR_POLICY == "cosine" and cfg.SOLVER.COSINE_END_LR > cfg.SOLVER.BASE_LR:
        yield "SOLVER.COSINE_END_LR is above SOLVER.BASE_LR"
    if cfg.DATA.CLASS_NAMES and len(cfg.DATA.CLASS_NAMES) != cfg.MODEL.NUM_CLASSES:
        yield f"DATA.CLASS_NAMES has {len(cfg.DATA.CLASS_NAMES)} names, MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}"
    for key in ("TRAIN_JITTER_SCALES", "TRAIN_JITTER_SCALES_RELATIVE", "TRAIN_JITTER_ASPECT_RELATIVE"):
        limits = cfg.DATA[key]
        if limits and (len(limits) != 2 or limits[0] > limits[1]):
            yield f"DATA.{key} is {limits}, [smallest, largest] is needed"


def _wrong_several(cfg: CfgNode) -> Iterator[str]:
    """Yield what does not go with several labels a clip."""
    if not several_labels(cfg):
        return
    what = "MODEL.LOSS_FUNC bce (several labels a clip)"
    if cfg.TEST.SCORE != "probs":
        yield f"{what} has no softmax to make probabilities of logits later: set TEST.SCORE probs"
    method = cfg.TRAIN.METHOD or ("pseudo_label" if cfg.DATA.PSEUDO_CSV else "")
    if method in _ONE_LABEL["TRAIN.METHOD"]:
        key = "TRAIN.METHOD" if cfg.TRAIN.METHOD else "DATA.PSEUDO_CSV"
        yield f"{what} trains without {method}, which gives a clip its one likeliest class: set {key} ''"
    for name in dict.fromkeys(
        [cfg.TEST.ADAPT, *(parse_also(text).adapt for text in cfg.TEST.ALSO if _ALSO.match(text))]
    ):
        if name in _ONE_LABEL["TEST.ADAPT"]:
            yield f"{what} is tested without {name}, which makes one class certain: take batchnorm or recentre"
    for key in ("TRAIN.CLASS_WEIGHTS", "TRAIN.LABELLED_BALANCED", "TRAIN.CLASS_BALANCED"):
        if value_of(cfg, key):
            yield f"{what} and {key} {value_of(cfg, key)}, which is by the one class of a clip: leave {key} out"


def _wrong_trunk(cfg: CfgNode) -> Iterator[str]:
    """Yield conflicts of training on a trunk that stays as it is."""
    if cfg.DATA.FEATURE_CACHE and not cfg.TRAIN.PROBE:
        yield "DATA.FEATURE_CACHE holds what a trunk gives that stays as it is: set TRAIN.PROBE True, or no folder"
    if cfg.DATA.FEATURE_CACHE and cfg.MIXUP.ENABLE and cfg.MIXUP.PROB:
        yield "MIXUP mixes clips, and DATA.FEATURE_CACHE holds none: set MIXUP.PROB 0.0 (labels stay smoothed)"
    if cfg.TRAIN.FIT_HEAD and several_labels(cfg):
        yield "TRAIN.FIT_HEAD fits one label a clip, and MODEL.LOSS_FUNC has several: set it False"
    if cfg.TRAIN.PROBE and cfg.LORA.RANK:
        yield "TRAIN.PROBE leaves the trunk as it is and LORA.RANK changes it: set one of them only"


def _wrong_models(cfg: CfgNode) -> Iterator[str]:
    """Yield conflicts of the networks."""
    if cfg.MODEL.BACKBONE and cfg.MODEL.ARCH in _OWN:
        yield (
            f"MODEL.BACKBONE is {cfg.MODEL.BACKBONE!r}, which MODEL.ARCH {cfg.MODEL.ARCH} does not read: set "
            "MODEL.ARCH huggingface (a folder), torchvision or frames, or give weights as TRAIN.CHECKPOINT_FILE_PATH"
        )
    if cfg.MODEL.ARCH == "mvit" and cfg.DATA.TRAIN_CROP_SIZE != cfg.DATA.TEST_CROP_SIZE:
        yield (
            f"MViT has one table of positions: DATA.TRAIN_CROP_SIZE {cfg.DATA.TRAIN_CROP_SIZE} must equal "
            f"DATA.TEST_CROP_SIZE {cfg.DATA.TEST_CROP_SIZE}"
        )
    if cfg.MODEL.ARCH == "sf" and cfg.DATA.NUM_FRAMES % 4:
        yield f"SlowFast needs DATA.NUM_FRAMES in multiples of 4, not {cfg.DATA.NUM_FRAMES}"
    sizes = {"uniformer": ("UNIFORMER.HEAD_DIM",), "videomae": ("VIDEOMAE.TUBELET_SIZE", "VIDEOMAE.PATCH_SIZE")}
    zero = [key for key in sizes.get(cfg.MODEL.ARCH, ()) if value_of(cfg, key) < 1]
    for key in zero:
        yield f"{key} is {value_of(cfg, key)}, at least 1 is needed"
    if zero:
        return
    if cfg.MODEL.ARCH == "videomae" and cfg.DATA.NUM_FRAMES % cfg.VIDEOMAE.TUBELET_SIZE:
        yield (
            f"DATA.NUM_FRAMES {cfg.DATA.NUM_FRAMES} is no multiple of VIDEOMAE.TUBELET_SIZE {cfg.VIDEOMAE.TUBELET_SIZE}"
        )
    if cfg.MODEL.ARCH == "uniformer" and any(width % cfg.UNIFORMER.HEAD_DIM for width in cfg.UNIFORMER.EMBED_DIM[2:]):
        yield (
            f"UNIFORMER.EMBED_DIM {cfg.UNIFORMER.EMBED_DIM}: the last two need multiples of "
            f"UNIFORMER.HEAD_DIM {cfg.UNIFORMER.HEAD_DIM}"
        )
