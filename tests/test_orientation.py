"""Images that their files say are turned: they come out upright, turned exactly once."""

import io

import cv2
import numpy as np
import pytest

from keras_lotr.images.orientation import exif_orientation, swaps_sides
from keras_lotr.images.reading import read_image

Image = pytest.importorskip("PIL.Image", reason="writes EXIF")

pytestmark = pytest.mark.once

# The upright image: a corner each in red, green and blue, and 64 x 48 pixels.
UPRIGHT = np.zeros((48, 64, 3), np.uint8)
UPRIGHT[:24, :32, 0] = UPRIGHT[:24, 32:, 1] = UPRIGHT[24:, :32, 2] = 250
# How it is stored so that EXIF's orientation makes it upright.
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: UPRIGHT.transpose(1, 0, 2)[::-1, ::-1],
    8: np.rot90(UPRIGHT, -1),
}
KINDS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    **{"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}},
}


def file_of(orientation, kind, as_object=False, **options):
    exif = Image.Exif()
    exif[274] = orientation
    data = io.BytesIO()
    exif = exif if as_object else exif.tobytes()
    Image.fromarray(np.ascontiguousarray(STORED[orientation])).save(
        data, kind, exif=exif, **options
    )
    return data.getvalue()


def assert_upright(image):
    assert image.shape == UPRIGHT.shape
    assert np.abs(image.astype(int) - UPRIGHT)[:20, :28].mean() < 12
    assert np.abs(image.astype(int) - UPRIGHT).mean() < 12


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", KINDS)
def test_exif(kind, orientation):
    data = file_of(orientation, kind, **KINDS[kind])
    assert_upright(read_image(data))
    assert exif_orientation(data) == orientation
    assert swaps_sides(data) == (orientation > 4)


@pytest.fixture
def heif():
    pytest.importorskip("pillow_heif", reason="reads and writes HEIC").register_heif_opener()


@pytest.mark.parametrize("orientation", STORED)
class TestHeic:
    def test_turned_by_boxes_and_exif(self, heif, orientation):
        data = file_of(orientation, "HEIF", quality=95)
        assert (b"irot" in data or b"imir" in data) == (orientation > 1)
        assert exif_orientation(data) == orientation
        assert_upright(read_image(data))
        assert swaps_sides(data) == (orientation > 4)

    def test_turned_by_exif_only(self, heif, orientation):
        """As cameras and `save(exif=image.getexif())` of Pillow write it."""
        data = file_of(orientation, "HEIF", as_object=True, quality=95)
        assert b"irot" not in data and b"imir" not in data
        assert_upright(read_image(data))
        assert swaps_sides(data) == (orientation > 4)

    def test_an_exif_that_says_otherwise_is_ignored(self, heif, orientation):
        data = file_of(orientation, "HEIF", quality=95)
        if orientation == 1:
            return  # has no boxes: EXIF decides
        tag = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00"
        assert data.count(tag + bytes([orientation])) == 1
        other = data.replace(tag + bytes([orientation]), tag + bytes([9 - orientation]))
        assert_upright(read_image(other))
        assert swaps_sides(other) == (orientation > 4)


@pytest.mark.parametrize("orientation", STORED)
class TestAvif:
    def test_turned_by_boxes(self, orientation):
        data = self.written(orientation)
        assert (b"irot" in data or b"imir" in data) == (orientation > 1)
        assert_upright(read_image(data))
        assert swaps_sides(data) == (orientation > 4)

    def test_turned_by_exif_only(self, orientation):
        """Pillow writes none of these: another tag, renamed, becomes the orientation."""
        data = self.written(1, STORED[orientation], tag=(0x0113, orientation))
        tag = b"\x01\x13\x00\x03\x00\x00\x00\x01\x00"
        assert data.count(tag) == 1
        data = data.replace(tag, b"\x01\x12" + tag[2:])
        assert exif_orientation(data) == orientation
        assert_upright(read_image(data))
        assert swaps_sides(data) == (orientation > 4)

    def written(self, orientation, stored=None, tag=None):
        if ".avif" not in Image.registered_extensions():
            pytest.skip("needs a Pillow that writes AVIF")
        exif = Image.Exif()
        exif[274] = orientation
        if tag is not None:
            exif[tag[0]] = tag[1]
        data = io.BytesIO()
        stored = STORED[orientation] if stored is None else stored
        image = Image.fromarray(np.ascontiguousarray(stored))
        image.save(data, "AVIF", exif=exif.tobytes(), quality=95, subsampling="4:4:4")
        return data.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a" + bytes(20), cv2.imencode(".jpg", UPRIGHT)[1].tobytes()]
    + [file_of(6, "JPEG")[:length] for length in (20, 30, 40, 48)]
    + [file_of(6, "JPEG").replace(b"\x00\x01\x00\x06", b"\x00\x01\x00\x63")],
)
def test_files_that_say_nothing(data):
    assert exif_orientation(data) == 1
    assert not swaps_sides(data)
