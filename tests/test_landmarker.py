"""The way of a face from the photo into the crop and back."""

import json
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import tiny_lotr

import keras_lotr
from keras_lotr import geometry
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.inference.face_detector import Face
from keras_lotr.inference.landmarker import FaceLandmarker
from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.lotr import LOTR
from keras_lotr.presets.preset import Preprocessor

PHOTO = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
BOXES = np.array([[40, 50, 140, 130], [200, 100, 330, 260]], np.float32)
PREPROCESSOR = Preprocessor("ibug68", 64)


class KnownPoints:
    """Stands for a model: the crop's own mean colour tells nothing, the points are given."""

    preprocessor = PREPROCESSOR

    def __init__(self, points_image, boxes=BOXES):
        self.points_crop = [
            geometry.apply(geometry.crop_from_box(box, 64, 1.3), points)
            for box, points in zip(boxes, points_image, strict=True)
        ]
        self.calls = []

    def predict_points(self, crops, flip=False):
        assert crops.dtype == np.uint8
        assert crops.shape[1:] == (64, 64, 3)
        self.calls.append(len(crops))
        first = sum(self.calls[:-1])
        return np.array(self.points_crop[first : first + len(crops)], np.float32)


def some_points(count, seed=1):
    return np.random.default_rng(seed).uniform(0, 300, (count, 68, 2))


@pytest.fixture(scope="module")
def model():
    return LOTR(MobileNetV2(image_size=64), num_landmarks=68)


@pytest.fixture
def landmarker(model):
    return FaceLandmarker(model, detector=lambda image: BOXES)


class TestWayBack:
    def test_exact(self):
        points_image = some_points(2)
        faces = FaceLandmarker(KnownPoints(points_image))(PHOTO, boxes=BOXES)
        for face, points, box in zip(faces, points_image, BOXES, strict=True):
            assert face.points.dtype == np.float32
            np.testing.assert_allclose(face.points, points, atol=1e-3)
            np.testing.assert_array_equal(face.box, box)
            assert face.scheme == "ibug68"
            assert face.score is None

    def test_all_photos_in_one_batch_in_order(self):
        points_image = some_points(5)
        boxes = [BOXES, np.zeros((0, 4)), BOXES, BOXES[:1]]
        model = KnownPoints(points_image, np.concatenate(boxes))
        found = FaceLandmarker(model)([PHOTO] * 4, boxes)
        assert model.calls == [5]
        assert [len(faces) for faces in found] == [2, 0, 2, 1]
        points = [face.points for faces in found for face in faces]
        np.testing.assert_allclose(points, points_image, atol=1e-3)

    def test_long_list_goes_in_parts(self):
        boxes = [BOXES] * 70
        model = KnownPoints(some_points(140), np.concatenate(boxes))
        found = FaceLandmarker(model)([PHOTO] * 70, boxes)
        assert model.calls == [64, 64, 12]
        assert all(len(faces) == 2 for faces in found)

    def test_pixels_are_those_of_the_box(self, model):
        """A crop of a box is what geometry says; the landmarks are those of predict_points."""
        face = FaceLandmarker(model)(PHOTO, BOXES[:1])[0]
        matrix = geometry.crop_from_box(BOXES[0], 64, 1.3)
        points = model.predict_points(geometry.warp(PHOTO, matrix, 64)[None])[0]
        np.testing.assert_allclose(geometry.apply(matrix, face.points), points, atol=1e-3)


class TestDetector:
    def test_own(self, landmarker):
        faces = landmarker(PHOTO)
        assert [face.box.tolist() for face in faces] == BOXES.tolist()
        assert faces[0].score == 1

    def test_faces_with_scores(self, model):
        detect = lambda image: [Face(BOXES[1], score=0.4)]  # noqa: E731
        assert FaceLandmarker(model, detect)(PHOTO)[0].score == 0.4

    def test_boxes_need_no_detector(self, model):
        landmarker = FaceLandmarker(model, detector="nowhere.onnx")
        assert len(landmarker(PHOTO, BOXES)) == 2
        with pytest.raises(FileNotFoundError, match="no face detector"):
            landmarker(PHOTO)

    def test_no_face(self, model):
        landmarker = FaceLandmarker(model, lambda image: [])
        assert landmarker(PHOTO) == []
        assert landmarker([PHOTO, PHOTO]) == [[], []]
        assert landmarker([]) == []


class TestBoxes:
    @pytest.mark.parametrize(
        ("box", "message"),
        [
            ([10, 10, np.nan, 30], "x1 > x0"),
            ([10, 10, np.inf, 30], "x1 > x0"),
            ([30, 10, 10, 30], "x1 > x0"),
            ([10, 10, 10, 30], "x1 > x0"),
            ([400, 10, 500, 30], "in the photo of 320 x 240"),
            ([10, -50, 50, -1], "in the photo of 320 x 240"),
        ],
    )
    def test_bad_box(self, landmarker, box, message):
        with pytest.raises(ValueError, match=message):
            landmarker(PHOTO, boxes=[box])

    @pytest.mark.parametrize("boxes", [[1, 2, 3], [[1, 2, 3]], np.zeros((1, 2, 4)), [["a"] * 4]])
    def test_bad_shape(self, landmarker, boxes):
        with pytest.raises(ValueError, match=r"Expected boxes \(F, 4\)"):
            landmarker(PHOTO, boxes=boxes)

    def test_what_was_found_before(self, model):
        landmarker = FaceLandmarker(model, lambda image: [Face(BOXES[1], None, 0.4, 90.0)])
        (found,) = landmarker(PHOTO)
        detected = landmarker.detector(PHOTO)
        for given in (detected, tuple(detected), detected[0], found, [found]):
            assert landmarker(PHOTO, boxes=given) == [found]
        ((first,), _) = landmarker([PHOTO, PHOTO], boxes=[detected, BOXES[:1]])
        assert (first.score, first.degrees) == (found.score, found.degrees)
        # A batch of two is rounded in another way than a batch of one.
        np.testing.assert_allclose(first.points, found.points, atol=1e-3)

    def test_partly_outside(self, landmarker):
        face = landmarker(PHOTO, boxes=[[-40, -40, 60, 60]])[0]
        assert np.isfinite(face.points).all()

    def test_wrong_number_of_lists(self, landmarker):
        with pytest.raises(ValueError, match=r"boxes for each image. Received: boxes of 1 only"):
            landmarker([PHOTO, PHOTO], [BOXES])


class TestStream:
    @pytest.mark.parametrize("one", ["a.jpg", b"image", PHOTO, PHOTO[..., 0]], ids=str)
    def test_one_image_is_refused(self, landmarker, one):
        with pytest.raises(ValueError, match=r"Expected several images.*Received one.*\[image\]"):
            next(landmarker.stream(one))

    def test_a_dictionary_is_refused(self, landmarker):
        with pytest.raises(ValueError, match="Received a dictionary: .* boxes of them as `boxes`"):
            next(landmarker.stream({"a.jpg": BOXES}))

    def test_array_of_images(self, landmarker):
        photos = list(landmarker.stream(np.stack([PHOTO, PHOTO]), boxes=[BOXES, BOXES]))
        assert [len(photo.faces) for photo in photos] == [2, 2]

    def test_bad_picture_does_not_stop_the_others(self, landmarker, tmp_path):
        bad = tmp_path / "bad.jpg"
        bad.write_text("hello")
        first, second, third = landmarker.stream([PHOTO, bad, PHOTO])
        assert len(first.faces) == len(third.faces) == 2
        assert (first.width, first.height) == (320, 240)
        assert "bad.jpg" in str(second.error)
        with pytest.raises(ValueError, match=r"bad.jpg"):
            landmarker([PHOTO, bad])


class TestModel:
    def test_preset_and_flip(self, model, tmp_path):
        model.save_to_preset(tmp_path / "tiny")
        detect = lambda image: BOXES  # noqa: E731
        plain = FaceLandmarker.from_preset(tmp_path / "tiny", detect)(PHOTO)
        np.testing.assert_allclose(
            plain[0].points, FaceLandmarker(model, detect)(PHOTO)[0].points, atol=1e-3
        )
        flipped = FaceLandmarker.from_preset(tmp_path / "tiny", detect, flip=True)(PHOTO)
        assert np.abs(flipped[0].points - plain[0].points).max() > 1e-3

    def test_from_several_threads(self, model):
        landmarker = FaceLandmarker(model)
        expected = [landmarker(PHOTO, BOXES[[i]])[0].points for i in (0, 1)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda i: landmarker(PHOTO, BOXES[[i % 2]])[0].points, range(16)))
        np.testing.assert_allclose(found, expected * 8, atol=1e-2)

    def test_flip_of_unknown_scheme(self):
        model = SimpleNamespace(preprocessor=Preprocessor("plain5", 64), predict_points=None)
        with pytest.raises(ValueError, match=r"Expected flip=False.*plain5"):
            FaceLandmarker(model, flip=True)

    def test_a_name_that_is_not_there(self):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = keras_lotr.nothing


class TestFaceLandmarks:
    face = FaceLandmarks(some_points(1)[0].astype(np.float32), BOXES[0], np.float32(0.9), "ibug68")

    def test_to_dict(self):
        entry = json.loads(json.dumps(self.face.to_dict()))
        assert list(entry)[:4] == ["points", "box", "score", "scheme"]
        assert set(entry) <= {"points", "box", "score", "scheme", "pose", "openness"}
        np.testing.assert_allclose(entry["points"], self.face.points, atol=6e-4)
        assert entry["score"] == 0.9

    def test_save(self, tmp_path):
        for name in ("a.json", "a.csv", "a.pts"):
            self.face.save(tmp_path / "new" / name, image="a.jpg")
        assert json.loads((tmp_path / "new/a.json").read_text()) == self.face.to_dict()
        assert (tmp_path / "new/a.csv").read_text().startswith("image,face,")
        assert Path(tmp_path / "new/a.pts").read_text().startswith("version: 1")
        with pytest.raises(ValueError, match=r"Expected a file \.json, \.csv, \.pts.*a\.txt"):
            self.face.save(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("points", np.zeros((5, 2))),
        ("points", np.zeros(136)),
        ("box", [0, 0, 9]),
        ("sigma", np.zeros((68, 3))),
        ("visible", np.zeros(5)),
    ],
)
def test_a_face_whose_arrays_do_not_fit_its_scheme(name, value):
    given = {"points": np.zeros((68, 2)), "box": [0, 0, 9, 9], name: value}
    with pytest.raises(ValueError, match=rf"Expected {name} of shape .* \(ibug68\)\. Received: \("):
        FaceLandmarks(score=None, scheme="ibug68", **given)


def test_a_dictionary_of_images():
    landmarker = FaceLandmarker("lotr_s_68", engine="onnxruntime")
    with pytest.raises(ValueError, match=r"Received a dictionary: give its values, list\(images"):
        landmarker({"anna": "anna.jpg"})


def test_a_stack_of_images():
    landmarker = FaceLandmarker("lotr_s_68", engine="onnxruntime")
    photo = keras_lotr.read_image("examples/astronaut.jpg")
    first, second = landmarker(np.stack([photo, photo[:, ::-1]]))
    assert first == landmarker(photo) and len(second) == 1


def test_images_that_are_given_are_not_gathered_without_end():
    """Of a generator of large arrays only a few are in memory at a time."""
    landmarker = FaceLandmarker(tiny_lotr(5), lambda image: [[5, 5, 40, 50]])
    alive = []

    def photos():
        for _ in range(12):
            photo = np.zeros((1000, 10_000, 3), np.uint8)
            alive.append(weakref.ref(photo))
            yield photo

    counts = [sum(ref() is not None for ref in alive) for _ in landmarker.stream(photos())]
    assert max(counts) <= 5 and len(counts) == 12


def test_results_of_an_image_without_a_name():
    photo = PhotoLandmarks(b"a whole file " * 1000)
    assert photo.to_dict()["source"] == "bytes"
    assert PhotoLandmarks(np.zeros((4, 4, 3))).to_dict()["source"] == "ndarray"
