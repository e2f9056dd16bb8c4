"""From a configuration to the parts of an extraction; the network is built elsewhere and handed in."""

import json
from collections.abc import Sequence

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import several_labels
from slowfast.features.extractor import Extraction, FeatureNetwork
from slowfast.features.preprocess import FramePreprocess
from slowfast.features.windows import WindowPlan
from slowfast.utils.precision import Precision


def build_plan(cfg: CfgNode) -> WindowPlan:
    """Return where the windows lie."""
    return WindowPlan(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.FEATURES.STRIDE, cfg.FEATURES.TAIL)


def build_preprocess(cfg: CfgNode) -> FramePreprocess:
    """Return how a frame becomes network input; the gamma is that of testing."""
    return FramePreprocess(
        size=cfg.DATA.TEST_CROP_SIZE,
        resize=cfg.FEATURES.RESIZE,
        mean=tuple(cfg.DATA.MEAN),
        std=tuple(cfg.DATA.STD),
        gamma=cfg.DATA.GAMMA.TEST,
    )


def build_extraction(
    cfg: CfgNode,
    model: nn.Module,
    device: torch.device,
    weights: str,
    class_names: Sequence[str] = (),
    *,
    pool: str = "",
) -> Extraction:
    """Return the extraction that a configuration describes.

    Args:
        cfg: FEATURES, DATA, MODEL.ARCH and TEST.MIXED_PRECISION are read.
        model: the network with its weights.
        device: where it runs.
        weights: what identifies the weights, stored with the features.
        class_names: K names, stored with the features; empty: unknown.
        pool: what identifies the adaptation of the network (TEST.ADAPT) and its pool, empty for none.
    """
    precision = Precision.choose(cfg.TEST.MIXED_PRECISION, device, tf32=cfg.TEST.TF32)
    return Extraction(
        network=FeatureNetwork(
            model,
            device=device,
            precision=precision,
            temporal_mean=cfg.DATA.SUBTRACT_TEMPORAL_MEAN,
            layer=cfg.FEATURES.LAYER,
            pool=cfg.FEATURES.POOL,
            several=several_labels(cfg),
        ),
        plan=build_plan(cfg),
        prepare=build_preprocess(cfg),
        batch_size=cfg.FEATURES.BATCH_SIZE,
        fps=cfg.FEATURES.FPS,
        decoders=cfg.FEATURES.DECODERS,
        settings=describe(cfg, weights, precision, pool),
        class_names=class_names,
    )


def describe(cfg: CfgNode, weights: str, precision: Precision, pool: str) -> str:
    """Return as JSON what the features of a video depend on; batch size, devices and shards do not count."""
    settings = {
        "arch": cfg.MODEL.ARCH,
        "weights": weights,
        "precision": "off" if precision.name == "fp32" else precision.name,
        "num_frames": cfg.DATA.NUM_FRAMES,
        "sampling_rate": cfg.DATA.SAMPLING_RATE,
        "stride": cfg.FEATURES.STRIDE,
        "tail": cfg.FEATURES.TAIL,
        "fps": cfg.FEATURES.FPS,
        "resize": cfg.FEATURES.RESIZE,
        "size": cfg.DATA.TEST_CROP_SIZE,
        "mean": list(cfg.DATA.MEAN),
        "std": list(cfg.DATA.STD),
        "gamma": cfg.DATA.GAMMA.TEST,
        "temporal_mean": cfg.DATA.SUBTRACT_TEMPORAL_MEAN,
    }
    if cfg.FEATURES.LAYER:
        settings |= {"layer": cfg.FEATURES.LAYER, "pool": cfg.FEATURES.POOL}
    if several_labels(cfg):
        settings["several_labels"] = True
    if pool:
        settings["adapted"] = pool
    return json.dumps(settings, sort_keys=True)
