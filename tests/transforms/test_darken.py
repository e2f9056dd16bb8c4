import numpy as np
import pytest

from slowfast.transforms.darken import (
    EXACT_ELECTRONS,
    EXPOSURE_RANGE,
    MEAN_LEVEL_RANGE,
    DarkeningParameters,
    darken,
    linear_to_srgb_table,
    metered_exposure,
    random_darkening,
    shot_noise,
    srgb_to_linear_table,
    vignette,
)


def grey(level: int, frames: int = 6, height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((frames, height, width, 3), level, dtype=np.uint8)


def electrons_of(frames_THWC: np.ndarray, full_well: float) -> np.ndarray:
    return srgb_to_linear_table()[frames_THWC].astype(np.float64) * full_well


def test_srgb_tables_are_inverse():
    codes = np.arange(256)
    linear = srgb_to_linear_table()
    np.testing.assert_array_equal(linear_to_srgb_table()[np.round(linear * 65535).astype(int)], codes)
    assert linear[0] == 0.0 and linear[255] == pytest.approx(1.0)
    assert linear[188] == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("mean", [0.05, 0.7, 3.0, 25.0, 120.0, 400.0])
def test_shot_noise_has_poisson_mean_and_variance(mean):
    counts = shot_noise(np.full(200_000, mean, dtype=np.float32), np.random.default_rng(1))
    assert counts.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / 200_000) + 0.005 * mean)
    assert counts.var() == pytest.approx(mean, rel=0.05)
    if mean <= EXACT_ELECTRONS:
        np.testing.assert_array_equal(counts, np.round(counts))
    if mean < 5:
        assert (counts == 0).mean() == pytest.approx(np.exp(-mean), abs=0.01)


@pytest.mark.parametrize("read_noise", [0.0, 4.0])
@pytest.mark.parametrize("level", [90, 140, 200])
def test_noise_variance_follows_shot_plus_read_model(level, read_noise):
    full_well = 300.0
    parameters = DarkeningParameters(exposure=1.0, full_well=full_well, read_noise=read_noise)
    electrons = electrons_of(darken(grey(level), parameters, np.random.default_rng(0)), full_well)
    expected = float(srgb_to_linear_table()[level]) * full_well
    assert electrons.mean() == pytest.approx(expected, rel=0.02)
    assert electrons.var() == pytest.approx(expected + read_noise**2, rel=0.06)


def test_exposure_scales_linear_light():
    bright = DarkeningParameters(exposure=1.0, full_well=1e6, read_noise=0.0)
    dark = DarkeningParameters(exposure=1 / 16, full_well=1e6, read_noise=0.0)
    rng = np.random.default_rng(0)
    light_1 = electrons_of(darken(grey(230), bright, rng), 1.0).mean()
    light_16 = electrons_of(darken(grey(230), dark, rng), 1.0).mean()
    assert light_1 / light_16 == pytest.approx(16.0, rel=0.05)


def test_row_noise_is_shared_by_a_row():
    quiet = DarkeningParameters(exposure=1.0, full_well=2000.0, read_noise=0.0, row_noise=0.0)
    rows = DarkeningParameters(exposure=1.0, full_well=2000.0, read_noise=0.0, row_noise=30.0)
    spread = [
        electrons_of(darken(grey(120), setting, np.random.default_rng(0)), 2000.0)[..., 0].mean(axis=2).std()
        for setting in (quiet, rows)
    ]
    assert spread[0] < 6.0
    assert spread[1] == pytest.approx(30.0, rel=0.15)


def test_colour_gains_tint_and_vignetting_darkens_corners():
    parameters = DarkeningParameters(
        exposure=0.2, full_well=1e6, read_noise=0.0, colour_gains=(1.3, 1.0, 0.7), vignetting=0.5
    )
    out = darken(grey(200), parameters, np.random.default_rng(0)).astype(float)
    red, green, blue = out.mean(axis=(0, 1, 2))
    assert red > green + 5 > blue + 10
    assert out[:, :4, :4].mean() < 0.85 * out[:, 28:36, 28:36].mean()
    gain_HW = vignette(65, 81, 0.5)
    assert gain_HW[32, 40] == pytest.approx(1.0) and gain_HW[0, 0] == pytest.approx(0.5)


def test_gain_map_is_applied():
    gain_HW = np.ones((64, 64))
    gain_HW[:, :32] = 0.0
    out = darken(grey(200), DarkeningParameters(read_noise=0.0), np.random.default_rng(0), gain_HW)
    assert out[:, :, :32].max() == 0 and out[:, :, 32:].mean() > 5


def test_pure_and_deterministic():
    clip = np.random.default_rng(0).integers(0, 256, (4, 16, 20, 3), dtype=np.uint8)
    before = clip.copy()
    first = darken(clip, DarkeningParameters(), np.random.default_rng(3))
    again = darken(clip, DarkeningParameters(), np.random.default_rng(3))
    other = darken(clip, DarkeningParameters(), np.random.default_rng(4))
    np.testing.assert_array_equal(clip, before)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.uint8 and first.shape == clip.shape
    assert (first != other).any()


@pytest.mark.parametrize("level", [110, 160, 230])
def test_metered_exposure_reaches_the_range(level):
    clip = grey(level)
    for seed in range(5):
        exposure = metered_exposure(clip, np.random.default_rng(seed))
        assert EXPOSURE_RANGE[0] <= exposure <= EXPOSURE_RANGE[1] * (1 + 1e-9)
        mean = linear_to_srgb_table()[int(srgb_to_linear_table()[level] * exposure * 65535)]
        assert MEAN_LEVEL_RANGE[0] - 1 <= mean <= MEAN_LEVEL_RANGE[1] + 1


def test_metering_of_an_almost_black_clip_takes_the_longest_exposure():
    assert metered_exposure(grey(30), np.random.default_rng(0)) > 0.8 * EXPOSURE_RANGE[1]


def test_random_darkening_differs_between_clips():
    drawn = {random_darkening(grey(150), np.random.default_rng(seed)) for seed in range(8)}
    assert len(drawn) == 8


@pytest.mark.parametrize(
    "wrong",
    [{"exposure": 0.0}, {"exposure": 1.5}, {"full_well": 0.0}, {"read_noise": -1.0}, {"row_noise": -1.0},
     {"vignetting": 1.2}, {"colour_gains": (1.0, 0.0, 1.0)}],
)  # fmt: skip
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError):
        DarkeningParameters(**wrong)


@pytest.mark.parametrize("frames", [np.zeros((2, 8, 8, 3), np.float32), np.zeros((8, 8, 3), np.uint8)])
def test_wrong_frames_are_refused(frames):
    with pytest.raises(ValueError, match="uint8"):
        darken(frames, DarkeningParameters(), np.random.default_rng(0))
