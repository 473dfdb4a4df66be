"""Augmentation and batches: repeatable, and image and points move together."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import draw_face

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.augmentation import Augmentation, change_look, random_crop
from keras_lotr.datasets.batches import LandmarkBatches, crops_in_chunks, load_crops
from keras_lotr.geometry import apply, box_of, crop_from_box
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)


def crop_of(augmentation, seed=0, scheme="ibug68", image=None, points=None, size=64):
    if image is None:
        image, points = draw_face(np.random.default_rng(3))
    rng = np.random.default_rng(seed)
    return random_crop(image, points, box_of(points), scheme, size, 1.3, augmentation, rng)


def test_without_augmentation_it_is_the_preprocessor():
    image, points = draw_face(np.random.default_rng(3))
    _, points_crop = crop_of(STILL, image=image, points=points)
    np.testing.assert_allclose(
        points_crop, apply(crop_from_box(box_of(points), 64, 1.3), points), atol=1e-4
    )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_marked_pixel_and_its_point_move_together(seed, flip):
    """A bright blob on one landmark is where that landmark is in the crop."""
    scheme, marked = get_scheme("ibug68"), 36
    points = np.random.default_rng(seed).uniform(60, 140, (68, 2))
    points[[0, 16]], points[marked] = [[60, 60], [140, 140]], [90, 105]
    y, x = np.mgrid[:200, :200]
    bright = 250 * np.exp(-((x - 90) ** 2 + (y - 105) ** 2) / 18)
    image = np.repeat(bright[..., None], 3, -1).astype(np.uint8)
    moving = replace(STILL, rotation=40, scale=0.3, shift=0.1, flip=flip)
    crop, points_crop = crop_of(moving, seed, image=image, points=points, size=128)
    mass = crop[..., 0].astype(float)
    y, x = np.mgrid[:128, :128]
    found = np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()
    landmark = scheme.flip_order[marked] if flip else marked
    np.testing.assert_allclose(points_crop[landmark], found, atol=0.1)


def test_flip_permutes_points():
    straight, mirrored = (crop_of(replace(STILL, flip=chance)) for chance in (0, 1))
    np.testing.assert_allclose(mirrored[1], get_scheme("ibug68").mirror(straight[1], 64), atol=1e-4)
    difference = mirrored[0][:, ::-1].astype(int) - straight[0]
    assert np.abs(difference).mean() < 1


def test_scheme_without_flip_order_is_never_mirrored():
    image, points = draw_face(np.random.default_rng(3))
    (a, p), (b, q) = (
        crop_of(replace(STILL, flip=c), scheme="plain68", image=image, points=points)
        for c in (0, 1)
    )
    np.testing.assert_array_equal(p, q)
    np.testing.assert_array_equal(a, b)


def test_jitter_stays_in_its_bounds():
    image, points = draw_face(np.random.default_rng(3))
    still = crop_of(STILL, image=image, points=points)[1]
    bounds = Augmentation(rotation=20, scale=0.15, shift=0.06, flip=0)
    turns, scales = [], []
    for seed in range(100):
        moved = crop_of(bounds, seed, image=image, points=points)[1]
        before, after = still[45] - still[36], moved[45] - moved[36]
        turns.append(np.degrees(np.arctan2(*after[::-1]) - np.arctan2(*before[::-1])))
        scales.append(np.linalg.norm(after) / np.linalg.norm(before))
        shift = moved[[8, 19]].mean(0) - still[[8, 19]].mean(0)
        assert np.abs(shift).max() < 0.06 * 64 + 0.5 * 64 * 0.3
    assert 15 < np.abs(turns).max() <= 20.01
    assert 1.1 < max(scales) <= 1.1501
    assert 1 / 1.1501 <= min(scales) < 0.91


@pytest.mark.parametrize("kind", ["color", "gray", "blur", "cutout"])
def test_each_change_of_look_changes_only_the_look(kind):
    crop, points = crop_of(STILL)
    changed = []
    for seed in range(10):
        other, same_points = crop_of(
            replace(STILL, **{kind: 1.0 if kind != "color" else 0.5}), seed
        )
        np.testing.assert_array_equal(same_points, points)
        assert other.shape == crop.shape
        assert other.dtype == np.uint8
        changed.append((other != crop).any())
        if kind == "gray":
            assert (np.ptp(other.astype(int), axis=-1) == 0).all()
    assert all(changed)


@pytest.mark.parametrize("size", [16, 32, 64, 256])
def test_any_size(size):
    everything = Augmentation(gray=1, blur=1, cutout=1)
    for seed in range(10):
        crop = np.zeros((size, size, 3), np.uint8)
        assert change_look(crop, everything, np.random.default_rng(seed)).shape == crop.shape


# === Batches ===
@pytest.fixture(scope="module")
def samples(rendered_faces):
    return read_samples(rendered_faces, "train", "ibug68")


def make(samples, **settings):
    return LandmarkBatches([samples], 64, 1.3, Augmentation(), 3, **settings)


def test_batches_are_the_same_by_seed_epoch_and_number(samples):
    first, second = make(samples, seed=5), make(samples, seed=5, epoch=1)
    first.on_epoch_end()
    second[1]  # what else has been drawn does not matter
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("change", ["seed", "epoch", "index"])
def test_batches_differ_otherwise(samples, change):
    first = make(samples, seed=5)
    second = make(samples, **({"seed": 5} | ({change: 6} if change != "index" else {})))
    assert (first[0][0] != second[change == "index"][0]).any()


def test_batch(samples):
    batches = make(samples)
    assert len(batches) == 2
    crops, points = batches[0]
    assert crops.shape == (3, 64, 64, 3)
    assert crops.dtype == np.uint8
    assert points.shape == (3, 68, 2)
    assert points.dtype == np.float32


def test_groups_give_the_same_number_of_faces(samples):
    groups = [samples[:2], samples[2:]]
    batches = LandmarkBatches(groups, 64, 1.3, STILL, 3, samples_per_epoch=12)
    assert np.bincount(batches.order[:12, 0]).tolist() == [6, 6]


def test_every_face_comes_once_an_epoch(samples):
    batches = LandmarkBatches([samples], 64, 1.3, STILL, 4)
    for _ in range(3):
        assert sorted(batches.order[:, 1]) == list(range(len(samples)))
        batches.on_epoch_end()


@pytest.mark.parametrize("count", [2, 4])
def test_parts_of_a_batch_are_the_batch(samples, count):
    """Bit by bit, whatever is random in the faces of the other parts."""
    settings = {"batch_size": 8, "augmentation": Augmentation(blur=1.0, cutout=1.0), "seed": 3}
    whole = LandmarkBatches([samples], 64, 1.3, **settings)
    parts = [LandmarkBatches([samples], 64, 1.3, part=(i, count), **settings) for i in range(count)]
    assert {len(batches) for batches in parts} == {len(whole)}
    for expected, of_parts in zip(whole[0], zip(*(p[0] for p in parts), strict=True), strict=True):
        assert {len(part) for part in of_parts} == {8 // count}
        np.testing.assert_array_equal(expected, np.concatenate(of_parts))


def test_fewer_faces_than_a_batch(samples):
    assert len(LandmarkBatches([samples[:2]], 64, 1.3, STILL, 5)[0][0]) == 5


def test_validation_crops_follow_the_contract(samples):
    crops, points = load_crops(iter(samples), 64, 1.3)
    for margin in (0, -1.3, np.nan, np.inf):
        with pytest.raises(ValueError, match="Expected a margin above 0"):
            load_crops(samples, 64, margin)
    with pytest.raises(ValueError, match="Expected size as a whole number from 1. Received: 0"):
        load_crops(samples, 0, 1.3)
    assert crops.shape == (8, 64, 64, 3)
    extent = np.ptp(points, axis=1).max(-1)
    np.testing.assert_allclose(extent, 64 / 1.3, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 6, 8])
def test_chunks_are_the_crops_of_all(samples, count):
    whole = load_crops(samples[:count], 64, 1.5)
    parts = list(crops_in_chunks(samples[:count], Preprocessor("ibug68", 64, 1.5), chunk=3))
    assert [len(crops) for crops, _ in parts] == {0: [0], 6: [3, 3], 8: [3, 3, 2]}[count]
    for expected, found in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(found), expected)


# === Landmarks without label ===
def with_gaps(sample, gaps, weights=None):
    points = sample.points_image.copy()
    points[list(gaps)] = np.nan
    return replace(sample, points_image=points, weights=weights)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_flip_moves_gaps_and_weights_with_their_landmarks(flip):
    image, points = draw_face(np.random.default_rng(3))
    weights = np.linspace(0, 1, 68)
    points[0] = np.nan
    rows = np.column_stack([points, weights])
    rng = np.random.default_rng(0)
    _, moved = random_crop(
        image, rows, box_of(points[1:]), "ibug68", 64, 1.3, replace(STILL, flip=flip), rng
    )
    order = list(get_scheme("ibug68").flip_order) if flip else range(68)
    np.testing.assert_allclose(moved[:, 2], weights[order], rtol=1e-6)
    assert np.flatnonzero(np.isnan(moved).any(-1)).tolist() == [16 if flip else 0]


@pytest.mark.parametrize("kind", ["gap", "weights", "both"])
def test_batches_with_weights(samples, kind):
    weights = np.full(68, 0.25) if kind != "gap" else None
    changed = with_gaps(samples[0], [5] if kind != "weights" else [], weights)
    batches = LandmarkBatches([[changed, *samples[1:]]], 64, 1.3, STILL, len(samples))
    crops, points, of_landmarks = batches[0]
    plain = LandmarkBatches([samples], 64, 1.3, STILL, len(samples))[0]
    row = batches.order[:, 1].tolist().index(0)
    expected = np.ones((8, 68), np.float32)
    expected[row] = 0.25 if weights is not None else 1
    expected[row, 5] *= kind == "weights"
    np.testing.assert_array_equal(of_landmarks, expected)
    assert of_landmarks.dtype == points.dtype == np.float32
    np.testing.assert_array_equal(crops, plain[0])
    np.testing.assert_array_equal(np.isnan(points[..., 0]), of_landmarks == 0)
    np.testing.assert_allclose(points[of_landmarks > 0], plain[1][of_landmarks > 0], atol=1e-4)


def test_validation_points_keep_gaps(samples):
    _, points = load_crops([with_gaps(samples[0], [5, 7])], 64, 1.3)
    assert np.flatnonzero(np.isnan(points[0, :, 1])).tolist() == [5, 7]
