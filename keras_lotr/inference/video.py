"""Landmarks in a video, frame by frame."""

import contextlib
import os
import warnings
from itertools import islice
from pathlib import Path

import cv2

from keras_lotr.images.drawing import draw
from keras_lotr.quiet import quiet_stderr
from keras_lotr.writing import replaced

_FRAMES_AT_ONCE = 16
_MAX_SIDE = 1280
_MAX_RATE = 500  # frames a second; WebM counts milliseconds
_WHOLE = 0.98  # what files say of their frames is an estimate in some kinds
# VP8 in WebM: every browser plays it, and OpenCV's packages can write it.
_ENDING, _CODEC = ".webm", "VP80"


def annotate_video(landmarker, source, output, overlays=None, max_frames=None, progress=None):
    """Draw the landmarks of all faces into a video, without its sound.

    Args:
        landmarker: `FaceLandmarker`.
        source: path of a video that OpenCV reads (MP4, WebM, AVI, MOV, ...).
        output: the .webm file to write, at most 1280 pixels wide and high; left as it was after
            an error. Of a video that breaks off it gets what was read, with a warning.
        overlays: which of `draw`'s overlays, {"boxes": True, ...}.
        max_frames: a longer video is refused; None takes a video of any length.
        progress: function that is called with the number of frames that are done and the number of
            all frames, as far as the file says it.

    Returns:
        The faces of each frame: list of lists of `FaceLandmarks`, in pixels of the output.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no video, is too long or has more than 500 frames a second, the
            output has another ending, or `output` is `source`.
        OSError: `output` cannot be written, which is told before anything is computed.

    Example:

    >>> annotate_video(None, "faces.mp4", "faces.gif")
    Traceback (most recent call last):
    ValueError: Expected a .webm file as output. Received: faces.gif
    """
    output = Path(output)
    if output.suffix.lower() != _ENDING:
        raise ValueError(f"Expected a {_ENDING} file as output. Received: {output}")
    if os.path.exists(output) and os.path.exists(source) and os.path.samefile(source, output):
        raise ValueError(f"Expected another file as output than the video itself: {output}")
    with contextlib.closing(_Reader(source)) as reader, replaced(output) as unfinished:
        unfinished.touch()  # that it cannot be written is told before an hour of work
        if max_frames is not None and reader.said > max_frames:
            raise _too_long(source, max_frames, reader.said)
        faces, writer = [], None
        try:
            while images := reader.next_frames(_FRAMES_AT_ONCE):
                if max_frames is not None and len(faces) + len(images) > max_frames:
                    raise _too_long(source, max_frames)
                found = landmarker(images)
                writer = writer or _writer(unfinished, output, reader.rate, images[0])
                for image, here in zip(images, found, strict=True):
                    drawn = draw(image, here, **(overlays or {}))
                    writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
                faces += found
                if progress is not None:
                    progress(len(faces), max(len(faces), reader.said))
        finally:
            if writer is not None:
                writer.release()
        if writer is None:
            raise ValueError(f"Expected a video. {source} has no frame that can be read.")
        if len(faces) < reader.said * _WHOLE - 1:
            warnings.warn(
                f"{source} breaks off: it says that it has {reader.said} frames, and frame "
                f"{len(faces)} cannot be read. {output} has those before it.",
                stacklevel=2,
            )
    return faces


def _writer(unfinished, output, rate, image):
    codec = cv2.VideoWriter.fourcc(*_CODEC)
    with quiet_stderr():  # OpenCV says that WebM lacks this codec's tag, and writes it
        writer = cv2.VideoWriter(str(unfinished), codec, rate, image.shape[1::-1])
    if not writer.isOpened():
        raise OSError(f"{output} cannot be written: OpenCV has no writer for it")
    return writer


class _Reader:
    """A video that OpenCV reads.

    Attributes:
        said: the number of frames, as far as the file says; 0 if it does not.
        rate: frames a second.
    """

    def __init__(self, source):
        if not Path(source).is_file():
            raise FileNotFoundError(f"There is no video {source}.")
        with quiet_stderr():
            self._capture = cv2.VideoCapture(str(source))
        if not self._capture.isOpened():
            raise ValueError(f"Expected a video (MP4, WebM, AVI, MOV). Received: {source}")
        self.said = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if rate >= 1 else 25.0
        self._size = None
        if rate > _MAX_RATE:
            self.close()
            raise ValueError(
                f"Expected a video of at most {_MAX_RATE} frames a second, which is what WebM can "
                f"keep. {source} has {rate:g}: slow it down first."
            )

    def next_frames(self, count):
        """At most that many RGB frames of one even size, none larger than the largest."""
        with quiet_stderr():  # a broken frame is told once, by what is missing in the end
            return list(islice(self._frames(), count))

    def _frames(self):
        while True:
            there, frame = self._capture.read()
            if not there:
                return
            if self._size is None:
                height, width = frame.shape[:2]
                scale = min(1, _MAX_SIDE / max(height, width))
                self._size = [max(2, int(side * scale) // 2 * 2) for side in (width, height)]
            frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            yield cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)

    def close(self):
        self._capture.release()


def _too_long(source, max_frames, said=None):
    has = f"has {said}" if said else "is longer"
    return ValueError(f"Expected a video of at most {max_frames} frames. {source} {has}.")
