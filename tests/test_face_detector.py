"""YuNet and detectors of one's own."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from keras_lotr.face_detector import Face, YuNet, load_detector
from keras_lotr.images import read_image

SHARED = Path(__file__).resolve().parents[2] / "shared"
YUNET = SHARED / "models" / "face_detection_yunet_2023mar.onnx"
PHOTOS = SHARED / "data" / "photos" / "images"
needs_yunet = pytest.mark.skipif(
    not (YUNET.is_file() and PHOTOS.is_dir()), reason="no YuNet file or no photos here"
)


@pytest.fixture(scope="module")
def photo():
    return read_image(sorted(PHOTOS.iterdir())[0])


@needs_yunet
class TestYuNet:
    def test_faces(self, photo):
        faces = YuNet(YUNET)(photo)
        areas = [np.prod(face.box[2:] - face.box[:2]) for face in faces]
        assert areas
        assert areas == sorted(areas, reverse=True)
        for face in faces:
            assert face.box.shape == (4,)
            assert face.box.dtype == face.five_points.dtype == np.float32
            assert 0.7 <= face.score <= 1

    def test_order_of_five_points(self, photo):
        left_eye, right_eye, nose, left_mouth, right_mouth = YuNet(YUNET)(photo)[0].five_points
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert left_eye[1] < nose[1] < left_mouth[1]

    def test_box_has_no_forehead(self, photo):
        face = YuNet(YUNET)(photo)[0]
        eyes, mouth = face.five_points[:2, 1].mean(), face.five_points[3:, 1].mean()
        above_eyes = (eyes - face.box[1]) / (mouth - eyes)
        assert 0.1 < above_eyes < 0.7  # the brows, not the hair

    def test_scale_of_large_photo(self, photo):
        small = YuNet(YUNET)(photo)[0]
        large = YuNet(YUNET)(cv2.resize(photo, None, fx=3, fy=3))[0]
        np.testing.assert_allclose(large.box / 3, small.box, atol=4)

    @pytest.mark.parametrize("shape", [(1, 1), (2, 3000), (3000, 2), (31, 47)])
    def test_photos_of_any_size(self, shape):
        assert YuNet(YUNET)(np.zeros((*shape, 3), np.uint8)) == []

    def test_threads(self, photo):
        detect = YuNet(YUNET)
        photos = [photo, np.ascontiguousarray(photo[:, : photo.shape[1] // 2]), photo[::2, ::2]]
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

    def test_path_as_detector(self, photo):
        assert load_detector(YUNET)(photo)
        assert len(load_detector(str(YUNET), 0.95)(photo)) <= len(load_detector(YUNET)(photo))


class TestFiles:
    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no face detector .*no.onnx"):
            load_detector(tmp_path / "no.onnx")

    def test_no_network(self, tmp_path):
        (tmp_path / "a.onnx").write_bytes(b"hello")
        with pytest.raises(ValueError, match=r"Expected a YuNet .onnx file"):
            load_detector(tmp_path / "a.onnx")

    def test_unknown(self):
        with pytest.raises(ValueError, match=r"Expected a face detector.*Received: 'dlib'"):
            load_detector("dlib")

    def test_offline(self, monkeypatch):
        from huggingface_hub.errors import LocalEntryNotFoundError

        def fail(*args, **kwargs):
            raise LocalEntryNotFoundError("offline")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
        with pytest.raises(OSError, match=r"not in the local cache.*--detector PATH"):
            load_detector("yunet")

    def test_wrong_bytes_from_the_hub(self, monkeypatch, tmp_path):
        path = tmp_path / "yunet.onnx"
        path.write_bytes(b"something else")
        monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *a, **k: str(path))
        with pytest.raises(ValueError, match="sha256 differs"):
            load_detector("yunet")


class TestOwnDetector:
    image = np.zeros((9, 9, 3), np.uint8)

    def test_boxes(self):
        for boxes in ([[1, 2, 3, 4]], np.array([[1, 2, 3, 4]]), [Face(np.array([1, 2, 3, 4]))]):
            (face,) = load_detector(lambda image, boxes=boxes: boxes)(self.image)
            assert face.box.tolist() == [1, 2, 3, 4]
            assert face.score == 1

    @pytest.mark.parametrize("nothing", [[], np.zeros((0, 4))])
    def test_nothing_found(self, nothing):
        assert load_detector(lambda image: nothing)(self.image) == []

    @pytest.mark.parametrize("box", [[1, 2, 3], [3, 2, 1, 4], [1, 2, 3, np.nan], "abcd", 5])
    def test_wrong_box(self, box):
        with pytest.raises(ValueError, match="Expected a detector that returns"):
            load_detector(lambda image: [box])(self.image)
