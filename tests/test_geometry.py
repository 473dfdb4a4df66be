"""The pixel convention, similarities, crops and the way back."""

import numpy as np
import pytest

from keras_lotr import geometry
from keras_lotr.geometry import (
    apply,
    compose,
    crop_from_box,
    crop_from_five,
    fit_similarity,
    invert,
)
from keras_lotr.metrics import normalized_mean_error

pytestmark = pytest.mark.once

FIVE_UNIT = np.array([[0.34, 0.4], [0.66, 0.4], [0.5, 0.58], [0.38, 0.74], [0.62, 0.74]])
every_seed = pytest.mark.parametrize("seed", range(20))


def random_similarity(rng):
    center = rng.uniform(-500, 2000, 2)
    scale = np.exp(rng.uniform(-3, 2))
    return geometry.similarity(center, rng.uniform(-50, 300, 2), scale, rng.uniform(-180, 180))


@every_seed
def test_apply_compose_invert(seed):
    rng = np.random.default_rng(seed)
    first, second = random_similarity(rng), random_similarity(rng)
    mirror = np.array([[-1.0, 0, 191], [0, 1, 0]])
    points = rng.uniform(-1000, 3000, (3, 7, 2))
    for matrix in (first, compose(mirror, first)):
        np.testing.assert_allclose(apply(invert(matrix), apply(matrix, points)), points, atol=1e-6)
        both = compose(second, matrix)
        np.testing.assert_allclose(
            apply(both, points), apply(second, apply(matrix, points)), atol=1e-6
        )
    assert apply(first, points[0, 0]).shape == (2,)


def test_similarity_turns_x_towards_y():
    matrix = geometry.similarity([10, 20], [1, 2], scale=2, degrees=90)
    np.testing.assert_allclose(apply(matrix, [[10, 20], [11, 20]]), [[1, 2], [1, 4]], atol=1e-12)


@every_seed
def test_fit_finds_the_similarity(seed):
    rng = np.random.default_rng(seed)
    matrix, points = random_similarity(rng), rng.uniform(0, 100, (5, 2))
    np.testing.assert_allclose(fit_similarity(points, apply(matrix, points)), matrix, atol=1e-8)


def test_fit_is_the_least_squares_one():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 100, (2, 6, 2))
    # x' = p x - q y + u,  y' = q x + p y + v  as one linear system
    rows = [[x, -y, 1, 0] for x, y in a] + [[y, x, 0, 1] for x, y in a]
    p, q, u, v = np.linalg.lstsq(np.array(rows), b.T.ravel())[0]
    np.testing.assert_allclose(fit_similarity(a, b), [[p, -q, u], [q, p, v]], atol=1e-9)


@every_seed
def test_crop_of_a_box_and_back(seed):
    rng = np.random.default_rng(seed)
    corner, extent = rng.uniform(-300, 3000, 2), rng.uniform(5, 2000, 2)
    box, size, margin = [*corner, *(corner + extent)], rng.choice([64, 192, 256]), rng.uniform(1, 2)
    matrix = crop_from_box(box, size, margin, rng.uniform(-180, 180))
    points = rng.uniform(box[:2], box[2:], (68, 2))
    back = apply(invert(matrix), apply(matrix, points).astype(np.float32))
    assert np.abs(back - points).max() < 1e-3
    np.testing.assert_allclose(apply(matrix, corner + extent / 2), [(size - 1) / 2] * 2, atol=1e-9)
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    np.testing.assert_allclose(extent.max() * scale, size / margin)


def test_crop_of_a_box_takes_out_the_turn_of_the_face():
    turned = geometry.similarity([50, 50], [50, 50], degrees=30)
    face = np.array([[40.0, 50], [60, 50]])
    crop = apply(crop_from_box([0, 0, 100, 100], 64, 1.0, degrees=30), apply(turned, face))
    np.testing.assert_allclose(crop[0, 1], crop[1, 1])
    assert crop[0, 0] < crop[1, 0]


@every_seed
def test_crop_of_five_points_and_back(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.choice([64, 192, 256]))
    in_photo = invert(random_similarity(rng))
    five = apply(in_photo, FIVE_UNIT * size - 0.5)
    matrix = crop_from_five(five, FIVE_UNIT, size)
    np.testing.assert_allclose(apply(matrix, five), FIVE_UNIT * size - 0.5, atol=1e-6)
    points = apply(in_photo, rng.uniform(0, size, (68, 2)))
    matrix = crop_from_five(five + rng.normal(0, 2, (5, 2)), FIVE_UNIT, size)
    assert np.abs(apply(invert(matrix), apply(matrix, points)) - points).max() < 1e-3
    linear = matrix[:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * np.linalg.det(linear), atol=1e-9)


@every_seed
def test_nme_is_the_same_in_photo_and_crop(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(100, 400, (1, 68, 2))
    points = truth + rng.normal(0, 5, truth.shape)
    matrix = crop_from_box(geometry.box_of(truth[0]), 192, 1.3, rng.uniform(-90, 90))
    in_crop = normalized_mean_error(apply(matrix, truth), apply(matrix, points), "ibug68")
    in_photo = normalized_mean_error(truth, points, "ibug68")
    np.testing.assert_allclose(float(in_crop[0]), float(in_photo[0]), rtol=1e-4)


# === Warp ===
def blob(shape, center, sigma):
    y, x = np.mgrid[: shape[0], : shape[1]]
    bright = 250 * np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * sigma**2))
    return np.repeat(np.round(bright)[..., None], 3, -1).astype(np.uint8)


def centroid(image):
    mass = image[..., 0].astype(float)
    y, x = np.mgrid[: mass.shape[0], : mass.shape[1]]
    return np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("scale", [3.0, 1.0, 0.7, 0.5, 0.4, 0.23, 0.11])
def test_picture_and_points_move_together(scale, mirrored):
    rng = np.random.default_rng(int(100 * scale))
    size, sigma = 96, 4 / scale
    side = int(160 / scale) + 7
    center = rng.uniform(0.4, 0.6, 2) * side
    matrix = geometry.similarity(center, rng.uniform(40, 56, 2), scale, rng.uniform(-180, 180))
    if mirrored:
        matrix = compose(np.array([[-1.0, 0, size - 1], [0, 1, 0]]), matrix)
    crop = geometry.warp(blob((side, side + 30), center, sigma), matrix, size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    np.testing.assert_allclose(centroid(crop), apply(matrix, center), atol=0.05)


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_partly_outside_the_photo(scale):
    """The blob is near the photo's corner, half of the crop is beyond it, on each side."""
    size, photo = 64, int(200 / scale)
    for corner in ([0, 0], [1, 0], [0, 1], [1, 1]):
        edge = np.array(corner) * (photo - 1)
        center = edge + np.where(corner, -1, 1) * 20 / scale
        matrix = geometry.similarity(edge, [31.5, 31.5], scale)
        crop = geometry.warp(blob((photo, photo), center, 4 / scale), matrix, size)
        np.testing.assert_allclose(centroid(crop), apply(matrix, center), atol=0.05)
        outside = apply(matrix, np.where(corner, photo + 9 / scale, -9 / scale))
        x, y = np.round(outside).astype(int)
        assert crop[y, x].tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [2.0, 1.0, 0.1])
@pytest.mark.parametrize("place", [[-5000, 50], [50, 5000], [9000, -9000]])
def test_wholly_outside_the_photo_is_black(place, scale):
    matrix = geometry.similarity(place, [32, 32], scale)
    crop = geometry.warp(np.full((100, 100, 3), 255, np.uint8), matrix, 64)
    assert crop.shape == (64, 64, 3)
    assert not crop.any()


def test_small_photo_in_a_coarse_crop_is_not_lost():
    """Fewer image pixels than one block of the averaging."""
    matrix = geometry.similarity([1, 1], [32, 32], 0.1)
    crop = geometry.warp(np.full((3, 3, 3), 255, np.uint8), matrix, 64)
    assert crop.shape == (64, 64, 3)


def test_fine_pattern_does_not_alias():
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 200
    matrix = crop_from_box([0, 0, 800, 800], 64, 1.0)
    inner = geometry.warp(stripes, matrix, 64)[4:-4, 4:-4]
    assert np.abs(inner.astype(int) - 100).max() <= 8


# === Bad input ===
@pytest.mark.parametrize(
    "box",
    [[0, 0, 10], [0, 0, 0, 10], [5, 5, 1, 9], [0, 0, np.nan, 4], [0, 0, np.inf, 4], [[0, 0, 1, 1]]],
)
def test_bad_box(box):
    with pytest.raises(ValueError, match="Expected a box x0, y0, x1, y1"):
        crop_from_box(box, 64, 1.3)


@pytest.mark.parametrize("five", [np.zeros((4, 2)), np.full((5, 2), np.nan), np.zeros(10)])
def test_bad_five_points(five):
    with pytest.raises(ValueError, match="Expected five finite points"):
        crop_from_five(five, FIVE_UNIT, 64)


@pytest.mark.parametrize("points", [np.ones((5, 2)), np.full((5, 2), np.inf)])
def test_no_similarity_from_one_place(points):
    with pytest.raises(ValueError, match="two different finite points"):
        fit_similarity(points, FIVE_UNIT)
