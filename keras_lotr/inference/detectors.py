"""Which detector finds the faces: the library's own, YuNet, another file, or one of the user's.

A detector is any callable: photo (H, W, 3) uint8 RGB -> list of `Face`, boxes (F, 4), or None where
there is no face. Its boxes are to be what landmark models are trained on, **the box around the
landmarks** (for 68 or 98 points: from the brows to the chin, from ear to ear). Most detectors'
boxes contain the forehead too; crops from them are too large and sit too high.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, replace

from keras_lotr.inference.boxes import check_box, is_speck
from keras_lotr.inference.face_detector import Face, FaceDetector, check_settings, kept_rotations
from keras_lotr.inference.yunet import download_yunet

BUILTIN = "builtin", "embedded"  # names of the library's own detector; the second is its former one
_OWN = "a detector that returns a list of Face or boxes (F, 4)"


def load_detector(detector="builtin", **settings):
    """The detector of that description.

    Args:
        detector: "builtin" (shipped with the library; formerly "embedded"), "yunet" (from the
            Hugging Face Hub, kept in its cache, checked by its sha256), the path of an .onnx file
            of YuNet's format, or a callable, see the module.
        **settings: of `FaceDetector`: threshold, max_side, min_face_size, rotations; None leaves a
            setting as it is. A callable has its own.

    Returns:
        Callable: (H, W, 3) uint8 RGB -> list of `Face`.

    Raises:
        OSError: the file of "yunet" is not in the cache and cannot be downloaded.
        ValueError: not such a description, or settings for a callable.

    Example:

    >>> import numpy as np
    >>> detect = load_detector(lambda image: [[10, 20, 90, 110]])
    >>> detect(np.zeros((128, 128, 3), np.uint8))[0].box.tolist()
    [10.0, 20.0, 90.0, 110.0]
    """
    settings = {name: value for name, value in settings.items() if value is not None}
    if "rotations" in settings:
        settings["rotations"] = kept_rotations(settings["rotations"])
    check_detector(detector, **settings)
    if callable(detector):
        return detector if isinstance(detector, FaceDetector) else OwnDetector(detector)
    if detector in BUILTIN:
        return FaceDetector.from_preset(**settings)
    if detector == "yunet":
        return FaceDetector(download_yunet(), **settings)
    return FaceDetector(detector, **settings)


def of_part(detector, landmarks_in_box):
    """A detector whose boxes are those of landmarks that cover a part of the face only.

    Args:
        detector: as `load_detector` returns it. A user's own stays as it is: its boxes are to be
            those of the user's landmarks.
        landmarks_in_box: of the `Preprocessor`.
    """
    if landmarks_in_box is None or not isinstance(detector, FaceDetector):
        return detector
    return detector.of_part(landmarks_in_box)


def check_detector(detector, **settings):
    """Refuse what can be refused before a detector is loaded; arguments as of `load_detector`.

    Raises:
        ValueError: not such a description, a setting out of its range, or any for a callable.
    """
    if callable(detector):
        if settings:
            raise ValueError(
                f"Expected no {', '.join(settings)} with a detector that is a callable: it has "
                f"settings of its own. Received: {detector!r}"
            )
        return
    is_file = isinstance(detector, str | os.PathLike) and os.fspath(detector).endswith(".onnx")
    if not is_file and detector not in (*BUILTIN, "yunet"):
        raise ValueError(
            "Expected a face detector: 'builtin', 'yunet', the path of an .onnx file, or a "
            f"callable. Received: {detector!r}"
        )
    check_settings(**settings)


@dataclass(frozen=True)
class OwnDetector:
    """A user's detector, with what it returns checked: photo -> list of `Face`.

    Attributes:
        function: photo (H, W, 3) uint8 RGB -> list of `Face`, boxes (F, 4), or None for no face.
            Boxes of fewer than 4 pixels a side are left out.
    """

    function: object

    def __call__(self, image):
        found = self.function(image)
        if found is None:
            return []
        try:
            found = list(found)
        except TypeError:
            raise ValueError(f"Expected {_OWN}, or None. Received: {found!r}") from None
        faces = [face if isinstance(face, Face) else Face(face) for face in found]
        faces = [replace(f, box=_checked(f.box, image.shape)) for f in faces]
        return [face for face in faces if face.box is not None]


def _checked(box, shape):
    """The box, if it can be meant; None for one that is too small to show a face."""
    with suppress(TypeError, ValueError):
        if is_speck(box):
            return None
    return check_box(box, shape, _OWN)
