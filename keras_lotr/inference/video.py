"""Landmarks in a video, frame by frame."""

import os
from itertools import islice
from pathlib import Path

import cv2

from keras_lotr.images.drawing import draw
from keras_lotr.quiet import quiet_stderr

_FRAMES_AT_ONCE = 16
_MAX_SIDE = 1280
# VP8 in WebM: every browser plays it, and OpenCV's packages can write it.
_ENDING, _CODEC = ".webm", "VP80"


def annotate_video(landmarker, source, output, overlays=None, max_frames=None, progress=None):
    """Draw the landmarks of all faces into a video, without its sound.

    Args:
        landmarker: `FaceLandmarker`.
        source: path of a video that OpenCV reads (MP4, WebM, AVI, MOV, ...).
        output: the .webm file to write, at most 1280 pixels wide and high; left as it was if the
            video cannot be read to its end.
        overlays: which of `draw`'s overlays, {"boxes": True, ...}.
        max_frames: a longer video is refused; None takes a video of any length.
        progress: function that is called with the number of frames that are done and the number of
            all frames, as far as the file says it.

    Returns:
        The faces of each frame: list of lists of `FaceLandmarks`, in pixels of the output.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no video or too long, or the output has another ending.

    Example:

    >>> annotate_video(None, "faces.mp4", "faces.gif")
    Traceback (most recent call last):
    ValueError: Expected a .webm file as output. Received: faces.gif
    """
    output = Path(output)
    if output.suffix.lower() != _ENDING:
        raise ValueError(f"Expected a {_ENDING} file as output. Received: {output}")
    reader = _open(source)
    said = max(0, int(reader.get(cv2.CAP_PROP_FRAME_COUNT)))
    if max_frames is not None and said > max_frames:
        raise _too_long(source, max_frames, said)
    rate = reader.get(cv2.CAP_PROP_FPS)
    rate = rate if 1 <= rate <= 240 else 25.0
    unfinished = output.with_name(f".{os.getpid()}_{output.name}")
    writer, faces, frames = None, [], _frames(reader)
    try:
        while pictures := list(islice(frames, _FRAMES_AT_ONCE)):
            if max_frames is not None and len(faces) + len(pictures) > max_frames:
                raise _too_long(source, max_frames)
            found = landmarker(pictures)
            if writer is None:
                size = pictures[0].shape[1::-1]
                output.parent.mkdir(parents=True, exist_ok=True)
                codec = cv2.VideoWriter.fourcc(*_CODEC)
                with quiet_stderr():  # OpenCV says that WebM lacks this codec's tag, and writes it
                    writer = cv2.VideoWriter(str(unfinished), codec, rate, size)
            for picture, here in zip(pictures, found, strict=True):
                drawn = draw(picture, here, **(overlays or {}))
                writer.write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
            faces += found
            if progress is not None:
                progress(len(faces), max(len(faces), said))
        if writer is None:
            raise ValueError(f"Expected a video. {source} has no frame that can be read.")
        writer.release()
        os.replace(unfinished, output)
    finally:
        reader.release()
        unfinished.unlink(missing_ok=True)
    return faces


def _open(source):
    if not Path(source).is_file():
        raise FileNotFoundError(f"There is no video {source}.")
    reader = cv2.VideoCapture(str(source))
    if not reader.isOpened():
        raise ValueError(f"Expected a video (MP4, WebM, AVI, MOV). Received: {source}")
    return reader


def _frames(reader):
    """RGB frames of one even size, none larger than the largest."""
    size = None
    while True:
        there, frame = reader.read()
        if not there:
            return
        if size is None:
            height, width = frame.shape[:2]
            scale = min(1, _MAX_SIDE / max(height, width))
            size = [max(2, int(side * scale) // 2 * 2) for side in (width, height)]
        frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        yield cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _too_long(source, max_frames, said=None):
    has = f"has {said}" if said else "is longer"
    return ValueError(f"Expected a video of at most {max_frames} frames. {source} {has}.")
