"""Image files about whose size no two readers can differ.

OpenCV decodes JPEG in half of Pillow's time, but reads the header again and allocates what it finds
there. So it is given only files in which there is nothing to be read in two ways.
"""

import re
import struct

# Start-of-frame markers of JPEG: C0 .. CF without the tables C4, C8 and CC.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = {0xC0, 0xC1}
_SCAN, _END = 0xDA, b"\xff\xd9"
_ALONE = 0x01  # a marker without a length behind it
# What may stand before the frame: tables, restart interval, application data, comments.
_BEFORE_FRAME = {0xC4, 0xCC, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE}
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # in a scan, FF 00 is a pixel's
# Tags of TIFF, and types of their numbers.
_WIDTH, _HEIGHT, _SHORT, _LONG = 256, 257, 3, 4
# Pixels times scans that a JPEG may ask for: some seconds. Usual files have one to a dozen scans.
_MOST_WORK = 4_000_000_000


def is_plain(data, kind):
    """Whether OpenCV finds in a file what Pillow finds there.

    Args:
        data: bytes of the file.
        kind: its `kind_of`.

    Example:

    >>> is_plain(b"RIFF\\xff\\0\\0\\0WEBPVP8 ", "WebP"), is_plain(b"GIF89a", "GIF")
    (True, False)
    """
    if kind == "JPEG":
        return _frame(data) is not None
    if kind == "PNG":
        names = _png_chunks(data)
        return names is not None and names[0] == b"IHDR" and b"acTL" not in names  # not animated
    return kind == "WebP" and data[12:16] in (b"VP8 ", b"VP8L")  # the same library, one frame


def _frame(data):
    """Where the frame of a JPEG begins, if there are only whole segments before it; else None."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return at
        if marker not in _BEFORE_FRAME:
            return None
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _png_chunks(data):
    """The names of the chunks of a PNG file up to its end; None where one leads out of it."""
    at, names = 8, []
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        names.append(name)
        at += 12 + length
        if name == b"IEND":
            return names if at <= len(data) else None
    return None


def plain_tiff_size(data):
    """(width, height) of a TIFF file that says each side once, as a plain number; else None."""
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]  # BigTIFF, with offsets and counts of 64 bits
    number, count, step = ("Q", "Q", 20) if big else ("I", "H", 12)
    sides = {_WIDTH: [], _HEIGHT: []}
    try:
        (directory,) = struct.unpack_from(order + number, data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + count, data, directory)
        first = directory + struct.calcsize("=" + count)
        for at in range(first, first + step * entries, step):
            tag, kind, values = struct.unpack_from(f"{order}HH{number}", data, at)
            if tag in sides:
                form = {(_SHORT, 1): "H", (_LONG, 1): "I"}[kind, values]
                place = at + 4 + struct.calcsize("=" + number)
                sides[tag] += struct.unpack_from(order + form, data, place)
        (width,), (height,) = sides.values()
    except (struct.error, KeyError, ValueError, OverflowError):
        return None
    return width, height


# === What the header does not say ===
def problem_of(data, kind, pixels):
    """Why a file is not decoded although its header is right: it has no end, or no end of work.

    Args:
        data: bytes of the file.
        kind: its `kind_of`.
        pixels: how many it has.

    Returns:
        str, the end of a sentence that begins with its name; None for all other files.
    """
    if kind == "PNG" and _png_chunks(data) is None:
        return "is cut off or damaged: it has no end."
    if kind != "JPEG":
        return None
    # A scan cannot hide from this count, but what looks like one may stand in other data.
    scans = 1 if _has_one_scan(data) else data.count(b"\xff\xda")
    if scans * pixels > _MOST_WORK:
        scans = _count_scans(data)
    if scans * pixels > _MOST_WORK:
        return (
            f"has {scans:,} scans of {pixels:,} pixels, which would take minutes to decode: save "
            "it again."
        )
    if data.rfind(_END, _frame(data) or 2) < 0:  # behind any thumbnail; mostly the last bytes
        return "is cut off or damaged: it has no end."
    return None


def _has_one_scan(data):
    """Whether the first scan of a JPEG is known to be its last: sequential, with all components."""
    at = frame = _frame(data)
    if frame is None or data[frame + 1] not in _SEQUENTIAL:
        return False
    while at + 4 < len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    components = data[frame + 9 : frame + 10]
    return data[at : at + 2] == bytes([0xFF, _SCAN]) and data[at + 4 : at + 5] == components


def _count_scans(data):
    """The scans of the image itself, without those of thumbnails or of what follows its end."""
    count, found = 0, _MARKER.search(data, 2)
    while found and found.start() + 4 <= len(data):
        marker, at = found[1][0], found.end()
        if marker == _END[1]:
            break
        count += marker == _SCAN
        length = struct.unpack_from(">H", data, at)[0] if at + 2 <= len(data) else 0
        found = _MARKER.search(data, at + (0 if marker == _ALONE else length))
    return count
