"""A model that says how sure its landmarks are decides which proposals are faces."""

import pickle
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from keras_lotr import FaceLandmarker
from keras_lotr.datasets import read_samples
from keras_lotr.inference.detectors import OwnDetector
from keras_lotr.inference.face_detector import Face, FaceDetector
from keras_lotr.inference.verification import verified, with_middle
from keras_lotr.preprocessor import Preprocessor

pytestmark = pytest.mark.once
# Score of the proposal, scale of its landmarks' errors in crop pixels, whether it is a face.
PROPOSALS = [(0.4, 1, True), (0.4, 100, False), (0.7, 10, True), (0.7, 1000, False)]


class Model:
    """Says of the crops in turn how sure it is."""

    num_landmarks, image_size, has_certainty = 68, 64, True

    def __init__(self):
        self.preprocessor = Preprocessor("ibug68", 64)

    def predict_points(self, crops, flip=False):
        grid = np.stack(np.meshgrid(np.arange(17), np.arange(4)), -1) * [3, 15]
        return np.tile(grid.reshape(68, 2).astype(np.float32), (len(crops), 1, 1))

    def predict_certainty(self, crops, flip=False):
        scales = [scale for _, scale, _ in PROPOSALS][: len(crops)]
        sure = np.zeros((len(crops), 68, 4), np.float32)
        sure[..., 0] = sure[..., 2] = np.array(scales)[:, None]
        return self.predict_points(crops), sure


@pytest.fixture
def proposals(monkeypatch):
    """The candidates that the built-in detector was made for; it proposes as above."""
    thresholds = []

    class Detector:
        threshold = 0.55

        def __call__(self, image):
            boxes = [[20 + 60 * i, 20, 60 + 60 * i, 60] for i in range(len(PROPOSALS))]
            return [
                Face(np.float32(box), score=score)
                for box, (score, *_) in zip(boxes, PROPOSALS, strict=True)
                if score >= thresholds[-1]
            ]

    def load_detector(detector, threshold=0.55, candidates=None, **settings):
        if callable(detector):
            return OwnDetector(detector)
        thresholds.append(candidates or threshold)
        return Detector()

    monkeypatch.setattr("keras_lotr.inference.photo_crops.load_detector", load_detector)
    return thresholds


PHOTO = np.zeros((80, 300, 3), np.uint8)


def test_landmarks_decide(proposals):
    faces = FaceLandmarker(Model())(PHOTO)
    assert proposals == [0.35]
    assert [face.score for face in faces] == [score for score, _, is_face in PROPOSALS if is_face]


@pytest.mark.parametrize(
    ("candidates", "scores"),
    [
        ([], [0.0]),
        ([(0.4, 0.35)], [0.0]),  # a part of the face that fills the photo
        ([(0.4, 0.1)], [0.0]),
        ([(0.4, 0.7), (0.5, 0.4)], [0.4, 0.5]),
        ([(0.9, 0.3)], [0.9]),
    ],
)
def test_a_face_fills_the_photo_or_there_are_smaller_ones(candidates, scores):
    box = np.float32([0, 0, 9, 9])
    proposed = with_middle([Face(box, score=score) for score, _ in candidates], (80, 300, 3), 0.55)
    qualities = [*(quality for _, quality in candidates), 0.5, 0.19]
    faces = [
        SimpleNamespace(score=face.score, quality=quality)
        for face, quality in zip(proposed, qualities, strict=False)
    ]
    assert [face.score for face in verified(faces, 0.55)] == scores


def test_the_middle_has_to_be_good():
    faces = [
        SimpleNamespace(score=face.score, quality=0.19)
        for face in with_middle([], (80, 300, 3), 0.55)
    ]
    assert not verified(faces, 0.55)


@pytest.mark.parametrize("side", [640, 2000])
def test_a_face_that_fills_the_photo_is_found(side):
    sample = read_samples("examples/rendered_faces", "val", "ibug68")[0]
    x0, y0, x1, y1 = sample.box.round().astype(int)
    photo = cv2.resize(sample.image()[y0:y1, x0:x1], (side, side))
    landmarker = FaceLandmarker("lotr_m_68", engine="onnxruntime", threads=1)
    assert not any(face.score > 0.55 for face in landmarker.crop_photo.proposing(photo))
    (face,) = landmarker(photo)
    truth = (sample.points_image - (x0, y0)) * side / (x1 - x0, y1 - y0)
    assert np.linalg.norm(face.points - truth, axis=-1).mean() < 0.06 * side


def test_a_model_that_never_saw_a_photo_leaves_it_to_the_detector(proposals):
    model = Model()
    model.preprocessor = Preprocessor("ibug68", 64, detector_decides=True)
    faces = FaceLandmarker(model)(PHOTO)
    assert proposals == [0.55]
    assert [face.score for face in faces] == [score for score, *_ in PROPOSALS if score >= 0.55]


def test_given_boxes_are_believed_and_load_no_detector(proposals):
    faces = [Face(np.float32([20, 20, 60, 60]), score=score) for score, *_ in PROPOSALS]
    landmarker = FaceLandmarker(Model())
    found = landmarker(PHOTO, boxes=faces)
    assert [face.score for face in found] == [score for score, *_ in PROPOSALS]
    assert len(landmarker(PHOTO, boxes=[face.box for face in faces])) == len(PROPOSALS)
    assert not proposals


def test_a_threshold_is_kept_to(proposals):
    faces = FaceLandmarker(Model(), threshold=0.5)(PHOTO)
    assert proposals == [0.5]
    assert [face.score for face in faces] == [0.7, 0.7]


def test_a_detector_of_the_user_is_believed(proposals):
    faces = FaceLandmarker(Model(), lambda image: [[20, 20, 60, 60]] * 4)(PHOTO)
    assert len(faces) == 4


def test_boxes_of_the_user_are_faces(proposals):
    assert len(FaceLandmarker(Model())(PHOTO, boxes=[[20, 20, 60, 60]] * 4)) == 4


def test_a_model_that_does_not_say_leaves_the_detectors_threshold(proposals):
    model = Model()
    model.has_certainty = False
    faces = FaceLandmarker(model)(PHOTO)
    assert proposals == [0.55]
    assert [face.score for face in faces] == [0.7, 0.7]


def test_sure_faces_stay_as_they_are():
    alone, proposing = FaceDetector.from_preset(), FaceDetector.from_preset(candidates=0.35)
    for image in ("examples/astronaut.jpg", "examples/group.jpg"):
        expected, found = alone(image), proposing(image)
        sure = [face for face in found if face.score >= proposing.threshold]
        assert len(sure) == len(expected)
        for face, same in zip(sure, expected, strict=True):
            np.testing.assert_array_equal(face.box, same.box)
    assert len(found) >= len(sure)
    assert pickle.loads(pickle.dumps(proposing)).candidates == 0.35
