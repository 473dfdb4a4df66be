"""Large photos are read smaller where only large faces are asked for."""

import io

import cv2
import numpy as np
import pytest

from keras_lotr import FaceLandmarker, geometry, read_image
from keras_lotr.inference import face_detector
from keras_lotr.inference.reduced_reading import image_from_reduced, read_for_faces
from keras_lotr.preprocessor import Preprocessor

pytestmark = pytest.mark.once
PREPROCESSOR = Preprocessor("ibug68", 64, 1.0)


def jpeg(width=640, height=480, orientation=1, scale=1):
    """The astronaut's face in the middle of a photo, as JPEG."""
    image = np.full((height, width, 3), 90, np.uint8)
    face = cv2.resize(read_image("examples/astronaut.jpg")[60:220, 150:310], (320, 320))
    image[80:400, 160:480] = face
    image = cv2.resize(image, None, fx=scale, fy=scale)
    if orientation == 6:  # stored so that it is upright once it is turned
        image = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
    data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    if orientation == 1:
        return data
    from PIL import Image

    stored, written = Image.open(io.BytesIO(data)), io.BytesIO()
    exif = stored.getexif()
    exif[0x0112] = orientation
    stored.save(written, "JPEG", exif=exif, quality=95)
    return written.getvalue()


@pytest.mark.parametrize(
    ("min_face_size", "divisor"),
    [(None, 1), (64, 1), (128, 2), (255, 2), (256, 4), (0.25, 1), (0.6, 4), (480, 4), (481, 1)],
)
def test_smallest_faces_keep_the_pixels_of_a_crop(min_face_size, divisor):
    image, found = read_for_faces(jpeg(), min_face_size, PREPROCESSOR)
    assert (found, image.shape) == (divisor, (480 // divisor, 640 // divisor, 3))


def test_only_what_divides_both_sides():
    for width, divisor in ((640, 4), (642, 2), (641, 1)):
        assert read_for_faces(jpeg(width), 256, PREPROCESSOR)[1] == divisor


def test_other_kinds_are_read_as_they_are(tmp_path):
    image = read_image(jpeg())
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    for source in (tmp_path / "a.png", image):
        whole, divisor = read_for_faces(source, 256, PREPROCESSOR)
        np.testing.assert_array_equal(whole, image)
        assert divisor == 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pixels_lie_where_the_matrix_says(orientation):
    data = jpeg(orientation=orientation)
    image, reduced = read_image(data), read_for_faces(data, 256, PREPROCESSOR)[0]
    matrix = geometry.invert(image_from_reduced(4))
    np.testing.assert_allclose(matrix @ [1.5, 1.5, 1], [0, 0])
    mean = cv2.resize(image, reduced.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(mean.astype(int) - reduced).mean() < 2


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("min_face_size", [0.32, 300])
def test_landmarks_are_those_of_the_whole_photo(min_face_size, orientation, monkeypatch):
    photo = jpeg(orientation=orientation, scale=2)
    sizes = []
    original = cv2.imdecode

    def noting_the_size(*arguments):
        image = original(*arguments)
        sizes.append(image.shape)
        return image

    monkeypatch.setattr("keras_lotr.images.decoding.cv2.imdecode", noting_the_size)
    landmarker = FaceLandmarker(
        "lotr_m_68", engine="onnxruntime", threads=1, min_face_size=min_face_size
    )
    (whole,), (reduced,) = landmarker.stream([read_image(photo)]), landmarker.stream([photo])
    whole_size, reduced_size = sizes
    assert [2 * side for side in reduced_size[:2]] == [*whole_size[:2]]
    assert (reduced.width, reduced.height) == (whole.width, whole.height)
    (face,), (other,) = whole.faces, reduced.faces
    side = face.box[2] - face.box[0]
    np.testing.assert_allclose(other.box, face.box, atol=0.03 * side)
    assert np.linalg.norm(other.points - face.points, axis=-1).mean() < 0.01 * side


def test_the_detector_is_loaded_once(monkeypatch):
    landmarker = FaceLandmarker("lotr_m_68", engine="onnxruntime", threads=1, min_face_size=300)
    photo = jpeg(scale=2)
    (expected,) = landmarker(photo)
    monkeypatch.setattr(face_detector, "load_network", lambda *_: pytest.fail("loaded again"))
    (face,) = landmarker(photo)
    np.testing.assert_array_equal(face.points, expected.points)
