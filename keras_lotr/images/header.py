"""How many pixels an image file claims to have, read from its first bytes without decoding it.

OpenCV decodes whatever a header says, up to 2^30 pixels, and its limit can only be set before the
process starts; a file of a few kilobytes must not be able to ask for gigabytes.
"""

import struct

# Start-of-frame markers of JPEG: C0 .. CF without the tables C4, C8 and CC.
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers of JPEG without a length behind them.
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}


_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
}


def claimed_size(data):
    """Width and height in the header of an image file of a kind that is read.

    Args:
        data: bytes of the file.

    Returns:
        (width, height) as stored, before any EXIF rotation, of HEIC with its border;
        None for any other kind of file and for a header that is cut or broken.

    Example:

    >>> claimed_size(b"GIF89a" + bytes([7, 0, 5, 0]))
    (7, 5)
    """
    kind = kind_of(data)
    try:
        return _SIZES[kind](data) if kind else None
    except (struct.error, IndexError):
        return None


def kind_of(data):
    """The kind of image file that the first bytes tell; None for any other kind of file.

    Example:

    >>> kind_of(b"GIF89a"), kind_of(b"%PDF-1.4")
    ('GIF', None)
    """
    for start, kind in _STARTS.items():
        if data.startswith(start):
            return kind
    if data[4:8] == b"ftyp":  # a box of ISO's base media format: the brand, then others that fit
        brands = data[8 : struct.unpack(">I", data[:4])[0]]
        heic = any(brand in brands for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis"))
        return "AVIF" if b"avi" in brands else "HEIC" if heic or b"mif1" in brands else None
    return "WebP" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _png(data):
    return struct.unpack_from(">II", data, 16)


def _gif(data):
    return struct.unpack_from("<HH", data, 6)


def _bmp(data):
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the header of OS/2
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # a negative height says that the rows begin at the top


def is_whole_jpeg(data):
    """Whether a JPEG file has its end, which half a file lacks, also if zeros fill it up.

    Args:
        data: bytes of a file with a `claimed_size`.
    """
    return data.find(b"\xff\xd9", _jpeg_frame(data)) >= 0


def _jpeg(data):
    height, width = struct.unpack_from(">HH", data, _jpeg_frame(data) + 5)
    return width, height


def _jpeg_frame(data):
    """Where the frame begins, behind any thumbnail."""
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:  # padding
            at += 1
        if data[at] != 0xFF:
            raise IndexError
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            return at
        at += 2 if marker in _JPEG_BARE else 2 + struct.unpack_from(">H", data, at + 2)[0]


def _webp(data):
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _three_bytes(data, 24), 1 + _three_bytes(data, 27)
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _three_bytes(data, at):
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16


def _tiff(data):
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]  # with offsets and counts of 64 bits
    directory = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count, first, step, value = ("Q", 8, 20, 12) if big else ("H", 2, 12, 8)
    sides, numbers = {}, {3: "H", 4: "I", 16: "Q"}  # by their kinds
    for i in range(struct.unpack_from(order + count, data, directory)[0]):
        at = directory + first + step * i
        tag, kind = struct.unpack_from(f"{order}HH", data, at)
        if tag in (256, 257):
            sides[tag] = struct.unpack_from(order + numbers.get(kind, "I"), data, at + value)[0]
    return (sides[256], sides[257]) if len(sides) == 2 else None


def _iso(data):
    """The largest of the sizes in it: of the image, its tiles and its thumbnail."""
    sizes, at = [], data.find(b"ispe")
    while at >= 0:
        sizes.append(struct.unpack_from(">II", data, at + 8))
        at = data.find(b"ispe", at + 4)
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


_SIZES = {
    **{"JPEG": _jpeg, "PNG": _png, "WebP": _webp, "BMP": _bmp, "GIF": _gif, "TIFF": _tiff},
    **{"HEIC": _iso, "AVIF": _iso},
}
