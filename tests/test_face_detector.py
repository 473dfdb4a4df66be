"""The shipped detector, YuNet and detectors of one's own."""

import math
import pickle
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hub_server import sha256
from shared_data import YUNET, needs

from keras_lotr.images.reading import read_image
from keras_lotr.inference import face_detector, yunet
from keras_lotr.inference.detectors import load_detector
from keras_lotr.inference.face_detector import Face, FaceDetector
from keras_lotr.inference.face_pyramid import merge_cells, pyramid

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def photo():
    return read_image(EXAMPLES / "astronaut.jpg")


DETECTORS = [
    pytest.param({}, id="embedded"),
    pytest.param({"path": YUNET}, id="yunet", marks=needs(YUNET)),
]


def load(settings, **more):
    """The shipped detector, or YuNet."""
    make = FaceDetector if "path" in settings else FaceDetector.from_preset
    return make(**settings, **more)


@pytest.mark.parametrize("which", DETECTORS)
class TestFaceDetector:
    def test_faces(self, which, photo):
        (face,) = load(which)(photo)
        assert face.box.shape == (4,)
        assert face.box.dtype == face.five_points.dtype == np.float32
        assert 0.7 <= face.score <= 1
        assert face.degrees == 0

    def test_largest_first(self, which, photo):
        half = cv2.resize(photo, None, fx=0.5, fy=0.5)
        both = np.zeros((*photo.shape[:1], photo.shape[1] + half.shape[1], 3), np.uint8)
        both[: half.shape[0], : half.shape[1]] = half
        both[:, half.shape[1] :] = photo
        large, small = load(which)(both)
        assert large.box[0] > half.shape[1] > small.box[2]

    def test_order_of_five_points(self, which, photo):
        left_eye, right_eye, nose, left_mouth, right_mouth = load(which)(photo)[0].five_points
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]

    def test_box_has_no_forehead(self, which, photo):
        face = load(which)(photo)[0]
        eyes, mouth = face.five_points[:2, 1].mean(), face.five_points[3:, 1].mean()
        above_eyes = (eyes - face.box[1]) / (mouth - eyes)
        assert 0.1 < above_eyes < 0.7  # the brows, not the hair

    def test_scale_of_large_photo(self, which, photo):
        small = load(which)(photo)[0]
        large = load(which)(cv2.resize(photo, None, fx=3, fy=3))[0]
        side = small.box[2] - small.box[0]
        # It sees another image, of 640 pixels instead of 512; a slip would be a factor.
        np.testing.assert_allclose(large.box / 3, small.box, atol=0.15 * side)

    @pytest.mark.parametrize("shape", [(1, 1), (2, 3000), (3000, 2), (31, 47)])
    def test_photos_of_any_size(self, which, shape):
        assert load(which)(np.zeros((*shape, 3), np.uint8)) == []

    def test_no_face(self, which):
        noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
        assert load(which)(noise) == []

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_turned_faces(self, which, degrees, photo):
        upright = load(which)(photo)[0]
        turned = np.ascontiguousarray(np.rot90(photo, -degrees // 90))
        (face,) = load(which, rotations=(0, 90, 180, 270))(turned)
        assert face.degrees == degrees
        height, width = photo.shape[:2]
        x, y = upright.five_points.T
        expected = {
            90: (height - 1 - y, x),
            180: (width - 1 - x, height - 1 - y),
            270: (y, width - 1 - x),
        }[degrees]
        np.testing.assert_allclose(face.five_points, np.stack(expected, -1), atol=2)
        x0, y0, x1, y1 = upright.box
        sides = [x1 - x0, y1 - y0] if degrees == 180 else [y1 - y0, x1 - x0]
        np.testing.assert_allclose(face.box[2:] - face.box[:2], sides, rtol=0.05)

    def test_upright_face_is_found_once_under_all_rotations(self, which, photo):
        (face,) = load(which, rotations=(0, 90, 180, 270))(photo)
        assert face.degrees == 0

    def test_list_of_photos(self, which, photo):
        detect = load(which)
        found = detect([photo, photo[::2, ::2], np.zeros((64, 64, 3), np.uint8)])
        assert [len(faces) for faces in found] == [1, 1, 0]
        np.testing.assert_array_equal(found[0][0].box, detect(photo)[0].box)

    def test_smaller_picture(self, which, photo):
        face = load(which, max_side=160)(photo)[0]
        side = face.box[2] - face.box[0]
        np.testing.assert_allclose(face.box, load(which)(photo)[0].box, atol=0.1 * side)

    @pytest.mark.parametrize("size", [80, 0.15, np.float32(80)])
    def test_min_face_size(self, which, photo, size, monkeypatch):
        seen = []
        monkeypatch.setattr(
            face_detector, "pyramid", lambda *given: seen.append(given[1]) or pyramid(*given)
        )
        detect = load(which, min_face_size=size)
        face, whole = detect(photo)[0], load(which)(photo)[0]
        side = face.box[2] - face.box[0]
        np.testing.assert_allclose(face.box, whole.box, atol=0.1 * side)
        pixels = size if size >= 1 else size * min(photo.shape[:2])
        assert seen[0] == math.ceil(max(photo.shape) * 32 / pixels) < 640
        again = pickle.loads(pickle.dumps(detect))
        np.testing.assert_array_equal(again(photo)[0].box, face.box)
        assert f"min_face_size={size}" in repr(again)

    def test_min_face_size_finds_smaller_faces_than_the_default(self, which, photo):
        small = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        large = cv2.copyMakeBorder(small, *[1800] * 4, cv2.BORDER_CONSTANT)
        assert load(which)(large) == []
        assert len(load(which, min_face_size=40)(large)) == 1

    def test_min_face_size_above_the_image(self, which, photo):
        with pytest.raises(ValueError, match="shorter side.* 4000 pixels.*Received: 512 pixels"):
            load(which, min_face_size=4000)(photo)

    def test_threads(self, which, photo):
        detect = load(which)
        photos = [photo, np.ascontiguousarray(photo[:, : photo.shape[1] // 4]), photo[::2, ::2]]
        alone = [len(detect(p)) for p in photos]
        found = [None] * 3

        def work(i):
            for _ in range(3):
                found[i] = len(detect(photos[i]))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == alone


class TestMergeCells:
    def row(self, x=0.0, y=0.0, side=100.0, score=0.9):
        points = np.tile([x + side / 2, y + side / 2], 5)
        return np.array([x, y, side, side, *points, score], np.float32)

    def test_mean_weighted_by_score(self):
        rows = np.stack([self.row(x=8, score=0.6), self.row(x=0, score=0.9), self.row(x=2, y=5)])
        (face,) = merge_cells(rows, 0.3)
        expected = np.average(rows[:, :14], axis=0, weights=[0.6, 0.9, 0.9])
        np.testing.assert_allclose(face, [*expected, np.float32(0.9)], rtol=1e-6)

    def test_neighbours_stay_two(self):
        rows = np.stack([self.row(), self.row(x=80, score=0.8), self.row(x=3, score=0.7)])
        first, second = merge_cells(rows, 0.3)
        assert 0 < first[0] < 3 and second[0] == 80

    def test_between_two_faces_nobody_is_moved(self):
        rows = np.stack([self.row(), self.row(x=40, score=0.8)])  # IoU 0.43
        (face,) = merge_cells(rows, 0.3)
        np.testing.assert_array_equal(face, rows[0])

    @pytest.mark.parametrize("threshold", [0.0, 1.0])
    def test_extreme_thresholds_end(self, threshold):
        rows = np.stack([self.row(), self.row(), self.row(x=300)])
        assert len(merge_cells(rows, threshold)) == (3 if threshold else 2)

    def test_steadier_than_the_surest_cell(self, photo, monkeypatch):
        """Moved by parts of a stride, the photo has the same face; less so without the mean."""
        detect = FaceDetector.from_preset()

        def spread():
            moves = [(dx, dy) for dx in range(0, 8, 2) for dy in range(0, 8, 2)]
            boxes = [
                detect(np.pad(photo, ((dy, 0), (dx, 0), (0, 0))))[0].box - [dx, dy, dx, dy]
                for dx, dy in moves
            ]
            return np.std(boxes, axis=0).mean()

        merged = spread()
        surest = lambda rows, *thresholds: rows[np.argsort(-rows[:, 14])[:1]]  # noqa: E731
        monkeypatch.setattr(face_detector, "merge_cells", surest)
        assert merged < 0.8 * spread()


@needs(YUNET)
def test_path_as_detector(photo):
    assert load_detector(YUNET)(photo)
    assert load_detector(str(YUNET), score_threshold=0.99)(photo) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rotations": (45,)}, "some of 0, 90, 180, 270"),
        ({"rotations": ()}, "some of 0, 90, 180, 270"),
        ({"rotations": 90}, "rotations as a list of some of 0, 90, 180, 270. Received: 90"),
        ({"max_side": 8}, "max_side of at least 32"),
        ({"max_side": "640"}, "max_side of at least 32 pixels. Received: '640'"),
        ({"threshold": "high"}, "threshold of 0..1. Received: 'high'"),
        ({"min_face_size": 0}, "min_face_size as pixels.* or a part.*Received: 0"),
        ({"min_face_size": -0.5}, "min_face_size as pixels.*Received: -0.5"),
        ({"min_face_size": float("nan")}, "min_face_size as pixels.*Received: nan"),
        ({"min_face_size": float("inf")}, "min_face_size as pixels.*Received: inf"),
        ({"min_face_size": 5e-324}, "min_face_size as pixels.*Received: 5e-324"),
        ({"min_face_size": 10**400}, "min_face_size as pixels.*Received: 10000"),
        ({"min_face_size": "80"}, "min_face_size as pixels.*Received: '80'"),
        ({"min_face_size": True}, "min_face_size as pixels.*Received: True"),
        (
            {"landmarks_in_box": [0, 0.5]},
            r"landmarks_in_box as x0, y0, x1, y1.*Received: \(0.0, 0.5",
        ),
        ({"landmarks_in_box": "mouth"}, "landmarks_in_box as x0, y0, x1, y1.*Received: 'mouth'"),
        ({"landmarks_in_box": (0.5, 0, 0.5, 1)}, "landmarks_in_box as x0, y0, x1, y1"),
        ({"min_face_size": 80, "max_side": 320}, "either max_side or min_face_size"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        FaceDetector.from_preset(**settings)


@pytest.mark.parametrize("make", [FaceDetector.from_preset, load_detector])
def test_rotations_may_be_an_iterator(make):
    assert make(rotations=iter([0, 90])).rotations == (0, 90)


def test_preset_without_detector():
    for preset in ("lotr_m_68", "lotr_m_jd"):  # with a model.onnx of another kind, without one
        with pytest.raises(ValueError, match=f"preset of a face detector.*Received: {preset}"):
            FaceDetector.from_preset(preset)


class TestFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no face detector .*no.onnx"):
            load_detector(tmp_path / "no.onnx")

    def test_no_network(self, tmp_path):
        (tmp_path / "a.onnx").write_bytes(b"hello")
        with pytest.raises(ValueError, match=r"Expected the .onnx file of a face detector"):
            load_detector(tmp_path / "a.onnx")

    def test_unknown(self):
        with pytest.raises(ValueError, match=r"Expected a face detector.*Received: 'dlib'"):
            load_detector("dlib")

    def test_yunet_from_the_hub(self, hub, monkeypatch):
        content = b"the detector, were it here"
        monkeypatch.setattr(yunet, "_YUNET", replace(yunet._YUNET, revision=None))
        monkeypatch.setattr(yunet, "_YUNET_SHA256", sha256(content))
        hub.put(yunet._YUNET.repo, {yunet._YUNET_FILE: content})
        with pytest.raises(ValueError, match=rf"a face detector like YuNet.*{yunet._YUNET_FILE}"):
            load_detector("yunet")  # fetched, and found to be no network

    def test_offline(self, hub, monkeypatch):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(OSError, match=r"not in the local cache.*the detector 'builtin'"):
            load_detector("yunet")

    def test_wrong_bytes_from_the_hub(self, hub, monkeypatch):
        monkeypatch.setattr(yunet, "_YUNET", replace(yunet._YUNET, revision=None))
        hub.put(yunet._YUNET.repo, {yunet._YUNET_FILE: b"something else"})
        with pytest.raises(OSError, match="Refused .*sha256"):
            load_detector("yunet")


class TestOwnDetector:
    image = np.zeros((90, 90, 3), np.uint8)

    def test_boxes(self):
        box = [10, 20, 30, 40]
        for boxes in ([box], np.array([box]), [Face(np.array(box))]):
            (face,) = load_detector(lambda image, boxes=boxes: boxes)(self.image)
            assert face.box.tolist() == box
            assert face.score == 1

    @pytest.mark.parametrize("nothing", [[], np.zeros((0, 4)), None])
    def test_nothing_found(self, nothing):
        assert load_detector(lambda image: nothing)(self.image) == []

    @pytest.mark.parametrize("box", [[1, 2, 3], [3, 2, 1, 4], [1, 2, 3, np.nan], "abcd", 5])
    def test_wrong_box(self, box):
        with pytest.raises(ValueError, match="Expected a detector that returns"):
            load_detector(lambda image: [box])(self.image)


def test_a_network_of_another_kind_is_refused_at_once():
    with pytest.raises(ValueError, match="a face detector like YuNet. .*model.onnx has other outp"):
        FaceDetector("presets/lotr_s_68/model.onnx")
