"""From the scores of clips to one row per video.

Legend: M clips in order of arrival, N videos, V clips of a video (views x crops), K classes.
"""

import numpy as np

from slowfast.utils.errors import InputError

METHODS = {"sum": np.add, "max": np.maximum}


def aggregate_views(
    scores_MK: np.ndarray,
    video_M: np.ndarray,
    view_M: np.ndarray,
    *,
    num_videos: int,
    num_views: int,
    method: str = "sum",
    failed: tuple[int, ...] | list[int] = (),
) -> np.ndarray:
    """Return one row of scores per video, made from exactly V clips each.

    Clips may arrive in any order; they are added in the order of their views, so the result does not depend on
    it. A clip that arrives again (processes that share an uneven list repeat some) counts once.

    Args:
        scores_MK: float32 (M, K), the model's output for each clip.
        video_M: int (M,), row of the clip's video in the list.
        view_M: int (M,), number of the clip within its video, below `num_views`.
        num_videos: N.
        num_views: V, temporal views x spatial crops.
        method: `sum`, or `max` (starts from zero, as the original did: a maximum below 0 is 0).
        failed: rows of videos that could not be read; their rows are NaN.

    Returns:
        float32 (N, K).

    Raises:
        InputError: a video that did not fail has fewer than V clips, a clip belongs to no video, or the method
            is unknown.
    """
    if method not in METHODS:
        raise InputError(f"DATA.ENSEMBLE_METHOD is {method!r}, expected sum or max")
    scores_MK = np.asarray(scores_MK, dtype=np.float32)
    video_M, view_M = np.asarray(video_M, dtype=np.int64), np.asarray(view_M, dtype=np.int64)
    outside = (video_M < 0) | (video_M >= num_videos) | (view_M < 0) | (view_M >= num_views)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"clip {int(view_M[first])} of video {int(video_M[first])} lies outside"
            f" the {num_videos} videos x {num_views} clips of this test"
        )
    join = METHODS[method]
    slot_M = video_M * num_views + view_M
    slots, first_M = np.unique(slot_M, return_index=True)
    seen_N = np.bincount(slots // num_views, minlength=num_videos)
    whole_N = seen_N == num_views
    failed_N = np.isin(np.arange(num_videos), list(failed))
    if not (whole_N | failed_N).all():
        row = int(np.flatnonzero(~(whole_N | failed_N))[0])
        raise InputError(f"video {row} has {int(seen_N[row])} of {num_views} clips, so its row cannot be made")
    videos_NK = np.full((num_videos, scores_MK.shape[1]), np.nan, dtype=np.float32)
    kept_N = whole_N & ~failed_N
    videos_NK[kept_N] = 0.0
    kept_M = first_M[kept_N[slots // num_views]]
    clips_NVK = scores_MK[kept_M].reshape(int(kept_N.sum()), num_views, scores_MK.shape[1])
    for view in range(num_views):
        clip_NK = clips_NVK[:, view]
        videos_NK[kept_N] = join(videos_NK[kept_N], clip_NK)
    return videos_NK
