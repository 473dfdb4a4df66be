"""A video file -> its frames, upright, each with its timestamp, one at a time."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.number_checks import whole
from keras_lotr.video.completeness import Completeness, is_without_index
from keras_lotr.video.display_matrix import is_lying, matrix_of, upright
from keras_lotr.video.library import open_video, pyav
from keras_lotr.video.pixels import pixels_of, to_rgb
from keras_lotr.video.video_stream import video_stream

MAX_SIDE = 3840  # pixels of the longer side; larger frames are made smaller
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # "C:/" is none; a `Path` has one "/"


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame.

    Attributes:
        image: (H, W, 3) uint8 RGB, H and W even, the same for all frames of a video.
        time: its timestamp in seconds.
        pts: the same in units of the video's `time_base`.
    """

    image: np.ndarray
    time: float
    pts: int


def check_path(source):
    """Refuse what is no path of a video.

    Raises:
        TypeError: such as the number of a camera.
    """
    if not isinstance(source, str | os.PathLike):
        is_camera = whole(source) is not None
        hint = f"; `keras-lotr webcam --camera {source}` shows a camera" if is_camera else ""
        raise TypeError(f"Expected the path of a video file. Received: {source!r}{hint}")


class VideoReader:
    """A video file. Only one frame is in memory at a time.

    Frames are turned and mirrored as the file says. One pixel is added to an odd side. Frames of
    more than 3840 pixels are made smaller. If the size changes within the video, frames are fitted
    into the first one's, with black beside. A timestamp that goes back, or is missing, becomes that
    of the frame before and the usual time of a frame.

    Args:
        source: path of a video that FFmpeg reads: MP4, WebM, MOV, MKV, AVI, ...

    Attributes:
        expected: about how many frames there will be, a guess in files that state no number, such
            as MKV and WebM; 0 if nothing is known.
        rate: frames a second, on average; a Fraction.
        time_base: seconds of a unit of `pts`; a Fraction.
        sound: the stream of sound, of PyAV; None if there is none.
        pixels: `Pixels`, once the first frame was read.
        read: number of frames that were read so far.
        broken: a sentence if the file breaks off, else None.
        damaged: a sentence if frames are damaged, else None.
        notes: sentences about what was mended.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no video, or an address (http://, rtsp:// and so on).
        ImportError: PyAV is not installed.
        TypeError: it is no path.

    Example:

    >>> VideoReader("none.mp4")
    Traceback (most recent call last):
    FileNotFoundError: There is no video none.mp4.
    """

    def __init__(self, source):
        check_path(source)
        if not Path(source).is_file():
            if _ADDRESS.match(str(source)):
                raise ValueError(
                    "Expected the path of a video file; addresses are not read: download the video "
                    f"first. Received: {source}"
                )
            raise FileNotFoundError(f"There is no video {source}.")
        self._av, self.source = pyav(), source
        try:
            self._container = open_video(source, metadata_errors="ignore")
            stream = self._stream = video_stream(self._container)
        except self._av.FFmpegError:
            stream = None
        if stream is None:
            cut_off = ""
            if is_without_index(source):
                cut_off = ", an MP4 file without its index, which is at the end: it may be cut off"
            raise ValueError(f"Expected a video (MP4, WebM, AVI, MOV). Received: {source}{cut_off}")
        stream.thread_type = "AUTO"
        self.rate = stream.average_rate or stream.guessed_rate or 25
        self.time_base = stream.time_base
        self.sound = next(iter(self._container.streams.audio), None)
        length = (self._container.duration or 0) / self._av.time_base
        self._completeness = Completeness(self._container, stream, length, self.rate)
        self.expected = self._completeness.expected
        self.broken = self.damaged = None
        self.notes, self.read = [], 0
        self.pixels = self._size = self._first_shape = self._last = None
        self._mended = self._resized = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._container.close()

    @property
    def sentences(self):
        """All that is to be told of it, once it was read."""
        return [*self.notes, *filter(None, (self.damaged, self.broken))]

    def frames(self, on_sound=None):
        """The frames, in the order in which they are seen.

        Args:
            on_sound: function that gets each packet of the sound, between the frames.

        Yields:
            `Frame`.

        Raises:
            ValueError: at the end, if there was none.
        """
        for packet in self._packets():
            self._completeness.see_packet(packet)
            if packet.stream is not self._stream:
                if packet.stream is self.sound and on_sound is not None:
                    on_sound(packet)
                continue
            try:
                decoded = packet.decode()
            except self._av.FFmpegError as error:
                if self.read:  # before the first frame something may be missing that comes later
                    self._break_off(error)
                    break
                continue
            for frame in decoded:
                self.read += 1
                self._completeness.see_frame(frame)
                yield self._frame(frame)
        if not self.read:
            raise ValueError(f"Expected a video. {self.source} has no frame that can be read.")
        if not self.broken:
            self._break_off()
        self._tell()

    def _packets(self):
        try:
            yield from self._container.demux()  # of all streams: the longest one tells the end
        except self._av.FFmpegError as error:
            self._break_off(error)

    def _break_off(self, error=None):
        missing = self._completeness.missing(self.read, error)
        if missing:
            self.broken = f"{self.source} breaks off: {missing}."

    def _tell(self):
        damaged = self._completeness.damaged(self.broken)
        if damaged:
            self.damaged = (
                f"{self.source} is damaged: {damaged} of its frames could be read only in part, or "
                "not at all."
            )
        if self._mended:
            self.notes.append(
                f"{self._mended} frames of {self.source} have timestamps that go back or are "
                "missing: each got the time after that of the frame before."
            )
        if self._resized:
            self.notes.append(
                f"The size of the frames changes within {self.source}: {self._resized} frames were "
                "fitted into the size of the first one."
            )

    def _frame(self, frame):
        matrix, pts = matrix_of(frame), self._time_of(frame)
        if self.pixels is None:
            self.pixels = pixels_of(frame, self._stream, is_lying(matrix))
        image = self._fitted(upright(to_rgb(frame), matrix))
        return Frame(image, float(pts * self.time_base), pts)

    def _time_of(self, frame):
        pts, step = frame.pts, max(1, round(1 / (self.rate * self.time_base)))
        if self._last is None:
            pts = 0 if pts is None else pts
        elif pts is None or pts <= self._last:
            self._mended += 1
            pts = self._last + step
        self._last = pts
        return pts

    def _fitted(self, image):
        shape = image.shape[:2]
        if self._size is None:
            scale = min(1, MAX_SIDE / max(shape))
            self._first_shape = shape
            self._size = tuple(max(1, round(side * scale)) for side in shape)
            if scale < 1:
                height, width = self._size
                self.notes.append(
                    f"{self.source} has {shape[1]} x {shape[0]} pixels. It was made smaller, "
                    f"{width} x {height}, and points are in these pixels."
                )
        self._resized += shape != self._first_shape
        return _framed(image, self._size)


def _framed(image, size):
    """An image made to fit into a size (height, width), and then into the next even one."""
    scale = min(side / own for side, own in zip(size, image.shape[:2], strict=True))
    if scale != 1:
        own = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        image = cv2.resize(image, own, interpolation=cv2.INTER_AREA)
    down, right = (side - own for side, own in zip(size, image.shape[:2], strict=True))
    if down or right:
        image = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT)
    down, right = (side % 2 for side in size)
    if down or right:
        image = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return image


def count_frames(source):
    """Count the frames of a video, without decoding them.

    Args:
        source: path of a video that `VideoReader` can open.
    """
    count, av = 0, pyav()
    with open_video(source, metadata_errors="ignore") as container, suppress(av.FFmpegError):
        for packet in container.demux(video_stream(container)):
            count += packet.size > 0 and not packet.is_discard
    return count
