"""Landmarks drawn on a photo."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from keras_lotr.images.drawing import _pieces, draw
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once


def make_face(size, scheme="ibug68", at=(40, 40)):
    count = get_scheme(scheme).num_landmarks
    points = np.random.default_rng(0).uniform(0, size, (count, 2)).astype(np.float32) + at
    return SimpleNamespace(points=points, scheme=scheme, box=np.r_[points.min(0), points.max(0)])


def changed(image, drawn):
    return (image != drawn).any(-1)


@pytest.mark.parametrize("size", [3, 20, 100, 900])
def test_only_around_the_face(size):
    image = np.random.default_rng(1).integers(0, 255, (1000, 1000, 3)).astype(np.uint8)
    before = image.copy()
    drawn = draw(image, [make_face(size)], numbers=True, boxes=True)
    np.testing.assert_array_equal(image, before)
    assert drawn.dtype == np.uint8
    rows, columns = np.nonzero(changed(image, drawn))
    assert len(rows)
    low, high = 40 - 0.1 * size - 5, 40 + 1.1 * size + 5
    assert min(rows.min(), columns.min()) >= low
    assert max(rows.max(), columns.max()) <= high


class TestGrey:
    image, faces = np.zeros((200, 300, 3), np.uint8), [make_face(50), make_face(50, at=(180, 90))]

    @pytest.mark.parametrize("kind", [list, np.array, iter])
    def test_of_each_face(self, kind):
        drawn = draw(self.image, self.faces, grey=kind([True, False]))
        assert drawn[:, :150].max() == 150 and drawn[:, 150:].max() == 255

    def test_of_all(self):
        both = draw(self.image, self.faces, grey=[True, True])
        np.testing.assert_array_equal(draw(self.image, self.faces, grey=True), both)

    def test_of_another_number_of_faces(self):
        with pytest.raises(ValueError, match="list of 2 bool, one for each face. Received: 1"):
            draw(self.image, self.faces, grey=[True])


@pytest.mark.parametrize("shown", [0, -1, float("nan"), "1000", None])
def test_shown_is_above_0(shown):
    with pytest.raises(ValueError, match="Expected shown as pixels above 0. Received"):
        draw(np.zeros((9, 9, 3), np.uint8), [], shown=shown)


def test_dot_lies_on_its_landmark():
    """The centre of mass of what is drawn is the landmark, to a tenth of a pixel."""
    image = np.zeros((120, 120, 3), np.uint8)
    points = np.array([[50.3, 60.7], [50.3, 60.7]], np.float32)
    face = SimpleNamespace(points=points, scheme="plain2", box=np.array([20, 20, 90, 90]))
    weight = draw(image, [face]).astype(float).sum(-1)
    rows, columns = np.mgrid[:120, :120]
    center = [(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()]
    np.testing.assert_allclose(center, points[0], atol=0.1)


def test_switches():
    image = np.full((200, 200, 3), 128, np.uint8)
    face = make_face(100)
    nothing = draw(image, [face], points=False, contours=False)
    np.testing.assert_array_equal(nothing, image)
    for switch in ("points", "contours", "numbers", "boxes"):
        only = {"points": False, "contours": False, switch: True}
        assert changed(image, draw(image, [face], **only)).any()


@pytest.mark.parametrize("scheme", ["wflw98", "jd106", "insightface106", "plain7"])
def test_schemes(scheme):
    image = np.zeros((200, 200, 3), np.uint8)
    assert changed(image, draw(image, [make_face(100, scheme)])).any()


def test_outside_the_photo():
    image = np.zeros((50, 60, 3), np.uint8)
    for at in ((-30, -30), (30, 30), (500, 500)):
        assert draw(image, [make_face(40, at=at)], boxes=True).shape == image.shape


def test_read_only_and_strided_image():
    image = np.zeros((100, 100, 3), np.uint8)[:, ::-1]
    image.flags.writeable = False
    assert changed(image, draw(image, [make_face(40)])).any()


@pytest.mark.parametrize("image", [np.zeros((5, 5, 2)), np.zeros(5), None])
def test_wrong_image(image):
    with pytest.raises(ValueError, match="Expected (an|one) image"):
        draw(image, [])


def test_whatever_is_an_image_is_drawn_on(tmp_path):
    """What the landmarker takes: grey, floats, paths."""
    grey, face = np.full((100, 100), 0.4), make_face(40)
    drawn = draw(grey, face)
    assert drawn.shape == (100, 100, 3) and drawn.dtype == np.uint8
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((100, 100), 102, np.uint8))
    np.testing.assert_array_equal(draw(path, face), drawn)


def test_a_single_face_and_what_is_none():
    image, face = np.zeros((100, 100, 3), np.uint8), make_face(40)
    np.testing.assert_array_equal(draw(image, face), draw(image, [face]))
    for wrong, told in ((face.points, "ndarray of nd"), ([[face]], "list of list"), (None, "None")):
        with pytest.raises(TypeError, match=f"Expected a list of FaceLandmarks, .*: {told}"):
            draw(image, wrong)


# === Landmarks without label ===
def test_gaps_are_not_drawn():
    """What is drawn without some landmarks lies within what is drawn with them."""
    image = np.zeros((200, 200, 3), np.uint8)
    face = make_face(100)
    complete = draw(image, [face], numbers=False)
    gaps = face.points.copy()
    gaps[[0, 3, 20, 36, 41, 50]] = np.nan  # ends, middles, closed lines
    drawn = draw(image, [SimpleNamespace(points=gaps, scheme="ibug68", box=face.box)])
    assert changed(image, drawn).any()
    assert changed(complete, drawn).any()
    assert not (changed(image, drawn) & ~changed(image, complete)).any()


def test_numbers_stay_those_of_the_landmarks():
    image = np.zeros((200, 200, 3), np.uint8)
    points = np.full((12, 2), 70, np.float32)
    points[[3, 11]] = [[60, 60], [140, 140]]
    box = np.array([60, 60, 140, 140])
    switches = {"points": False, "contours": False, "numbers": True}
    complete = draw(image, [SimpleNamespace(points=points, scheme="plain12", box=box)], **switches)
    points[[i for i in range(12) if i not in (3, 11)]] = np.nan
    drawn = draw(image, [SimpleNamespace(points=points, scheme="plain12", box=box)], **switches)
    assert changed(image, drawn)[110:, 110:].any()
    np.testing.assert_array_equal(drawn[110:, 110:], complete[110:, 110:])


@pytest.mark.parametrize("closed", [False, True])
def test_lines_end_at_gaps(closed):
    points = np.arange(12.0).reshape(6, 2)
    points[2] = np.nan
    pieces, still_closed = _pieces(points, closed)
    expected = [points[[3, 4, 5, 0, 1]]] if closed else [points[:2], points[3:]]
    assert not still_closed and len(pieces) == len(expected)
    for piece, line in zip(pieces, expected, strict=True):
        np.testing.assert_array_equal(piece, line)


def test_face_without_any_landmark():
    image = np.zeros((100, 100, 3), np.uint8)
    points = np.full((68, 2), np.nan, np.float32)
    face = SimpleNamespace(points=points, scheme="ibug68", box=np.array([20, 20, 60, 60]))
    np.testing.assert_array_equal(draw(image, [face]), image)
    assert changed(image, draw(image, [face], numbers=True, boxes=True)).any()


# === Seen at the size at which an image is looked at ===
@pytest.mark.parametrize("skin", [(250, 225, 205), (224, 172, 140), (120, 80, 60), (45, 30, 25)])
def test_a_small_face_can_be_seen_on_any_skin(skin):
    """A face of 90 pixels in an image of 512: each landmark stands out against what is around."""
    from tiny import face_layout

    image = np.full((512, 512, 3), skin, np.uint8)
    points = (face_layout() * 90 + 200).astype(np.float32)
    face = SimpleNamespace(points=points, scheme="ibug68", box=np.array([200, 200, 290, 290]))
    difference = np.abs(draw(image, [face], shown=600).astype(int) - image).max(-1)
    for x, y in points.round().astype(int):
        assert difference[y - 2 : y + 3, x - 2 : x + 3].max() > 90
    assert (difference > 60).sum() > 700  # 290 to 440 where sizes followed the face alone


def test_sizes_follow_what_is_shown_and_the_room():
    image = np.full((2000, 2000, 3), 128, np.uint8)

    def drawn(size, shown):
        return changed(image, draw(image, [make_face(size)], contours=False, shown=shown)).sum()

    assert drawn(400, 500) > 1.5 * drawn(400, 2000)
    assert drawn(1200, 2000) == drawn(1200, 4000)  # large enough by itself
    assert drawn(30, 100) == drawn(30, 1000)  # no room for more
