import json

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from slowfast.transforms import rand_augment
from slowfast.transforms.rand_augment import OPERATIONS, apply_plan, parse_policy


def frames_of(shape, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_golden_arguments(golden):
    facts = json.loads((golden / "train/randaugment.json").read_text())
    assert list(OPERATIONS) == facts["ops_in_order"]
    for name, levels in facts["arguments_by_level_and_sign"].items():
        for key, expected in levels.items():
            level, sign = float(key[:3]), 1 if key.endswith("pos") else -1
            rule = OPERATIONS[name].argument
            assert (rule is None) == (expected == [])
            if rule is not None:
                assert rule(level, sign) == pytest.approx(expected[0], abs=1e-12)


def test_golden_values(golden):
    images = np.load(golden / "train/randaugment.npz")
    clip_THWC = np.stack([images["input"], images["input"][::-1], images["input"]])
    checked = 0
    for key in images.files:
        if key == "input":
            continue
        name, level, sign = key.split(".")[0], float(key.split(".", 1)[1][:3]), 1 if key.endswith("pos") else -1
        out = apply_plan(clip_THWC, [(name, level, sign)])
        assert out.dtype == np.uint8 and out.shape == clip_THWC.shape
        assert np.array_equal(out[0], images[key]) and np.array_equal(out[2], images[key]), key
        checked += 1
    assert checked == 60


def test_frames_do_not_influence_each_other():
    frames = frames_of((3, 20, 28, 3))
    for name in OPERATIONS:
        together = apply_plan(frames, [(name, 7.0, 1)])
        alone = np.concatenate([apply_plan(frames[i : i + 1], [(name, 7.0, 1)]) for i in range(3)])
        assert np.array_equal(together, alone), name


def test_sharpness_and_contrast_are_pillows():
    for height, width in ((20, 28), (3, 3), (2, 9), (1, 1)):
        frames = frames_of((2, height, width, 3), seed=height)
        for factor in (0.1, 0.37, 1.0, 1.63, 1.9):
            for change, enhancer in (
                (rand_augment.sharpness, ImageEnhance.Sharpness),
                (rand_augment.contrast, ImageEnhance.Contrast),
                (rand_augment.color, ImageEnhance.Color),
                (rand_augment.brightness, ImageEnhance.Brightness),
            ):
                expected = [np.asarray(enhancer(Image.fromarray(frame)).enhance(factor)) for frame in frames]
                assert np.array_equal(change(frames, factor), np.stack(expected)), (enhancer, factor, height)


def test_histogram_operations_are_pillows():
    rng = np.random.default_rng(0)
    flat = np.full((20, 28, 3), 77, np.uint8)
    kinds = [
        flat,
        (flat + rng.integers(0, 2, flat.shape)).astype(np.uint8),
        255 * rng.integers(0, 2, flat.shape),
        rng.integers(40, 60, flat.shape),
        rng.exponential(6, flat.shape).clip(0, 255),
        rng.integers(0, 256, flat.shape),
    ]
    for height, width in ((20, 28), (15, 17), (1, 1), (2, 9)):
        frames = np.stack([kind[:height, :width].astype(np.uint8) for kind in kinds])
        for change, expected in (
            (rand_augment.auto_contrast, ImageOps.autocontrast),
            (rand_augment.equalize, ImageOps.equalize),
        ):
            wanted = np.stack([np.asarray(expected(Image.fromarray(frame))) for frame in frames])
            assert np.array_equal(change(frames), wanted), (change, height)
            if height > 2:
                assert np.array_equal(change(frames, (2, 3, 7, 9)), wanted[:, 2:9, 3:12])


def test_extreme_levels():
    frames = frames_of((1, 8, 8, 3))
    for name in OPERATIONS:
        for level in (0.0, 10.0):
            for sign in (1, -1):
                assert apply_plan(frames, [(name, level, sign)]).shape == frames.shape
    assert not apply_plan(frames, [("PosterizeIncreasing", 10.0, 1)]).any()
    assert np.array_equal(apply_plan(frames, [("SolarizeIncreasing", 10.0, 1)]), 255 - frames)


def test_cropping_early_changes_nothing():
    """The box cut inside a plan is the box cut after it, for every order of two operations."""
    frames = frames_of((2, 24, 32, 3))
    box = (3, 5, 14, 20)
    for first in OPERATIONS:
        for second in OPERATIONS:
            plan = [(first, 6.3, 1), (second, 7.9, -1)]
            whole = apply_plan(frames, plan)[:, 3:17, 5:25]
            assert np.array_equal(apply_plan(frames, plan, box=box), whole), (first, second)
    assert np.array_equal(apply_plan(frames, [], box=box), frames[:, 3:17, 5:25])


def test_distribution_of_draws():
    policy = parse_policy("rand-m7-n4-mstd0.5-inc1")
    rng = np.random.default_rng(0)
    plans = [policy.draw(rng) for _ in range(3000)]
    drawn = [step for plan in plans for step in plan]
    assert np.mean([len(plan) for plan in plans]) == pytest.approx(2.0, abs=0.06)
    counts = {name: sum(step[0] == name for step in drawn) for name in OPERATIONS}
    assert min(counts.values()) > 0.8 * len(drawn) / 15 and max(counts.values()) < 1.2 * len(drawn) / 15
    levels = np.array([level for _, level, _ in drawn])
    assert levels.mean() == pytest.approx(7.0, abs=0.03) and levels.std() == pytest.approx(0.5, abs=0.03)
    assert np.mean([sign for _, _, sign in drawn]) == pytest.approx(0.0, abs=0.05)


def test_levels_are_clipped_and_draws_depend_on_the_seed():
    policy = parse_policy("rand-m10-n8-mstd3-p1-inc1")
    levels = [level for _ in range(50) for _, level, _ in policy.draw(np.random.default_rng(_))]
    assert max(levels) == 10.0 and len(levels) == 400
    assert policy.draw(np.random.default_rng(1)) == policy.draw(np.random.default_rng(1))
    assert policy.draw(np.random.default_rng(1)) != policy.draw(np.random.default_rng(2))


def test_notation():
    policy = parse_policy("rand-m9-mstd0.5-inc1", "bilinear")
    assert (policy.magnitude, policy.num_ops, policy.std, policy.prob) == (9.0, 2, 0.5, 0.5)
    assert policy.interpolation == "bilinear"
    assert parse_policy("") is None


@pytest.mark.parametrize("text", ["augmix-m3", "rand-m9", "rand-mm9-inc1", "rand-m9-w0-inc1", "original"])
def test_other_notations_are_refused(text):
    with pytest.raises(ValueError, match="rand|none of"):
        parse_policy(text)


def test_unknown_interpolation():
    with pytest.raises(ValueError, match="bicubic, bilinear"):
        parse_policy("rand-m9-inc1", "lanczos")
