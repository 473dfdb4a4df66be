"""Images from open files, URLs and odd names, and files of every kind: read or refused alike."""

import base64
import http.server
import io
import os
import sys
import threading
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from PIL import Image, features

from keras_lotr import FaceDetector
from keras_lotr.images.header import claimed_size
from keras_lotr.images.reading import read_image

pytestmark = pytest.mark.once


@pytest.fixture
def rgb():
    """48 x 64, smooth, no two corners alike."""
    y, x = np.mgrid[:48, :64]
    return np.stack([4 * x, 5 * y, 255 - 3 * x], -1).astype(np.uint8)


@pytest.fixture
def png(rgb):
    return written(rgb, "PNG")


def written(image, kind, **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if kind == "HEIC":
        pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
        pillow_heif.register_heif_opener()
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    file = io.BytesIO()
    image.save(file, "HEIF" if kind == "HEIC" else kind, **options)
    return file.getvalue()


class TestOpenFiles:
    def test_in_memory_wherever_it_stands(self, rgb, png, tmp_path):
        file = io.BytesIO()
        file.write(png)  # and stands at its end
        np.testing.assert_array_equal(read_image(file), rgb)
        (tmp_path / "a.png").write_bytes(png)
        with open(tmp_path / "a.png", "rb") as file:
            np.testing.assert_array_equal(read_image(file), rgb)
            np.testing.assert_array_equal(read_image(file), rgb)

    def test_opened_as_text(self, tmp_path):
        (tmp_path / "a.png").write_text("text")
        with open(tmp_path / "a.png") as file, pytest.raises(ValueError, match=r"'rb'.* gives str"):
            read_image(file)

    def test_upload_that_must_be_awaited(self):
        class Upload:
            async def read(self):
                return b""

        with pytest.raises(ValueError, match=r"'rb'.*Upload, which gives coroutine"):
            read_image(Upload())

    def test_file_that_is_open_is_one_image(self, png):
        assert FaceDetector.from_preset("face_detector")(io.BytesIO(png)) == []

    def test_cut_off(self, png, tmp_path):
        (tmp_path / "a.png").write_bytes(png[:-20])
        with (
            open(tmp_path / "a.png", "rb") as file,
            pytest.raises(ValueError, match="png is cut"),
        ):
            read_image(file)


class TestNames:
    def test_home_and_file_urls(self, rgb, png, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        (tmp_path / "ä 100%.png").write_bytes(png)
        url = "file://" + quote(str(tmp_path / "ä 100%.png"))
        sources = ("~/ä 100%.png", url, url.replace("file://", "file://localhost"))
        for source in (*sources, f"FILE://{tmp_path}/ä 100%.png", f"file:{tmp_path}/ä 100%.png"):
            np.testing.assert_array_equal(read_image(source), rgb)
        with pytest.raises(FileNotFoundError, match="no image .*none.png"):
            read_image(f"file://{tmp_path}/none.png")
        with pytest.raises(ValueError, match="Expected a file of this machine"):
            read_image("file://server/a.png")

    def test_data_url(self, rgb, png):
        code = base64.b64encode(png).decode()
        for body in (code, quote(code), code.rstrip("="), "\n".join([code[:60], code[60:]])):
            np.testing.assert_array_equal(read_image(f"data:image/png;base64,{body}"), rgb)
        np.testing.assert_array_equal(read_image("data:image/png," + quote(png)), rgb)

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("data:image/png;base64,%%%" + 9000 * "A", "Expected base64 after the comma"),
            ("data:image/png;base64," + 9000 * "AAAA", "of another kind"),
            (9000 * "A", "For base64 write 'data:image/jpeg;base64,' in front"),
            (9000 * "/x y", "There is no image"),
            ("a\0b.jpg", "There is no image"),
            ("", "an empty name"),
            ("s3://bucket/a.jpg", "Addresses s3:// are not read"),
            (os.devnull, "is a device"),
        ],
    )
    def test_what_is_no_file(self, source, sentence):
        with pytest.raises((ValueError, FileNotFoundError), match=sentence) as caught:
            read_image(source)
        assert len(str(caught.value)) < 400

    def test_name_in_another_encoding(self, rgb, png, tmp_path):
        path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
        with open(path, "wb") as file:
            file.write(png)
        np.testing.assert_array_equal(read_image(os.fsdecode(path)), rgb)

    def test_url_with_any_letter(self, rgb, png):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(png)

            def log_message(self, *arguments):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            root = f"http://127.0.0.1:{server.server_port}"
            for path in ("/ä b.png", "/%C3%A4%20b.png", "/a?x=ü&y=1"):
                np.testing.assert_array_equal(read_image(root + path), rgb)
            server.shutdown()
        assert asked == ["/%C3%A4%20b.png", "/%C3%A4%20b.png", "/a?x=%C3%BC&y=1"]


class TestKinds:
    @pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
    def test_of_phones(self, kind, rgb):
        data = written(rgb, kind, quality=95)
        assert claimed_size(data) == (64, 48 if kind == "AVIF" else 64)  # HEIC with its border
        assert np.abs(read_image(data).astype(int) - rgb).mean() < 4
        for length in (30, 150, len(data) // 2, len(data) - 5):
            with pytest.raises(ValueError, match=r"Expected an image .*The content is"):
                read_image(data[:length])

    def test_missing_package_is_named(self, rgb, monkeypatch):
        data = written(rgb, "HEIC")
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        monkeypatch.delitem(sys.modules, "pillow_heif.as_plugin", raising=False)
        with pytest.raises(
            ValueError, match=r"HEIC, which needs pillow_heif: pip install 'keras-lotr\[heic"
        ):
            read_image(data)

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    def test_tiff_of_every_depth(self, dtype, rgb):
        white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
        deep = (rgb[..., ::-1] / 255 * white).round(9 if white == 1 else 0).astype(dtype)
        data = cv2.imencode(".tiff", deep)[1].tobytes()
        np.testing.assert_array_equal(read_image(data), rgb)
        with pytest.raises(ValueError, match="Expected an image"):
            read_image(data[: len(data) // 2])

    def test_big_tiff(self, rgb):
        data = written(rgb, "TIFF", big_tiff=True)
        assert claimed_size(data) == (64, 48)
        np.testing.assert_array_equal(read_image(data), rgb)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I", "F", "I;16"])
    def test_tiff_of_every_mode(self, mode, rgb):
        grey = Image.fromarray(rgb).convert("L")
        image = grey if mode in "I;16 I F" else Image.fromarray(rgb)
        image = Image.fromarray(np.asarray(grey) * np.uint16(257)) if mode == "I;16" else image
        found = read_image(written(image if mode == "I;16" else image.convert(mode), "TIFF"))
        expected = np.asarray(grey)[..., None] if mode in "I;16 I F LA L" else rgb
        limit = 120 if mode == "1" else 20 if mode == "P" else 4
        assert np.abs(found.astype(int) - expected).mean() < limit

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "PNG", "AVIF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation(self, kind, orientation, rgb):
        ways = [
            *(rgb, rgb[:, ::-1], rgb[::-1, ::-1], rgb[::-1], rgb.transpose(1, 0, 2)),
            *(np.rot90(rgb, 1), np.rot90(rgb[::-1, ::-1].transpose(1, 0, 2), 0), np.rot90(rgb, -1)),
        ]
        exif = Image.Exif()
        exif[274] = orientation
        stored = np.ascontiguousarray(ways[orientation - 1])
        data = written(
            stored, kind, exif=exif, **({} if kind in ("PNG", "TIFF") else {"quality": 95})
        )
        for source in (data, Image.open(io.BytesIO(data))):
            found = read_image(source)
            assert found.shape == rgb.shape
            assert np.abs(found.astype(int) - rgb).mean() < 6

    def test_float_tiff_is_turned_too(self, rgb):
        exif = Image.Exif()
        exif[274] = 6
        grey = np.ascontiguousarray(np.rot90(rgb[..., 0])).astype(np.float32)
        found = read_image(written(Image.fromarray(grey), "TIFF", exif=exif))
        assert np.abs(found[..., 0].astype(int) - rgb[..., 0]).max() <= 1

    def test_half_a_jpeg_that_zeros_fill_up(self, rgb):
        """As broken copies leave it; the thumbnail in it is whole."""
        noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)
        exif = b"Exif\0\0" + written(rgb, "JPEG")
        data = written(noise, "JPEG", exif=exif)
        assert read_image(data).shape == noise.shape
        half = data[: len(data) * 2 // 3]
        with pytest.raises(ValueError, match="cut off"):
            read_image(half + bytes(len(data) - len(half)))

    def test_pil_image_that_is_cut_off(self, rgb):
        noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)
        data = written(noise, "JPEG")
        with pytest.raises(ValueError, match="the PIL image is cut off or damaged"):
            read_image(Image.open(io.BytesIO(data[: len(data) // 2])))

    @pytest.mark.parametrize("mode", ["La", "RGBa", "PA", "RGBX", "YCbCr", "HSV", "I", "F"])
    def test_modes_of_pil(self, mode, rgb):
        first = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, "RGB")
        assert read_image(Image.fromarray(rgb).convert(first).convert(mode)).shape == rgb.shape
