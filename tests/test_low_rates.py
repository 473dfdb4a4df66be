"""The tracker where few frames come a second, and heads go where nobody expects them."""

import numpy as np
import pytest
from test_tracker import Landmarker, follow, numbers, picture

from keras_lotr import FaceTracker, geometry

pytestmark = pytest.mark.once
pytest.importorskip("scipy")


class Recorder(Landmarker):
    """Notes where the network looks."""

    def __init__(self):
        super().__init__()
        self.matrices = []

    def landmarks_of(self, crops, matrices):
        self.matrices += matrices
        return super().landmarks_of(crops, matrices)


def to_and_fro(i):
    return [(1, 40 + 35 * (i % 2), 60, 60), (2, 180 - 35 * (i % 2), 80, 60)]


@pytest.mark.parametrize("rate", [5, 12.5])
def test_crops_are_where_the_detector_finds_faces(rate):
    recorder = Recorder()
    frames = [to_and_fro(i) for i in range(10)]
    follow(FaceTracker(recorder, smooth="off"), frames, rate)
    boxes = np.concatenate([picture(*people)[1] for people in frames])
    size, margin = recorder.preprocessor.image_size, recorder.preprocessor.margin
    wanted = [geometry.crop_from_box(box, size, margin, 0.0) for box in boxes]
    np.testing.assert_allclose(recorder.matrices, wanted, atol=1e-4)
    assert recorder.looked == 10


def test_a_step_that_is_not_long_changes_nothing():
    recorder = Recorder()
    follow(FaceTracker(recorder), [[(1, 100, 60, 90)]] * 41, rate=15)
    assert recorder.looked == 9


def test_faces_that_turn_round_keep_their_numbers():
    frames = [to_and_fro(i) for i in range(10)]
    assert numbers(follow(FaceTracker(Landmarker()), frames, rate=5)) == [[0, 1]] * 10
