"""LOTR: face landmarks with Keras 3, on TensorFlow, JAX and PyTorch.

A name is imported when it is first used: `import keras_lotr` and `keras-lotr --help` start no
backend. As soon as Keras is imported, by whomever, it knows our classes, so that
`keras.saving.load_model` finds them.
"""

import os
from typing import TYPE_CHECKING

from keras_lotr.lazy import lazy_names
from keras_lotr.registration import register_with_keras

__version__ = "0.1.0"  # pyproject.toml reads it here

# When it is imported, onnxruntime begins to report models and programs to its maker, unless:
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:  # for editors; the table below is what runs
    from keras_lotr.images.alignment import align
    from keras_lotr.images.drawing import draw
    from keras_lotr.images.reading import read_image
    from keras_lotr.inference.adapters import to_pandas, to_supervision
    from keras_lotr.inference.face_detector import Face, FaceDetector
    from keras_lotr.inference.landmarker import FaceLandmarker
    from keras_lotr.inference.photo_files import read_results, write_results
    from keras_lotr.inference.results import FaceLandmarks
    from keras_lotr.losses import SmoothWing, Wing, smooth_wing, wing
    from keras_lotr.lotr import LOTR
    from keras_lotr.metrics import AreaUnderCED, FailureRate, NormalizedMeanError
    from keras_lotr.publishing.publish import push_to_hub
    from keras_lotr.tracking.tracker import FaceTracker
    from keras_lotr.video.annotate import annotate_video

__all__ = [
    "LOTR",
    "AreaUnderCED",
    "Face",
    "FaceDetector",
    "FaceLandmarker",
    "FaceLandmarks",
    "FaceTracker",
    "FailureRate",
    "NormalizedMeanError",
    "SmoothWing",
    "Wing",
    "align",
    "annotate_video",
    "draw",
    "push_to_hub",
    "read_image",
    "read_results",
    "smooth_wing",
    "to_pandas",
    "to_supervision",
    "wing",
    "write_results",
]

_MODULES = {
    "images.alignment": ("align",),
    "images.drawing": ("draw",),
    "images.reading": ("read_image",),
    "inference.adapters": ("to_pandas", "to_supervision"),
    "inference.face_detector": ("Face", "FaceDetector"),
    "inference.landmarker": ("FaceLandmarker",),
    "inference.photo_files": ("read_results", "write_results"),
    "inference.results": ("FaceLandmarks",),
    "losses": ("SmoothWing", "Wing", "smooth_wing", "wing"),
    "lotr": ("LOTR",),
    "metrics": ("AreaUnderCED", "FailureRate", "NormalizedMeanError"),
    "publishing.publish": ("push_to_hub",),
    "tracking.tracker": ("FaceTracker",),
    "video.annotate": ("annotate_video",),
}

# A module that is imported late may be the one that imports Keras.
__getattr__, __dir__ = lazy_names(__name__, _MODULES, and_then=register_with_keras)

register_with_keras()
