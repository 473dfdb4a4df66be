"""The modules of the page in web do what the library's and OpenCV's functions do."""

import importlib.util
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import static_page

from keras_lotr import geometry
from keras_lotr.inference import certainty
from keras_lotr.inference.face_detector import Face, merge_cells
from keras_lotr.inference.face_pyramid import join, pyramid
from keras_lotr.inference.verification import is_face, verified, with_middle

pytestmark = pytest.mark.once
PYRAMID = static_page.FACTS["detector"]["pyramid"]


def test_the_facts_are_those_of_the_library():
    path = static_page.STATIC.parent / "tools" / "web_facts.py"
    spec = importlib.util.spec_from_file_location("facts", path)
    facts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(facts)
    assert facts.PATH.read_text() == facts.text(), f"run: python {path}"


def test_crops_are_those_of_the_library():
    box, size, margin = [20.5, 31.0, 120.25, 95.0], 192, 1.3
    expected = geometry.crop_from_box(box, size, margin)
    expression = "[m.cropFromBox(...v), m.invert(m.cropFromBox(...v))]"
    found = static_page.run_node("geometry.js", expression, [box, size, margin])
    np.testing.assert_allclose(found, [expected, geometry.invert(expected)], rtol=0, atol=1e-9)


@pytest.fixture(scope="module")
def picture():
    """Smooth noise, as the images of the page have it: RGBA."""
    noise = np.random.default_rng(0).uniform(0, 255, (20, 30, 4))
    image = cv2.resize(noise, (333, 217), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    return image.astype(np.uint8)


def assert_same_but_for_rounding(found, expected):
    """Hardly a value differs, and none by more than 1: a bias would move landmarks."""
    apart = np.abs(found - expected.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


def as_page_picture(image):
    return {"data": image.ravel().tolist(), "width": image.shape[1], "height": image.shape[0]}


@pytest.mark.parametrize("side", [20, 90, 150, 400])  # averaged over blocks, as it is, enlarged
def test_warps_as_the_library(picture, side):
    box = np.array([0, 0, side, side]) + 30
    matrix = geometry.crop_from_box(box, 64, 1.3)
    values = {"image": as_page_picture(picture), "matrix": matrix.tolist()}
    expression = (
        "Array.from(m.warp({ ...v.image, data: Uint8ClampedArray.from(v.image.data) },"
        " v.matrix, 64).data)"
    )
    found = np.reshape(static_page.run_node("pixels.js", expression, values), (64, 64, 4))
    expected = geometry.warp(np.ascontiguousarray(picture[..., :3]), matrix, 64)
    assert_same_but_for_rounding(found[..., :3], expected)


@pytest.mark.parametrize(
    ("part", "size"),
    [
        ((333, 217), (333, 217)),
        ((333, 217), (320, 209)),
        ((333, 217), (100, 65)),
        ((333, 217), (111, 31)),
        ((332, 216), (166, 108)),  # 2 x 2 pixels
        ((332, 216), (83, 54)),  # 4 x 4 pixels
    ],
)
def test_makes_smaller_as_opencv(picture, part, size):
    picture = np.ascontiguousarray(picture[: part[1], : part[0]])
    values = {"image": as_page_picture(picture), "size": size}
    expression = "Array.from(m.resizeArea(v.image, ...v.size).data)"
    found = static_page.run_node("pixels.js", expression, values)
    expected = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    assert_same_but_for_rounding(np.reshape(found, expected.shape), expected)


def test_merges_cells_as_the_library():
    random = np.random.default_rng(0)
    rects = random.uniform((-20, -20, 30, 30), (200, 200, 120, 120), (200, 4))
    scores = random.uniform(0.5, 1, 200)
    cells = [{"rect": r, "score": s} for r, s in zip(rects.tolist(), scores, strict=True)]
    found = static_page.run_node("detector.js", "m.mergeCells(v, 0.3, 0.7)", cells)
    rows = np.concatenate([rects, np.zeros((200, 10)), scores[:, None]], axis=1)
    expected = merge_cells(rows, 0.3, 0.7)
    assert 5 < len(expected) < 100
    rows = [[*face["rect"], face["score"]] for face in found]
    np.testing.assert_allclose(rows, expected[:, [0, 1, 2, 3, 14]], rtol=0, atol=1e-9)


@pytest.mark.parametrize("max_side", [640, 200, 64])
def test_copies_are_those_of_the_library(picture, max_side):
    picture = cv2.resize(picture, (1302, 868))
    values = {"image": as_page_picture(picture), "side": max_side, "numbers": PYRAMID}
    expression = (
        "m.pyramid({ ...v.image, data: Uint8ClampedArray.from(v.image.data) }, v.side, v.numbers)"
        ".map((level) => ({ ...level, picture: { ...level.picture,"
        " data: Array.from(level.picture.data) } }))"
    )
    found = static_page.run_node("pyramid.js", expression, values)
    expected = pyramid(np.ascontiguousarray(picture[..., :3]), max_side)
    assert len(found) == len(expected)
    for level, true in zip(found, expected, strict=True):
        shape = (*true.picture.shape[:2], 4)
        image = np.reshape(level["picture"]["data"], shape)[..., 2::-1]
        assert np.abs(image - true.picture.astype(int)).max() <= 1
        np.testing.assert_allclose(level["border"], true.border)
        np.testing.assert_allclose(level["scale"], true.scale)
        assert level["smallest"] == pytest.approx(true.smallest)
        assert (level["largest"] or np.inf) == pytest.approx(true.largest)  # JSON has no infinity


def test_joins_looks_as_the_library():
    random = np.random.default_rng(0)
    corners = random.uniform(0, 300, (60, 2))
    boxes = np.concatenate([corners, corners + random.uniform(10, 150, (60, 2))], axis=1)
    scores, best = random.uniform(0.5, 1, 60), random.random(60) < 0.5
    faces = [
        (b, Face(box, score=s)) for b, box, s in zip(best.tolist(), boxes, scores, strict=True)
    ]
    looks = [faces[:40], faces[40:]]
    values = {
        "looks": [
            [{"isBest": b, "face": {"box": f.box.tolist(), "score": f.score}} for b, f in look]
            for look in looks
        ],
        "numbers": PYRAMID,
    }
    found = static_page.run_node("pyramid.js", "m.join(v.looks, 0.3, v.numbers, 0.7)", values)
    expected = join(looks, 0.3, 0.7)
    assert 5 < len(expected) < 55
    np.testing.assert_allclose([f["box"] for f in found], [f.box for f in expected])


def test_certainty_is_that_of_the_library():
    random = np.random.default_rng(0)
    triangles = random.uniform(0.5, 3, (68, 3))
    matrix = geometry.invert(geometry.crop_from_box([20.5, 31.0, 120.25, 95.0], 192, 1.3))
    turned = geometry.compose(matrix, geometry.similarity((0, 0), (0, 0), 1.5, 20))
    points = random.uniform(0, 90, (68, 2))
    expected = certainty.scale_matrices(triangles, turned)
    values = {"triangles": triangles.tolist(), "matrix": turned.tolist()}
    found = static_page.run_node("certainty.js", "m.scaleMatrices(v.triangles, v.matrix)", values)
    np.testing.assert_allclose(found, expected.reshape(-1, 4)[:, [0, 1, 3]], rtol=1e-5)
    values = {
        "sigma": found,
        "points": points.tolist(),
        "numbers": static_page.FACTS["landmarker"]["certainty"],
    }
    quality = static_page.run_node(
        "certainty.js", "m.qualityOf(v.sigma, v.points, v.numbers)", values
    )
    assert quality == pytest.approx(certainty.quality(expected, points), rel=1e-5)


def test_what_is_a_face_is_what_the_library_says():
    scores, qualities = (0.0, 0.36, 0.54, 0.56, 0.9), (0.01, 0.1, 0.2, 0.4)
    faces = [{"score": s, "quality": q} for s in scores for q in qualities]
    values = {"faces": faces, "numbers": static_page.FACTS["landmarker"]["certainty"]}
    expression = "v.faces.map((face) => m.isFace(face, 0.55, v.numbers))"
    found = static_page.run_node("certainty.js", expression, values)
    assert found == [is_face(**face, sure_score=0.55) for face in faces]
    assert {*found} == {True, False}


@pytest.mark.parametrize("scores", [[], [0.4, 0.5], [0.4, 0.9]])
@pytest.mark.parametrize("quality", [0.2, 0.35, 0.5])
def test_the_middle_of_a_photo_is_what_the_library_says(scores, quality):
    boxes = np.float32([[5, 5, 25, 30], [40, 10, 60, 30]])[: len(scores)]
    proposed = [Face(box, score=score) for box, score in zip(boxes, scores, strict=True)]
    expected = with_middle(proposed, (60, 91, 3), 0.55)
    values = {
        "faces": [{"box": face.box.tolist(), "score": face.score} for face in proposed],
        "qualities": [0.3, 0.45, quality, 0.4][: len(expected)],
        "numbers": static_page.FACTS["landmarker"]["certainty"],
    }
    expression = """((proposed) => [proposed, m.verified(
        proposed.map((face, i) => ({ ...face, quality: v.qualities[i] })), 0.55, v.numbers,
    )])(m.withMiddle(v.faces, { width: 91, height: 60 }, 0.55, v.numbers))"""
    found, kept = static_page.run_node("certainty.js", expression, values)
    assert [face["score"] for face in found] == [face.score for face in expected]
    np.testing.assert_allclose([f["box"] for f in found], [f.box for f in expected], rtol=1e-6)
    faces = [
        SimpleNamespace(score=face.score, quality=of_face)
        for face, of_face in zip(expected, values["qualities"], strict=True)
    ]
    assert [face["score"] for face in kept] == [face.score for face in verified(faces, 0.55)]
