import numpy as np
import pytest
from PIL import Image

from slowfast.transforms.affine import affine, rotation_matrix

RESAMPLE = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def clip(frames=3, height=40, width=56) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (frames, height // 4, width // 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 4, 1), 4, 2) // 2 + rng.integers(0, 128, (frames, height, width, 3), np.uint8)


def pillow(frames, matrix, interpolation):
    size = frames.shape[2], frames.shape[1]
    return np.stack(
        [
            np.asarray(
                Image.fromarray(frame).transform(
                    size, Image.Transform.AFFINE, matrix, RESAMPLE[interpolation], fillcolor=(128, 128, 128)
                )
            )
            for frame in frames
        ]
    )


@pytest.mark.parametrize("interpolation", RESAMPLE)
@pytest.mark.parametrize(
    "matrix",
    [(1, 0.2137, 0, 0, 1, 0), (1, 0, 0, -0.1311, 1, 0), (1, 0, 17.6413, 0, 1, 0), (1, 0, 0, 0, 1, -9.3179),
     (0, 1, 0, 1, 0, 0), rotation_matrix(40, 56, 17.3), rotation_matrix(40, 56, -29.9), (0.5, 0, 0, 0, 0.5, 0)],
)  # fmt: skip
def test_values_are_pillows(matrix, interpolation):
    frames = clip()
    got, expected = affine(frames, matrix, interpolation), pillow(frames, matrix, interpolation)
    difference = np.abs(got.astype(int) - expected)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-4


def test_rotation_is_pillows():
    frames = clip(1)
    for degrees in (21.0, -10.5, 350.0, 0.3):
        turned = np.asarray(
            Image.fromarray(frames[0]).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))
        )
        assert np.array_equal(affine(frames, rotation_matrix(40, 56, degrees))[0], turned)


def test_a_box_is_the_cut_of_the_whole():
    frames = clip()
    matrix = rotation_matrix(40, 56, 12.0)
    whole = affine(frames, matrix)
    assert np.array_equal(affine(frames, matrix, box=(5, 7, 20, 31)), whole[:, 5:25, 7:38])


def test_identity_and_nothing_left():
    frames = clip()
    assert np.array_equal(affine(frames, (1, 0, 0, 0, 1, 0)), frames)
    assert (affine(frames, (1, 0, 1000, 0, 1, 0)) == 128).all()
