"""Averages over looks at the same face (benchmarks/several_crops.py)."""

from pathlib import Path

import numpy as np
import pytest
import several_crops
from tiny import SIZE

from keras_lotr import geometry
from keras_lotr.datasets import read_samples
from keras_lotr.preprocessor import Preprocessor

pytestmark = pytest.mark.once

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"
PREPROCESSOR = Preprocessor("ibug68", SIZE, 1.3)


class Center:
    """Finds all landmarks in the middle of the crop."""

    def predict_points(self, crops, flip):
        assert crops.shape[1:] == (SIZE, SIZE, 3)
        return np.full((len(crops), 68, 2), (SIZE - 1) / 2, np.float32)


def faces():
    return several_crops.Faces(PREPROCESSOR, read_samples(RENDERED, "val", "ibug68")[:4])


def test_looks_are_led_back_to_the_photo():
    seen = faces().looks(Center(), flip=False)
    samples = faces().samples
    for (_, _, shift), found in zip(several_crops.LOOKS, seen, strict=True):
        for sample, points in zip(samples, found, strict=True):
            x0, y0, x1, y1 = sample.box
            side = PREPROCESSOR.margin * max(x1 - x0, y1 - y0)
            moved = np.array([x0 + x1, y0 + y1]) / 2 - side * np.array(shift)
            np.testing.assert_allclose(points, np.tile(moved, (68, 1)), atol=1e-3)


def test_a_second_look_is_turned_upright():
    mean = np.mean([
        geometry.apply(geometry.crop_from_box(s.box, SIZE, PREPROCESSOR.margin), s.points_image)
        for s in faces().samples
    ], axis=0)  # fmt: skip
    turned = geometry.similarity(mean.mean(0), (200, 150), scale=2.0, degrees=33)
    found = geometry.apply(turned, mean)
    (crop_from_image,) = faces().upright([found], mean)
    seen = geometry.apply(crop_from_image, found)
    np.testing.assert_allclose(geometry.box_of(seen).reshape(2, 2).mean(0), (SIZE - 1) / 2)
    back = geometry.fit_similarity(seen, mean)
    np.testing.assert_allclose(back[0, 1], 0, atol=1e-9)
    np.testing.assert_allclose(np.ptp(seen, axis=0).max(), SIZE / PREPROCESSOR.margin)
