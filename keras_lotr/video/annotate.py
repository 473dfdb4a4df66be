"""A video file -> the same video with the landmarks drawn in, and the faces of each frame."""

import inspect
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from keras_lotr.images.drawing import draw, write_number
from keras_lotr.tracking.tracker import FaceTracker
from keras_lotr.unfinished import remove_abandoned
from keras_lotr.video.reading import VideoReader, check_path, count_frames
from keras_lotr.video.writing import VideoWriter, check_ending
from keras_lotr.writing import check_file_target, replaced

_FRAMES_AT_ONCE = 16


def annotate_video(
    landmarker, source, output, overlays=None, max_frames=None, progress=None, on_faces=None
):
    """Draw the landmarks of all faces into a video; its sound and its times stay.

    Args:
        landmarker: `FaceTracker`, which numbers and smooths the faces, and is reset before; or
            `FaceLandmarker`, which treats each frame alone.
        source: path of a video that FFmpeg reads (MP4, WebM, AVI, MOV, ...), see `VideoReader`.
        output: the file to write, .mp4, .m4v, .mov, .mkv (H.264) or .webm (VP9); left as it was
            after an error. Of a video that breaks off, or is damaged, it gets what was read, with
            a warning. None: no file, only the faces.
        overlays: which of `draw`'s overlays, {"boxes": True, ...}; or a function that paints
            instead, (H, W, 3) uint8 RGB and list of `FaceLandmarks` -> an image of that size.
        max_frames: a longer video is refused; None takes a video of any length.
        progress: function that is called with the number of frames that are done and the number of
            all frames, a guess where the file does not say it.
        on_faces: function that takes each `Frame` and its faces in place of the list that is
            returned, so that memory does not grow with the length of the video.

    Returns:
        The faces of each frame: list of lists of `FaceLandmarks`, in pixels of the output. None if
        `on_faces` took them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no video, or an address, or is too long, the output has another
            ending, or `output` is `source`; or `draw` has no such overlay, or the function that
            paints gives another image.
        TypeError: `source` is no path, such as the number of a camera; or nothing finds faces.
        ImportError: PyAV is not installed.
        OSError: `output` cannot be written, which is told before anything is computed.

    Example:

    >>> annotate_video(None, "faces.mp4", "faces.gif")
    Traceback (most recent call last):
    ValueError: Expected a .mp4, .m4v, .mov, .mkv, .webm file as output. Received: faces.gif
    """
    found, count = [], 0
    keep = on_faces or (lambda frame, faces: found.append(faces))

    def take(frame, faces, total):
        nonlocal count
        count += 1
        keep(frame, faces)
        if progress is not None:
            progress(count, total)

    done = annotate(landmarker, source, output, take, overlays, max_frames)
    for sentence in done.sentences:
        warnings.warn(sentence, stacklevel=2)
    return None if on_faces else found


@dataclass
class Done:
    """What became of a video.

    Attributes:
        frames: how many were written.
        broken: a sentence if the video breaks off before its end, else None.
        damaged: a sentence if frames of it are damaged, else None.
        notes: sentences about what was mended in it.
        stopped: whether it was stopped before its end.
    """

    frames: int = 0
    broken: str | None = None
    damaged: str | None = None
    notes: list = field(default_factory=list)
    stopped: bool = False

    @property
    def sentences(self):
        """All that is to be told."""
        return [*self.notes, *filter(None, (self.damaged, self.broken))]


def annotate(finder, source, output, on_faces, overlays=None, max_frames=None, stop=None):
    """Draw faces into a video, frame by frame, however long it is; see `annotate_video`.

    Args:
        finder: `FaceTracker` or `FaceLandmarker`.
        source, output, overlays, max_frames: as of `annotate_video`.
        on_faces: function that gets each `Frame`, its faces, and the number of all frames.
        stop: function that says, after each frame, whether to end here; the file is then playable.

    Returns:
        `Done`.
    """
    done = Done()
    if output is not None:
        check_ending(Path(output))
        check_file_target(output)
    check_path(source)
    _check(finder, overlays)
    _check_other_file(source, output)
    paint = _painted_by(overlays) if callable(overlays) else _drawn_with(overlays or {})
    with VideoReader(source) as reader:
        if max_frames is not None and reader.expected > max_frames:
            count = count_frames(source)  # what is expected may be a guess
            if count > max_frames:
                raise _too_long(source, max_frames, count)
        with _writer_of(output, reader) as writer:
            on_sound = None if writer is None else writer.write_sound
            for frame, faces in _with_faces(finder, reader.frames(on_sound)):
                done.frames += 1
                if max_frames is not None and done.frames > max_frames:
                    raise _too_long(source, max_frames)
                on_faces(frame, faces, max(done.frames, reader.expected))
                if writer is not None:
                    writer.write(paint(frame.image, faces), frame.pts)
                if stop is not None and stop():
                    done.stopped = True
                    break
        done.broken, done.damaged, done.notes = reader.broken, reader.damaged, [*reader.notes]
        if writer is not None:
            done.notes += writer.notes
        if done.broken and output is not None:
            done.broken += f" {output} has the frames before that."
    return done


def _check_other_file(source, output):
    """Refuse to write a video over itself."""
    there = output is not None and os.path.exists(output) and os.path.exists(source)
    if there and os.path.samefile(source, output):
        raise ValueError(f"Expected another file as output than the video itself: {output}")


@contextmanager
def _writer_of(output, reader):
    """Gives the `VideoWriter` of a file that appears as a whole; None if there is no output."""
    if output is None:
        yield None
        return
    remove_abandoned(Path(output).parent)
    with replaced(Path(output)) as unfinished, VideoWriter(unfinished, reader) as writer:
        yield writer


def _drawn_with(overlays):
    def paint(image, faces):
        drawn = draw(image, faces, **overlays)
        write_numbers(drawn, faces)
        return drawn

    return paint


def _painted_by(function):
    def paint(image, faces):
        painted = function(image.copy(), faces)  # a tracker looks at the image again
        shape, dtype = getattr(painted, "shape", None), getattr(painted, "dtype", None)
        if shape != image.shape or dtype != image.dtype:
            received = type(painted).__name__ if shape is None else f"{shape} {dtype}"
            raise ValueError(
                f"Expected a function that gives an image {image.shape} uint8. Received: {received}"
            )
        return painted

    return paint


def _check(finder, overlays):
    """Refuse what finds no faces, and overlays that `draw` does not have."""
    if not callable(finder):
        raise TypeError(
            "Expected a FaceTracker or a FaceLandmarker, such as "
            f"FaceTracker(FaceLandmarker('lotr_s_68')). Received: {finder!r}"
        )
    known = list(inspect.signature(draw).parameters)[2:]  # without image and faces
    are_known = isinstance(overlays, dict) and overlays.keys() <= set(known)
    if overlays and not callable(overlays) and not are_known:
        raise ValueError(
            "Expected overlays of `draw` as {name: value}, such as {'boxes': True}, with names of "
            f"{', '.join(known)}. Received: {overlays!r}"
        )


def _with_faces(finder, frames):
    """Pairs of a frame and its faces; without a tracker, several frames are computed at once."""
    if isinstance(finder, FaceTracker):
        finder.reset()
        return ((frame, finder(frame.image, frame.time)) for frame in frames)
    groups = iter(lambda: list(islice(frames, _FRAMES_AT_ONCE)), [])
    return chain.from_iterable(
        zip(group, finder([frame.image for frame in group]), strict=True) for group in groups
    )


def write_numbers(image, faces):
    """Write the number of each tracked face at its box, in place.

    Args:
        image: (H, W, 3) uint8 RGB.
        faces: list of `FaceLandmarks`.
    """
    scale = max(0.5, max(image.shape[:2]) / 1500)
    for face in faces:
        if face.track_id is not None:
            write_number(image, face, face.track_id, scale, 6)


def _too_long(source, max_frames, count=None):
    has = f"has {count}" if count else "is longer"
    return ValueError(f"Expected a video of at most {max_frames} frames. {source} {has}.")
