import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast.ensemble import aggregate_views
from slowfast.utils.errors import InputError


@pytest.mark.parametrize("method", ["sum", "max"])
def test_golden_clips_out_of_order(method, golden):
    reference = np.load(golden / "data" / "test_meter.npz")
    clips = reference["clip_ids_in_order"]
    found = aggregate_views(
        reference["clip_preds"][clips], clips // 3, clips % 3, num_videos=4, num_views=3, method=method
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference[f"video_preds_{method}"], atol=1e-6, rtol=0)


@settings(max_examples=40, deadline=None)
@given(videos=st.integers(1, 5), views=st.integers(1, 4), seed=st.integers(0, 99), repeats=st.integers(0, 6))
def test_order_and_repeated_clips_do_not_matter(videos, views, seed, repeats):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(videos * views, 3)).astype(np.float32)
    slots = np.arange(videos * views)
    arriving = np.concatenate([rng.permutation(slots), rng.choice(slots, repeats)])
    plain = aggregate_views(scores, slots // views, slots % views, num_videos=videos, num_views=views)
    mixed = aggregate_views(scores[arriving], arriving // views, arriving % views, num_videos=videos, num_views=views)
    np.testing.assert_array_equal(plain, mixed)
    np.testing.assert_allclose(plain, scores.reshape(videos, views, 3).sum(axis=1), atol=1e-5)


def test_failed_videos_are_nan_and_others_must_be_whole():
    scores = np.ones((3, 2), np.float32)
    found = aggregate_views(scores, [0, 0, 1], [0, 1, 0], num_videos=2, num_views=2, failed=[1])
    np.testing.assert_array_equal(found, [[2, 2], [np.nan, np.nan]])
    with pytest.raises(InputError, match="video 1 has 1 of 2 clips"):
        aggregate_views(scores, [0, 0, 1], [0, 1, 0], num_videos=2, num_views=2)


@pytest.mark.parametrize("video, view", [(2, 0), (-1, 0), (0, 2), (0, -1)])
def test_clip_of_no_video(video, view):
    with pytest.raises(InputError, match="lies outside"):
        aggregate_views(np.ones((1, 2)), [video], [view], num_videos=2, num_views=2)


def test_unknown_method():
    with pytest.raises(InputError, match="ENSEMBLE_METHOD"):
        aggregate_views(np.ones((1, 2)), [0], [0], num_videos=1, num_views=1, method="mean")
