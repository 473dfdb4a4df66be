"""Whatever a user hands over as an image, good and bad."""

import http.server
import io
import struct
import threading
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from keras_lotr.images.header import claimed_size
from keras_lotr.images.reading import read_image

pytestmark = pytest.mark.once


def encode(image, ending):
    return cv2.imencode(ending, image)[1].tobytes()


def pil_bytes(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_claiming(width, height):
    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


class TestSources:
    def test_path_bytes_pil_and_array_agree(self, rgb, tmp_path):
        path = tmp_path / "photo ü.png"
        data = encode(rgb[..., ::-1], ".png")
        path.write_bytes(data)
        for source in (path, str(path), data, bytearray(data), Image.fromarray(rgb), rgb):
            image = read_image(source)
            assert image.dtype == np.uint8
            np.testing.assert_array_equal(image, rgb)

    def test_url(self, rgb):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/a.png" else 404)
                self.end_headers()
                if self.path == "/a.png":
                    self.wfile.write(encode(rgb[..., ::-1], ".png"))

            def log_message(self, *args):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            root = f"http://127.0.0.1:{server.server_port}"
            np.testing.assert_array_equal(read_image(f"{root}/a.png"), rgb)
            with pytest.raises(OSError, match=r"Cannot download .*/b.png.*404"):
                read_image(f"{root}/b.png")
            server.shutdown()
        with pytest.raises(OSError, match="Cannot download"):
            read_image(f"{root}/a.png")

    def test_too_large_download(self, rgb, monkeypatch):
        monkeypatch.setattr("keras_lotr.images.sources._MAX_DOWNLOAD_BYTES", 10)
        monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: io.BytesIO(bytes(11)))
        with pytest.raises(ValueError, match="at most 10 bytes at http://x/y"):
            read_image("http://x/y")

    def test_other_object(self):
        with pytest.raises(
            ValueError, match=r"path, URL, bytes, open file, PIL image.*Received: int"
        ):
            read_image(3)

    def test_missing_and_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no image .*nowhere.jpg"):
            read_image(tmp_path / "nowhere.jpg")
        with pytest.raises(ValueError, match="is a folder"):
            read_image(tmp_path)


class TestFiles:
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_exif_orientation(self, rgb, orientation):
        turned = {1: rgb, 3: rgb[::-1, ::-1], 6: np.rot90(rgb, 1), 8: np.rot90(rgb, -1)}
        picture = Image.fromarray(np.ascontiguousarray(turned[orientation]))
        exif = Image.Exif()
        exif[274] = orientation
        data = pil_bytes(picture, "JPEG", exif=exif, quality=95, subsampling=0)
        for source in (data, Image.open(io.BytesIO(data))):
            image = read_image(source)
            assert image.shape == rgb.shape
            assert np.abs(image.astype(int) - rgb).mean() < 6

    def test_grey_rgba_and_16_bit(self, tmp_path):
        grey = np.full((5, 6), 77, np.uint8)
        assert read_image(encode(grey, ".png"))[2, 3].tolist() == [77, 77, 77]
        rgba = np.dstack([grey, grey + 1, grey + 2, np.zeros_like(grey)])
        assert read_image(encode(rgba[..., [2, 1, 0, 3]], ".png"))[0, 0].tolist() == [77, 78, 79]
        deep = np.full((5, 6, 3), 40000, np.uint16)
        assert abs(int(read_image(encode(deep, ".png"))[0, 0, 0]) - 156) <= 1

    def test_pil_modes(self):
        picture = Image.new("RGB", (6, 5), (10, 20, 30))
        for mode in ("L", "RGBA", "P", "CMYK", "LA", "1"):
            assert read_image(picture.convert(mode)).shape == (5, 6, 3)
        deep = Image.fromarray(np.full((5, 6), 40000, np.uint16))
        assert read_image(deep)[0, 0].tolist() == [156] * 3

    def test_one_pixel(self):
        assert read_image(encode(np.zeros((1, 1, 3), np.uint8), ".png")).shape == (1, 1, 3)

    @pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp", ".gif", ".tiff"])
    def test_kinds_whole_and_cut(self, ending, tmp_path):
        noise = np.random.default_rng(0).integers(0, 255, (40, 61, 3)).astype(np.uint8)
        data = encode(noise, ending)
        assert claimed_size(data) == (61, 40)
        assert read_image(data).shape == (40, 61, 3)
        path = tmp_path / f"cut{ending}"
        # GIF has nothing behind the first frame, which is whole then.
        for length in (0, 3, 20, len(data) // 2, len(data) - (2 if ending != ".gif" else 8)):
            path.write_bytes(data[:length])
            with pytest.raises(ValueError, match=r"Expected an image .*cut\."):
                read_image(path)

    def test_no_picture(self, tmp_path):
        path = tmp_path / "notes.jpg"
        path.write_text("hello")
        with pytest.raises(ValueError, match=r"notes.jpg is of another kind"):
            read_image(path)

    def test_bomb_is_refused_before_decoding(self, monkeypatch):
        monkeypatch.setattr("cv2.imdecode", None)
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
        with pytest.raises(ValueError, match=r"at most 100,000,000 pixels.*20000 x 20000"):
            read_image(png_claiming(20000, 20000))

    def test_broken_header_with_huge_size(self):
        with pytest.raises(ValueError, match="Expected an image"):
            read_image(png_claiming(2000, 2000))


class TestClaimedSize:
    def test_pil_variants(self):
        picture = Image.new("RGB", (33, 21), (1, 2, 3))
        for kind, options in (
            ("JPEG", {"progressive": True}),
            ("WEBP", {"lossless": True}),
            ("WEBP", {"quality": 50}),
            ("TIFF", {"compression": "tiff_lzw"}),
        ):
            assert claimed_size(pil_bytes(picture, kind, **options)) == (33, 21)
        transparent = Image.new("RGBA", (33, 21), (1, 2, 3, 4))
        assert claimed_size(pil_bytes(transparent, "WEBP")) == (33, 21)

    def test_any_cut_is_none_or_the_size(self):
        data = pil_bytes(Image.new("RGB", (33, 21)), "JPEG")
        assert {claimed_size(data[:n]) for n in range(len(data))} == {None, (33, 21)}

    def test_other_kinds(self):
        assert claimed_size(b"") is None
        assert claimed_size(b"%PDF-1.4") is None


@pytest.mark.parametrize("channels", [1, 3])  # read by Pillow and by OpenCV
def test_float_tiff_of_nan_is_told(tmp_path, channels):
    path = tmp_path / "a.tif"
    image = np.full((8, 8, channels), 0.5, np.float32)
    cv2.imwrite(str(path), image)
    assert (read_image(path) == 128).all()
    image[2, 3] = np.nan
    cv2.imwrite(str(path), image)
    with pytest.raises(ValueError, match=r"finite float pixels.*nan_to_num \(in .*a.tif\)$"):
        read_image(path)
    cv2.imwrite(str(path), np.full((8, 8, channels), 3000, np.float32))
    with pytest.raises(ValueError, match=r"float pixels in 0..1 .*Received: 3000 .*a.tif\)$"):
        read_image(path)


def tiff_16(image, white_is_zero=False, planes=False):
    """The bytes of a TIFF of 16 bits: image (H, W) or (H, W, 3) uint16."""
    height, width, *channels = image.shape
    count = channels[0] if channels else 1
    meaning = 2 if channels else 1 - white_is_zero
    rows = image.transpose(2, 0, 1) if planes else image
    parts, size = count if planes else 1, image.size * 2
    head = 8 + 2 + 10 * 12 + 4
    lists = head, head + 2 * count, head + 2 * count + 4 * parts  # bits, offsets, sizes
    pixels = lists[2] + 4 * parts
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, count, lists[0] if count > 2 else 16),
        (259, 3, 1, 1),
        (262, 3, 1, meaning),
        (273, 4, parts, lists[1] if parts > 1 else pixels),
        (277, 3, 1, count),
        (278, 4, 1, height),
        (279, 4, parts, lists[2] if parts > 1 else size),
        (284, 3, 1, 2 if planes else 1),
    ]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    values = struct.pack(f"<{count}H", *[16] * count)
    values += struct.pack(f"<{parts}I", *(pixels + i * size // parts for i in range(parts)))
    values += struct.pack(f"<{parts}I", *[size // parts] * parts)
    start = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return start + directory + bytes(4) + values + rows.astype("<u2").tobytes()


def test_tiff_of_16_bits_in_which_white_is_zero():
    grey = np.linspace(0, 65535, 12).astype(np.uint16).reshape(3, 4)
    right = read_image(tiff_16(grey))
    assert right[0, 0].tolist() == [0] * 3 and right[-1, -1].tolist() == [255] * 3
    np.testing.assert_array_equal(read_image(tiff_16(65535 - grey, white_is_zero=True)), right)


def test_tiff_of_16_bits_with_planes_is_refused():
    colors = np.arange(24, dtype=np.uint16).reshape(2, 4, 3) * 2700
    np.testing.assert_allclose(read_image(tiff_16(colors)), colors / 257, atol=1)
    with pytest.raises(ValueError, match="TIFF of 16 bits with the colours of each pixel side"):
        read_image(tiff_16(colors, planes=True))
