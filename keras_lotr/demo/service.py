"""What the demo does with an image, a camera frame or a video. Knows nothing of Gradio."""

import time
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

from keras_lotr.demo.choices import choices
from keras_lotr.demo.close_ups import close_ups, number_faces
from keras_lotr.images.decoding import decode
from keras_lotr.images.drawing import draw
from keras_lotr.inference import formats
from keras_lotr.inference.attention import attention_map, draw_attention
from keras_lotr.inference.certainty import LEVEL
from keras_lotr.inference.detectors import load_detector
from keras_lotr.inference.landmarker import FaceLandmarker
from keras_lotr.inference.pose import ANGLES
from keras_lotr.presets.files import PREPROCESSOR, resolve
from keras_lotr.sentences import counted
from keras_lotr.tracking.tracker import FaceTracker
from keras_lotr.video.annotate import annotate
from keras_lotr.video.live import warm_up

MAX_BYTES = 20_000_000  # of an uploaded file
MAX_PIXELS = 50_000_000
MAX_FRAMES = 900  # of a video: half a minute
_MAX_SHOWN = 1600  # longer side in pixels of the image that goes back to the browser
VIEW = 600  # pixels of that side in the page
DRAWN = ("points", "contours", "numbers", "boxes", "ellipses", "pose")
ATTENTION = "attention"


@dataclass(frozen=True)
class Settings:
    """What a visitor can choose.

    Attributes:
        preset: name of a landmark preset.
        overlays: some of `DRAWN`, and `ATTENTION`.
        landmark: number of the landmark whose attention is drawn.
        threshold: detector's score; None: its own.
        flip: average with the landmarks of the mirrored face.
    """

    preset: str
    overlays: tuple = ("points", "contours")
    landmark: int = 0
    threshold: float | None = None
    flip: bool = False

    def __post_init__(self):
        """Raise a ValueError for what no control of the page can be set to."""
        if not (isinstance(self.preset, str) and self.preset):
            raise ValueError(f"Expected the name of a preset. Received: {_short(self.preset)}")
        if not set(self.overlays) <= {*DRAWN, ATTENTION}:
            raise ValueError(
                f"Expected overlays of {', '.join((*DRAWN, ATTENTION))}. "
                f"Received: {_short(self.overlays)}"
            )
        if not _is_number(self.landmark, 0, 10_000):
            raise ValueError(
                f"Expected the number of a landmark. Received: {_short(self.landmark)}"
            )
        if self.threshold is not None and not _is_number(self.threshold, 0, 1):
            raise ValueError(f"Expected a threshold in 0..1. Received: {_short(self.threshold)}")

    @property
    def drawn(self):
        """Arguments of `draw`."""
        wanted = {name: name in self.overlays for name in DRAWN}
        return wanted | {"ellipses": LEVEL if wanted["ellipses"] else None}


@dataclass(frozen=True)
class Answer:
    """What was found in an image.

    Attributes:
        picture: (H, W, 3) uint8 RGB, annotated, small enough for a browser.
        message: one sentence.
        photo: {"source", "width", "height", "faces"}, in pixels of the image as it was given.
        close_ups: pairs (S, S, 3) uint8 RGB and the number of the face, see `close_ups`.
    """

    picture: np.ndarray
    message: str
    photo: dict
    close_ups: tuple = ()

    @property
    def rows(self):
        """[number, score, x, y, width, height, quality, yaw, pitch, roll] of each face.

        The last four are None where they are not known; the angles are in degrees.
        """
        rows = []
        for number, face in enumerate(self.photo["faces"], start=1):
            x0, y0, x1, y1 = face["box"]
            place = map(round, (x0, y0, x1 - x0, y1 - y0))
            pose = face.get("pose", {})
            angles = [round(pose[name]) if pose else None for name in ANGLES]
            rows.append([number, round(face["score"], 2), *place, face.get("quality"), *angles])
        return rows

    @property
    def csv(self):
        """The faces as `keras-lotr predict` writes them into a CSV."""
        return formats.to_csv([self.photo])


class Service:
    """The models of the demo, loaded when they are first asked for, and kept.

    Args:
        engine: "keras" or "onnxruntime".

    Example:

    >>> service = Service()
    >>> black = cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    >>> service.annotate(black, Settings("lotr_m_68")).message
    'No face was found. Try a lower threshold, or an image with larger faces.'
    """

    def __init__(self, engine="keras"):
        self.engine = engine
        self.detector = lru_cache(maxsize=32)(self._detector)
        self.loaded = lru_cache(maxsize=4)(self._loaded)
        self.made = lru_cache(maxsize=4)(self._made)  # they hold their models

    def presets(self, own=None):
        """{name: what it says about itself} of the presets that can be chosen; see `choices`."""
        return choices(self.engine, own)

    def _loaded(self, preset):
        return FaceLandmarker.from_preset(preset, engine=self.engine)

    def _detector(self, threshold):
        return load_detector(threshold=threshold or self.threshold)

    @cached_property
    def threshold(self):
        """The detector's own."""
        return resolve("face_detector").json(PREPROCESSOR)["score_threshold"]

    def landmarker(self, settings):
        """The `FaceLandmarker` of these settings; the model is shared between them."""
        threshold = round(float(settings.threshold or self.threshold), 2)
        own = threshold == round(self.threshold, 2)
        return self.made(settings.preset, None if own else threshold, settings.flip)

    def _made(self, preset, threshold, flip):
        # Without a threshold the landmarks decide what is a face, if the preset can.
        detector = "builtin" if threshold is None else self.detector(threshold)
        return FaceLandmarker(self.loaded(preset).model, detector, flip=flip)

    def warm_up(self, settings):
        """Load what the settings need and let it run once, so that no visitor waits for it."""
        warm_up(self.landmarker(settings))

    def annotate(self, picture, settings, name="picture"):
        """Find the landmarks in an image.

        Args:
            picture: bytes of an image file.
            settings: `Settings`.
            name: what the image is called in the answer.

        Returns:
            `Answer`.

        Raises:
            ValueError: not an image, or too large, in a sentence for the visitor.
        """
        image = checked_image(picture)
        landmarker = self.landmarker(settings)
        start = time.perf_counter()
        (photo,) = landmarker.stream([image])
        if photo.error is not None:
            raise photo.error
        milliseconds = 1000 * (time.perf_counter() - start)
        shown = self.with_attention(image, photo.faces, settings)
        near = close_ups(shown, photo.faces, settings.drawn)
        shown = draw(shown, photo.faces, **settings.drawn, shown=VIEW)
        if any(settings.drawn.values()):
            number_faces(shown, photo.faces)
        message = sentence(len(photo.faces), milliseconds)
        return Answer(fit(shown), message, replace(photo, source=name).to_dict(), near)

    def with_attention(self, image, faces, settings):
        """The image, with the attention of a landmark in it if the settings ask for that."""
        if ATTENTION not in settings.overlays or not faces:
            return image
        landmarker, landmark = self.landmarker(settings), int(settings.landmark)
        maps = [attention_map(landmarker, image, face, landmark) for face in faces]
        return draw_attention(image, np.max(maps, axis=0))

    def annotate_video(self, path, settings, output, progress):
        """Draw the landmarks into a video file.

        Returns:
            Sentences about it for the visitor: what was found, and what is wrong with the file.

        Raises:
            ValueError: not a video, too large or too long, in a sentence for the visitor.
        """
        _check_bytes(Path(path).stat().st_size, "video")
        start, with_face = time.perf_counter(), []

        def count(frame, faces, total):
            with_face.append(bool(faces))
            if progress is not None:
                progress(len(with_face), total)

        try:
            tracker = FaceTracker(self.landmarker(settings))
            done = annotate(tracker, path, output, count, settings.drawn, MAX_FRAMES)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), "This one")) from None
        seconds = time.perf_counter() - start
        found = (
            f"{counted(done.frames, 'frame')}, {sum(with_face)} of them with a face, in "
            f"{seconds:.1f} s ({done.frames / seconds:.0f} frames/s)."
        )
        names = {str(output): "the result", str(path): "the video"}
        return " ".join([found, *(_without_paths(said, names) for said in done.sentences)])


def checked_image(picture):
    """(H, W, 3) uint8 RGB of an image file's bytes; size and kind are checked before decoding."""
    _check_bytes(len(picture), "picture")
    return decode(picture, "This file", MAX_PIXELS)


def _is_number(value, low, high):
    return isinstance(value, int | float) and low <= value <= high


def _short(value):
    return repr(value)[:100]


def _check_bytes(count, kind):
    if count > MAX_BYTES:
        raise ValueError(
            f"Expected a {kind} file of at most {MAX_BYTES // 10**6} MB. This one has "
            f"{count / 1e6:.0f} MB."
        )


def _without_paths(said, names):
    """A sentence with names in place of paths, which are the server's."""
    for path, name in names.items():
        said = said.replace(path, name)
    return ". ".join(part[:1].upper() + part[1:] for part in said.split(". "))


def sentence(num_faces, milliseconds):
    """What was found, for the visitor."""
    if not num_faces:
        return "No face was found. Try a lower threshold, or an image with larger faces."
    return f"{counted(num_faces, 'face')} in {milliseconds:.0f} ms."


def fit(image):
    """The image, made smaller if it is too large for a browser."""
    scale = _MAX_SHOWN / max(image.shape[:2])
    if scale >= 1:
        return image
    size = [max(1, round(scale * side)) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
