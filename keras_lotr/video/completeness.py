"""Whether all that a video's file promises could be read, and whether it is damaged."""

from pathlib import Path

_WHOLE = 0.98  # numbers of frames and lengths are rounded in some files
# Kinds of files that state their length. FFmpeg estimates that of others from what is there, also
# where they were cut off.
_STATE_THEIR_LENGTH = {"matroska,webm", "flv", "mov,mp4,m4a,3gp,3g2,mj2"}
_SEGMENT = b"\x18\x53\x80\x67"  # what holds all of a Matroska file but its first bytes


class Completeness:
    """What a file says of its length, against the packets and frames that come.

    Only a number of frames, or a length, that the file itself states can tell that it breaks off.
    A length times the average rate is no number of frames: the rate may vary.

    Args:
        container, stream: of PyAV.
        length: seconds that FFmpeg expects; 0 if it does not know.
        rate: frames a second, on average; a Fraction.

    Attributes:
        expected: about how many frames there will be; 0 if nothing is known.
    """

    def __init__(self, container, stream, length, rate):
        kind, self._stream, self._gap = container.format.name, stream, float(1 / rate)
        self._length = length if kind in _STATE_THEIR_LENGTH else 0
        self._frames = stream.frames
        if 0 < self._length * rate < self._frames * _WHOLE - 1:  # MP4 that shows only a part of it
            self._frames = 0
        self.expected = self._frames or round(length * rate)
        self._pauses = kind == "avi"  # where a frame that stays is counted as several
        if self._pauses:
            self._length = float(self._frames * stream.time_base)
        self._name, self._matroska = container.name, kind == "matroska,webm"
        self._end, self._damaged, self._last = 0, set(), None

    def see_packet(self, packet):
        """Take notice of a packet, of any stream."""
        start = packet.dts if packet.pts is None else packet.pts
        if start is None:
            return
        self._end = max(self._end, float((start + (packet.duration or 0)) * packet.time_base))
        if packet.stream is self._stream:
            self._last = start
            if packet.is_corrupt:
                self._damaged.add(start)

    def see_frame(self, frame):
        """Take notice of a decoded frame."""
        if frame.is_corrupt:
            self._damaged.add(frame.pts)

    def missing(self, read, error=None):
        """What is missing at the end, as a part of a sentence; None if nothing is.

        Args:
            read: number of frames that were read.
            error: why no more can be read, of PyAV; None at the end of the file.
        """
        if error is None and self._is_whole(read):
            return None
        reason = "" if error is None else f" ({error.strerror})"
        if self._length and not self._frames:
            says = f"it says that it lasts {self._length:.1f} s"
            return f"{says}, and nothing can be read after {self._end:.1f} s{reason}"
        says = f"it says that it has {self._frames} frames, and " if self._frames else ""
        return f"{says}frame {read} cannot be read{reason}"

    def _is_whole(self, read):
        by_time = self._end >= self._length * _WHOLE - self._gap
        if self._frames:
            return read >= self._frames * _WHOLE - 1 or (self._pauses and by_time)
        if by_time or not self._matroska or self._damaged:
            return by_time
        # The last frame may stay for longer than is known: the bytes tell whether it is the last.
        return not is_shorter_than_stated(self._name)

    def damaged(self, broken):
        """How many frames are damaged.

        Args:
            broken: whether the file breaks off, which makes no damage of its last packet.
        """
        return len(self._damaged - {self._last} if broken else self._damaged)


def is_shorter_than_stated(path):
    """Whether a file is a Matroska file, WebM included, that states more bytes than it has.

    Args:
        path: of a file.

    Example:

    >>> is_shorter_than_stated(__file__)
    False
    """
    with open(path, "rb") as file:
        head = file.read(1000)
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if at < len(_SEGMENT) or not head[at : at + 1]:
        return False
    width = 9 - head[at].bit_length()  # of the number; its bits are those after the first one
    most = (1 << 7 * width) - 1
    stated = int.from_bytes(head[at : at + width], "big") & most
    return stated != most and at + width + stated > Path(path).stat().st_size  # most: not stated


def is_without_index(path):
    """Whether a file is an MP4 file, MOV included, that lacks its index: what makes it readable.

    Args:
        path: of a file.

    Example:

    >>> is_without_index(__file__)
    False
    """
    with open(path, "rb") as file:
        at, kinds, head = 0, [], file.read(8)
        while len(head) == 8 and (not kinds or kinds[0] == b"ftyp"):
            kinds.append(head[4:])
            size = int.from_bytes(head[:4])
            if size == 1:  # the size is too large for its place, and follows
                size = int.from_bytes(file.read(8))
            at += max(size, 8)
            file.seek(at)
            head = file.read(8) if size else b""
    return kinds[:1] == [b"ftyp"] and not {b"moov", b"meta"} & {*kinds}  # photos have the latter
