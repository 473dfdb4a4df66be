"""Small files that ask for gigabytes or minutes, each of another kind."""

import functools
import io
import re
import struct
import zlib

from PIL import Image

HUGE = 30_000


@functools.cache
def bombs():
    """{name: bytes} of all of them; without the HEIC file where pillow-heif cannot write it."""
    heic = {"heic_of_900_megapixels": boxes(b"heic", HUGE, HUGE)} if can_write_heic() else {}
    return {
        **heic,
        "png_of_900_megapixels": png(HUGE, HUGE, zlib.compress(bytes(1000))),
        "png_chunk_of_4_gigabytes": png_with_endless_chunk(),
        "png_of_zeros": png(7000, 7000, deflated_zeros(7000 * (3 * 7000 + 1))),
        "png_text_of_300_megabytes": png_with_text(deflated_zeros(300_000_000)),
        "jpeg_ff00_before_frame": jpeg_ff00(),
        "jpeg_two_frames": jpeg_two_frames(),
        "jpeg_many_scans": jpeg_scans(7000, 7000, 3000),
        "jpeg_hidden_scans": jpeg_scans(7000, 7000, 3000, b"\xff\xfe\0\4\xff\xd9"),
        "tiff_doubled_width": tiff([(256, 3, 1, 64), (256, 4, 1, HUGE), *_sides(64, HUGE)[1:]]),
        "tiff_doubled_width_first": tiff([(256, 4, 1, HUGE), *_sides(64, HUGE)]),
        "tiff_doubled_and_packed": tiff([(256, 4, 1, HUGE), *_sides(64, HUGE, packed=True)]),
        "tiff_long8": tiff([(256, 16, 1, 8), (257, 16, 1, 8), *_TAIL], start=_long8()),
        "tiff_of_900_megapixels": tiff([*_sides(HUGE, HUGE), *_TAIL]),
        "tiff_float_of_900_megapixels": tiff([*_sides(HUGE, HUGE), *_FLOAT]),
        "gif_of_900_megapixels": gif(HUGE, HUGE, HUGE, HUGE),
        "gif_with_a_huge_frame": gif(64, 64, HUGE, HUGE),
        "bmp_of_900_megapixels": bmp(HUGE, -HUGE),
        "webp_of_260_megapixels": webp(16383, 16383),
        "avif_of_900_megapixels": boxes(b"avif", HUGE, HUGE),
    }  # fmt: skip


def can_write_heic():
    """Whether pillow-heif, which is an extra, is installed; Pillow writes HEIC from now on."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


# === PNG ===
def chunk(name, data):
    """A chunk with its length and its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, pixels, between=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + between + chunk(b"IDAT", pixels) + end


def png_with_endless_chunk():
    """61 bytes, of which the last chunk says that it goes on for 4 GB."""
    whole = png(4, 4, zlib.compress(bytes(4 * 13)))
    return whole[:33] + struct.pack(">I", 0xFFFFFFFF) + b"tEXt" + bytes(20)


def png_with_text(text):
    return png(4, 4, zlib.compress(bytes(4 * 13)), chunk(b"zTXt", b"a\0\0" + text))


def deflated_zeros(count):
    """That many zeros as a zlib stream of a thousandth of the size."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(min(10**6, count - i))) for i in range(0, count, 10**6)]
    return b"".join([*pieces, packer.flush()])


# === JPEG ===
def jpeg(width=64, height=48, **options):
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(file, "JPEG", **options)
    return file.getvalue()


def jpeg_ff00():
    """A small frame in a comment, to which FF 00 leads who takes it for a marker with a length."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", HUGE, HUGE)
    small = b"\xff\xc0\0\x11\x08\0\x30\0\x40\3\1\x22\0\2\x11\1\3\x11\1"
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(small)) + small
    return bytes(data[:2]) + b"\xff\0\0\6" + comment + bytes(data[2:])


def jpeg_two_frames():
    """A small frame, and a huge one behind it."""
    data = jpeg()
    at = data.index(b"\xff\xc0")
    frame = bytearray(data[at : at + 19])
    frame[5:9] = struct.pack(">HH", HUGE, HUGE)
    return data[: at + 19] + bytes(frame) + data[at + 19 :]


def jpeg_scans(width, height, count, between=b""):
    """A progressive file whose last scan is there that many times more."""
    data = bytearray(jpeg(64, 48, progressive=True, subsampling=0))
    size = data.index(b"\xff\xc2") + 5
    data[size : size + 4] = struct.pack(">HH", height, width)
    last = data[[found.start() for found in re.finditer(b"\xff\xda", data)][-1] : -2]
    return bytes(data[:-2]) + count * (between + bytes(last)) + b"\xff\xd9"


# === Others ===
_TAIL = [
    (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 48),
    (279, 4, 1, 64 * 48),
]  # fmt: skip
_FLOAT = [(258, 3, 1, 32), (259, 3, 1, 8), (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3),
          (278, 4, 1, 48), (279, 4, 1, 64), (339, 3, 1, 3)]  # fmt: skip


def _sides(width, height, packed=False):
    tail = [(259, 3, 1, 5) if packed and entry[0] == 259 else entry for entry in _TAIL]  # LZW
    return [(256, 4, 1, width), (257, 4, 1, height), *tail]


def _long8():
    """The values that tags of type LONG8 in a classic TIFF point to."""
    return struct.pack("<Q", HUGE) + bytes(64 * 48)


def tiff(entries, start=None):
    """A TIFF whose directory has these entries (tag, type, count, value)."""
    body = bytes(64 * 48) if start is None else start
    head = b"II*\0" + struct.pack("<I", 8 + len(body)) + body
    entries = [struct.pack("<HHII", *entry) for entry in entries]
    return head + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def gif(width, height, frame_width, frame_height):
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6)
    frame = b"," + struct.pack("<HHHH", 0, 0, frame_width, frame_height) + b"\0"
    return head + frame + b"\2\2\x4c\1\0;"


def bmp(width, height):
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1000, 0, 0, 54) + info + bytes(1000)


def webp(width, height):
    """A lossless file of which only the header is right."""
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + bytes(200)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def boxes(brand, width, height):
    """HEIC or AVIF whose size box was rewritten."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "AVIF" if brand == b"avif" else "HEIF")
    data = bytearray(file.getvalue())
    for found in re.finditer(b"ispe", bytes(data)):
        data[found.end() + 4 : found.end() + 12] = struct.pack(">II", width, height)
    return bytes(data)
