"""Scale matrices, ellipses and quality by hand, and results that carry, write and read them."""

import json

import numpy as np
import pytest
from tiny import face_layout, randomize, tiny_lotr

from keras_lotr.images.drawing import draw
from keras_lotr.inference import formats, saved_results
from keras_lotr.inference.certainty import distances, ellipses, quality, radius, scale_matrices
from keras_lotr.inference.landmarker import FaceLandmarker
from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.inference.results import FaceLandmarks

EXAMPLE = "examples/astronaut.jpg"


def face_of(visible=None, scale=4.0):
    sigma = np.tile(np.diag([scale, scale / 4]), (68, 1, 1))
    visible = np.linspace(0, 1, 68) if visible is None else visible
    points = face_layout() * 200 + 20
    return FaceLandmarks(points, [20, 20, 220, 220], 0.9, "ibug68", sigma=sigma, visible=visible)


def test_distances_are_those_of_the_matrices():
    rng = np.random.default_rng(0)
    triangles = np.abs(rng.normal(size=(50, 3))) + 0.1
    errors = rng.normal(size=(50, 2))
    inverse = np.linalg.inv(scale_matrices(triangles))
    expected = np.sqrt(np.einsum("pi,pij,pj->p", errors, inverse, errors))
    np.testing.assert_allclose(distances(errors, triangles), expected)


def test_a_rotated_crop_rotates_the_matrix():
    quarter = np.array([[0.0, -2.0, 5.0], [2.0, 0.0, 7.0]])
    np.testing.assert_allclose(
        scale_matrices([3.0, 0.0, 1.0], quarter), [[4.0, 0.0], [0.0, 36.0]], atol=1e-12
    )


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_ellipses_hold_what_they_promise(level):
    rng = np.random.default_rng(1)
    triangle = np.array([2.0, -1.0, 0.5])
    z = rng.normal(size=(100_000, 2)) / np.sqrt(rng.chisquare(8, (100_000, 1)) / 8)
    errors = z @ np.array([[2.0, -1.0], [0.0, 0.5]])
    inside = distances(errors, triangle) <= radius(level)
    assert inside.mean() == pytest.approx(level, abs=0.01)
    long, short, degrees = ellipses(scale_matrices(triangle), level)
    turn = np.deg2rad(degrees)
    x = errors @ [np.cos(turn), np.sin(turn)] / long
    y = errors @ [-np.sin(turn), np.cos(turn)] / short
    np.testing.assert_array_equal(np.hypot(x, y) <= 1, inside)


def test_a_level_of_one_is_refused():
    with pytest.raises(ValueError, match="level"):
        face_of().ellipse(1.0)


def test_quality_falls_with_the_error():
    points = face_layout() * 200
    qualities = [quality(np.tile(s * np.eye(2), (68, 1, 1)), points) for s in (1, 100, 10_000)]
    assert qualities == sorted(qualities, reverse=True)
    assert qualities[0] > 0.99
    assert qualities[2] < 0.05
    sigma = np.tile(100 * np.eye(2), (68, 1, 1))
    points[40] = np.nan
    assert quality(sigma, points) == pytest.approx(qualities[1], abs=0.05)
    assert quality(sigma, np.full((68, 2), np.nan)) == 0


def test_without_certainty_there_is_none():
    face = FaceLandmarks(face_layout() * 100, [0, 0, 100, 100], None, "ibug68")
    assert (face.sigma, face.visible, face.quality, face.ellipse()) == (None,) * 4
    assert "sigma" not in face.to_dict()


def test_landmarker_leads_it_into_image_pixels():
    model = randomize(tiny_lotr(68, certainty_dim=8))
    model.certainty.calibration.assign(np.full((68, 1), 1.5))
    box = [[100, 60, 260, 260]]
    (face,) = FaceLandmarker(model)(EXAMPLE, boxes=box)
    assert face.sigma.shape == (68, 2, 2)
    assert face.visible.shape == (68,)
    assert 0 <= face.quality <= 1
    scale = 200 * model.preprocessor.margin / model.image_size  # image pixels in a crop pixel
    from keras_lotr.images.reading import read_image
    from keras_lotr.inference.photo_crops import crop_faces, faces_of_boxes

    image = read_image(EXAMPLE)
    _, crops = crop_faces(image, faces_of_boxes(box, image.shape), model.preprocessor)
    _, certainty = model.predict_certainty(np.array(crops))
    expected = scale_matrices(certainty[0, :, :3]) * scale**2
    np.testing.assert_allclose(face.sigma, expected, rtol=1e-4)


def test_dicts_come_back():
    face = face_of()
    back = FaceLandmarks.from_dict(json.loads(json.dumps(face.to_dict())))
    np.testing.assert_allclose(back.sigma, face.sigma, rtol=1e-3)
    np.testing.assert_allclose(back.visible, face.visible, atol=1e-3)
    assert back.quality == pytest.approx(face.quality, abs=1e-3)
    assert back != FaceLandmarks(face.points, face.box, face.score, face.scheme)


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "coco"])
def test_files_come_back(kind, tmp_path):
    entry = PhotoLandmarks("a.jpg", [face_of()], 300, 300).to_dict()
    path = tmp_path / ("found.json" if kind == "coco" else f"found.{kind}")
    formats.write_entries(path, kind, [entry])
    ((back,),) = (e["faces"] for e in saved_results.read_entries(path))
    face = entry["faces"][0]
    np.testing.assert_allclose(back["sigma"], face["sigma"])
    assert back["visible"] == pytest.approx(face["visible"])
    assert back["quality"] == face["quality"]


def test_coco_flags_hidden_landmarks():
    entry = PhotoLandmarks("a.jpg", [face_of()], 300, 300).to_dict()
    annotation = json.loads(formats.to_coco([entry]))["annotations"][0]
    flags = annotation["keypoints"][2::3]
    assert flags == [1] * 34 + [2] * 34


def test_low_quality_is_marked():
    photo = PhotoLandmarks("a.jpg", [face_of(), face_of(scale=1e4)], 300, 300, min_quality=0.5)
    marks = [face.get("low_quality") for face in photo.to_dict()["faces"]]
    assert marks == [None, True]


def test_hidden_landmarks_are_hollow_and_ellipses_are_drawn():
    image = np.full((240, 240, 3), 90, np.uint8)
    seen = draw(image, [face_of(np.ones(68))], contours=False)
    hidden = draw(image, [face_of(np.zeros(68))], contours=False)
    middle = np.rint(face_of().points[30]).astype(int)
    assert seen[middle[1], middle[0]].sum() > hidden[middle[1], middle[0]].sum()
    around = draw(image, [face_of(np.ones(68), 40.0)], contours=False, ellipses=0.9)
    assert (around != seen).any()
    grey = draw(image, [face_of()], grey=[True])
    assert (np.ptp(grey.astype(int), axis=-1) < 20).all()


@pytest.mark.parametrize("level", [1, -0.1, "90", None, float("nan")])
def test_a_level_that_is_no_probability(level):
    with pytest.raises(ValueError, match="Expected a level 0 <= level < 1, such as 0.9. Received"):
        radius(level)
