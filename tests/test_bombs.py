"""Small files that ask for gigabytes or minutes are refused, or take what their pixels take."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fuzz import bombs

from keras_lotr.images.decoding import decode
from keras_lotr.images.header import claimed_size
from keras_lotr.images.plain import is_plain
from keras_lotr.images.reading import read_image

pytestmark = pytest.mark.once

_MEASURED = """
import json, resource, sys, time
sys.path.insert(0, {tests!r})
from fuzz.bombs import bombs
from keras_lotr.images.decoding import decode

files, found = bombs(), {{}}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name, data in files.items():
    before = time.process_time()
    try:
        said = "read", list(decode(data, name, 50_000_000).shape)
    except ValueError as error:
        said = "refused", str(error)
    now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found[name] = *said, time.process_time() - before, (now - peak) / 1024
    peak = max(now, peak)
print(json.dumps(found))
"""


def test_all_take_little():
    """In a process of its own, which tells the memory that it took at most."""
    code = _MEASURED.format(tests=str(Path(__file__).parent))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    found = json.loads(answer.stdout)
    assert found.keys() == bombs.bombs().keys()
    for name, (said, what, _, megabytes) in found.items():
        pixels = 0 if said == "refused" else 7 * what[0] * what[1] / 2**20  # 4 bytes, then 3
        assert megabytes < 300 + pixels, (name, megabytes)
        assert said == "read" or what.startswith("Expected an image"), what
    read = {name for name, (said, *_) in found.items() if said == "read"}
    read.discard("heic_of_900_megapixels")  # libheif decides which of its two sizes counts
    # Of two widths Pillow 12 takes the last and Pillow 13 the first, and reads what it measured.
    assert len(read & {"tiff_doubled_width", "tiff_doubled_width_first"}) == 1
    assert read - {"tiff_doubled_width", "tiff_doubled_width_first"} == {"png_of_zeros"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("jpeg_ff00_before_frame", "at most 100,000,000 pixels. .* says 30000 x 30000"),
        ("jpeg_two_frames", "at most 100,000,000 pixels"),
        ("jpeg_many_scans", r"has 3,010 scans of 49,000,000 pixels"),
        ("jpeg_hidden_scans", r"has 3,010 scans of 49,000,000 pixels"),
        ("tiff_of_900_megapixels", "at most 100,000,000 pixels"),
        ("tiff_long8", "at most 100,000,000 pixels"),
        ("tiff_float_of_900_megapixels", "at most 100,000,000 pixels"),
        ("png_chunk_of_4_gigabytes", "is cut off or damaged"),
    ],
)
def test_sentence(name, sentence, monkeypatch):
    monkeypatch.setattr("cv2.imdecode", None)  # it would take what it is asked for
    with pytest.raises(ValueError, match=sentence):
        read_image(bombs.bombs()[name])


def test_of_two_widths_the_one_counts_that_pillow_takes(monkeypatch):
    """The last with Pillow 12, the first with 13; it decodes the image, too."""
    monkeypatch.setattr("cv2.imdecode", None)
    shapes, refused = [], []
    for name in ("tiff_doubled_width", "tiff_doubled_width_first"):
        try:
            shapes.append(read_image(bombs.bombs()[name]).shape)
        except ValueError as error:
            refused.append(str(error))
    assert shapes == [(30_000, 64, 3)]
    assert len(refused) == 1 and "at most 100,000,000 pixels" in refused[0]


def test_opencv_is_given_only_what_cannot_be_misread(rgb):
    for ending, kind in ((".jpg", "JPEG"), (".png", "PNG"), (".webp", "WebP")):
        data = cv2.imencode(ending, rgb)[1].tobytes()
        assert is_plain(data, kind)
    jpeg = cv2.imencode(".jpg", rgb)[1].tobytes()
    for odd in (b"\xff\0", b"\xff\xff", b"\0", b"\xff\x01"):
        assert not is_plain(jpeg[:2] + odd + jpeg[2:], "JPEG")
    padded = jpeg[:2] + b"\xff" + jpeg[2:]
    assert claimed_size(padded) == (20, 12)
    np.testing.assert_array_equal(read_image(padded), read_image(jpeg))  # by Pillow


def test_a_float_tiff_is_read_where_its_size_is_plain(rgb):
    """Which Pillow does not know, and OpenCV measures in its own way."""
    data = bytearray(cv2.imencode(".tiff", (rgb / 255).astype(np.float32))[1].tobytes())
    assert read_image(bytes(data)).shape == rgb.shape
    with pytest.raises(ValueError, match="at most 100 pixels. It says 20 x 12"):
        decode(bytes(data), "It", 100)
    assert data[:2] == b"II"
    entry = data.index(b"\0\1\3\0\1\0\0\0", 8)  # width, a short
    data[entry + 2 : entry + 4] = b"\x10\0"  # LONG8, which lies elsewhere
    with pytest.raises(ValueError, match="cut off or damaged, or of a variant of TIFF"):
        read_image(bytes(data))


def test_many_scans_of_a_small_image_are_read():
    assert read_image(bombs.jpeg_scans(64, 48, 500)).shape == (48, 64, 3)


def test_scans_of_other_data_do_not_count(monkeypatch):
    """A thumbnail, a video behind the image: only what is decoded counts."""
    monkeypatch.setattr("keras_lotr.images.plain._MOST_WORK", 64 * 48)
    assert read_image(bombs.jpeg() + 3000 * b"\xff\xda").shape == (48, 64, 3)
    with pytest.raises(ValueError, match="has 10 scans of 3,072 pixels"):
        read_image(bombs.jpeg(progressive=True))


def test_scans_that_are_not_decoded(monkeypatch):
    """A sequential JPEG whose first scan has all colours ends with it, whatever follows."""
    monkeypatch.setattr("keras_lotr.images.plain._MOST_WORK", 64 * 48)
    usual = bombs.jpeg()
    scan = usual[usual.index(b"\xff\xda") : -2]
    image = read_image(usual)
    np.testing.assert_array_equal(read_image(usual[:-2] + 50 * scan + usual[-2:]), image)
    with pytest.raises(ValueError, match="scans of 3,072 pixels"):
        read_image(bombs.jpeg_scans(64, 48, 50))
