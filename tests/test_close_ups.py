"""The enlarged faces of the demo."""

import numpy as np
import pytest

from keras_lotr import geometry
from keras_lotr.demo import close_ups as module
from keras_lotr.inference.results import FaceLandmarks

pytestmark = pytest.mark.once


@pytest.mark.parametrize("degrees", [0.0, 90.0])
def test_what_is_drawn_is_in_the_pixels_of_the_crop(degrees, monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "draw", lambda crop, faces, **overlays: drawn.extend(faces) or crop)
    points = np.random.default_rng(0).uniform(40, 60, (5, 2))
    sigma = np.tile(np.diag([4.0, 1.0]), (5, 1, 1))
    face = FaceLandmarks(points, [40, 40, 60, 60], 0.9, "plain5", degrees, sigma)
    image = np.zeros((100, 100, 3), np.uint8)
    module.close_ups(image, [face, FaceLandmarks(points, face.box, 0.9, "plain5")], {})
    enlarged, plain = drawn
    scale = module._SIDE / (20 * module._MARGIN)
    to_crop = geometry.crop_from_box(face.box, module._SIDE, module._MARGIN, degrees)
    np.testing.assert_allclose(enlarged.points, geometry.apply(to_crop, points), atol=0.01)
    # The long axis of the ellipse turns with the face.
    expected = face.ellipse() * [scale, scale, 1] - [0, 0, degrees]
    turned = (enlarged.ellipse() - expected)[:, 2] % 180
    np.testing.assert_allclose(enlarged.ellipse()[:, :2], expected[:, :2], rtol=1e-4)
    np.testing.assert_allclose(np.minimum(turned, 180 - turned), 0, atol=0.01)
    assert enlarged.quality == pytest.approx(face.quality, rel=1e-4)
    assert plain.sigma is None
