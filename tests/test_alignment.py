"""Aligned crops of faces."""

import cv2
import numpy as np
import pytest

import keras_lotr
from keras_lotr import align, geometry
from keras_lotr.images.alignment import ARCFACE_POINTS
from keras_lotr.inference.face_detector import Face
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once

SCHEMES = ("ibug68", "wflw98", "jd106", "insightface106")


def face_at(five, scheme="ibug68"):
    """A face whose eyes, nose tip and mouth corners are there."""
    scheme = get_scheme(scheme)
    points = np.zeros((scheme.num_landmarks, 2))
    for group, point in zip(scheme.five_points, five, strict=True):
        points[list(group)] = point
    return FaceLandmarks(points, [0, 0, 9, 9], None, scheme.name)


def dots(five, shape=(300, 400, 3)):
    """An image with a bright spot at each of five points."""
    image = np.zeros(shape, np.uint8)
    for x, y in np.asarray(five):
        cv2.circle(image, (round(x * 16), round(y * 16)), 5 * 16, (255, 255, 255), -1, 4, 4)
    return cv2.GaussianBlur(image, (0, 0), 2)


def spots(crop):
    """Where the five bright spots of a crop are, from top left."""
    _, _, _, centers = cv2.connectedComponentsWithStats((crop[..., 0] > 60).astype(np.uint8))
    return centers[1:]


def sorted_by_place(points):
    return np.array(sorted(np.round(points).tolist()))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("degrees", [0, 30, 90, 180])
def test_the_five_points_come_to_their_places(scheme, degrees):
    turn = geometry.similarity([56, 70], [200, 150], scale=1.7, degrees=degrees)
    five = geometry.apply(turn, np.array(ARCFACE_POINTS))
    crop = align(dots(five), face_at(five, scheme))
    assert crop.shape == (112, 112, 3) and crop.dtype == np.uint8
    np.testing.assert_allclose(
        sorted_by_place(spots(crop)), sorted_by_place(ARCFACE_POINTS), atol=1
    )


def test_size_and_zoom_keep_the_middle():
    five = np.array(ARCFACE_POINTS) + 100
    image, face = dots(five), face_at(five)
    middle = (np.array(ARCFACE_POINTS) + 0.5) / 112 - 0.5
    for size, zoom in ((112, 1.0), (224, 1.0), (112, 0.5), (300, 0.8)):
        expected = (0.5 + zoom * middle) * size - 0.5
        found = spots(align(image, face, size, zoom))
        np.testing.assert_allclose(sorted_by_place(found), sorted_by_place(expected), atol=1)


def test_the_pixels_of_an_aligned_face_stay():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (112, 112, 3), np.uint8)
    np.testing.assert_array_equal(align(image, face_at(ARCFACE_POINTS)), image)


def test_many_faces_one_face_and_none():
    image, face = np.zeros((200, 200, 3), np.uint8), face_at(np.array(ARCFACE_POINTS) + 20)
    found = Face(np.array([0, 0, 9, 9]), five_points=np.array(ARCFACE_POINTS))
    assert align(image, [face, found], 64).shape == (2, 64, 64, 3)
    assert align(image, (f for f in [face]), 64).shape == (1, 64, 64, 3)
    assert align(image, found, 64).shape == (64, 64, 3)
    assert align(image, [], 64).shape == (0, 64, 64, 3)


def test_a_face_partly_outside_of_the_image():
    five = np.array(ARCFACE_POINTS) - 50
    crop = align(np.full((100, 100, 3), 255, np.uint8), face_at(five))
    assert crop[0, 0].tolist() == [0, 0, 0] and crop[-1, -1].tolist() == [255] * 3


def test_bad_input():
    image, face = np.zeros((50, 50, 3), np.uint8), face_at(ARCFACE_POINTS)
    plain = FaceLandmarks(np.zeros((3, 2)), [0, 0, 9, 9], None, "plain3")
    for size in (0, 10**6, 112.0, True, "112"):
        with pytest.raises(ValueError, match="Expected size as 1 to 8192 whole pixels"):
            align(image, face, size)
    for zoom in (0, -1, float("nan"), float("inf"), "1"):
        with pytest.raises(ValueError, match="Expected a zoom above 0"):
            align(image, face, zoom=zoom)
    for strange in (plain, Face(np.array([0, 0, 9, 9]))):
        with pytest.raises(ValueError, match="Expected a face with five points"):
            align(image, [strange])
    with pytest.raises(ValueError, match="Expected five finite points"):
        align(image, face_at(np.full((5, 2), np.nan)))
    with pytest.raises(TypeError, match="Expected a list of FaceLandmarks"):
        align(image, face.points)
    assert plain.five_points is None


def test_eyes_of_a_photo_are_level():
    landmarker = keras_lotr.FaceLandmarker("lotr_s_68", engine="onnxruntime")
    (face,) = landmarker("examples/astronaut.jpg")
    (again,) = landmarker(align("examples/astronaut.jpg", face, 256, zoom=0.6))
    expected = (0.5 + 0.6 * ((np.array(ARCFACE_POINTS) + 0.5) / 112 - 0.5)) * 256 - 0.5
    assert np.abs(again.five_points - expected).max() < 12
