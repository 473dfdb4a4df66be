"""LOTR: face landmarks with Keras 3, on TensorFlow, JAX and PyTorch.

A name is imported when it is first used: `import keras_lotr` and `keras-lotr --help` start no
backend. As soon as Keras is imported, by whomever, it knows our classes, so that
`keras.saving.load_model` finds them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from keras_lotr.registration import register_with_keras

__version__ = "0.1.0"  # pyproject.toml reads it here

if TYPE_CHECKING:  # for editors; the table below is what runs
    from keras_lotr.drawing import draw
    from keras_lotr.face_detector import Face, FaceDetector
    from keras_lotr.face_landmarks import FaceLandmarks
    from keras_lotr.images import read_image
    from keras_lotr.landmarker import FaceLandmarker
    from keras_lotr.losses import SmoothWing, Wing, smooth_wing, wing
    from keras_lotr.lotr import LOTR
    from keras_lotr.metrics import AreaUnderCED, FailureRate, NormalizedMeanError
    from keras_lotr.publishing import push_to_hub
    from keras_lotr.video import annotate_video

__all__ = [
    "LOTR",
    "AreaUnderCED",
    "Face",
    "FaceDetector",
    "FaceLandmarker",
    "FaceLandmarks",
    "FailureRate",
    "NormalizedMeanError",
    "SmoothWing",
    "Wing",
    "annotate_video",
    "draw",
    "push_to_hub",
    "read_image",
    "smooth_wing",
    "wing",
]

_MODULES = {
    "drawing": ("draw",),
    "face_detector": ("Face", "FaceDetector"),
    "images": ("read_image",),
    "face_landmarks": ("FaceLandmarks",),
    "landmarker": ("FaceLandmarker",),
    "losses": ("SmoothWing", "Wing", "smooth_wing", "wing"),
    "lotr": ("LOTR",),
    "metrics": ("AreaUnderCED", "FailureRate", "NormalizedMeanError"),
    "publishing": ("push_to_hub",),
    "video": ("annotate_video",),
}


def __getattr__(name):
    for module, names in _MODULES.items():
        if name in names:
            globals()[name] = getattr(import_module(f"keras_lotr.{module}"), name)
            register_with_keras()  # the module may have imported Keras
            return globals()[name]
    raise AttributeError(f"module 'keras_lotr' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})


register_with_keras()
