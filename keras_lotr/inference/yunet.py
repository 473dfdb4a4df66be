"""YuNet, OpenCV's face detector: its file on the Hugging Face Hub, and what its boxes are."""

import numpy as np

from keras_lotr.presets.hub import Handle, fetch

_YUNET = Handle("opencv/face_detection_yunet", "3cc26e7f1014a5ee5d74a42acee58bafc9d0a310")
_YUNET_FILE = "face_detection_yunet_2023mar.onnx"
_YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

# The box around 68 landmarks as fractions of YuNet's box: x0, y0, x1, y1. Medians over 500 faces of
# 300-W's training photos, the two sides made symmetric. It raises the mean overlap (IoU) with the
# box of the annotated landmarks from 0.70 to 0.88, takes the longer side from 1.27 to 0.99 times
# the true one (standard deviation from 0.08 to 0.05) and the mean distance of the centres from 0.16
# to 0.04 of the longer side.
LANDMARKS_BOX = np.array([-0.010, 0.250, 1.010, 1.007])


def download_yunet():
    """The path of YuNet's file, from the cache of the Hub or downloaded into it.

    Raises:
        OSError: it cannot be had, or is not the file that it was.
    """
    try:
        path = fetch(_YUNET, _YUNET_FILE, sha256=_YUNET_SHA256)
    except OSError as error:
        raise OSError(
            f"{error} Or take the detector 'builtin', which comes with the library."
        ) from None
    if path is None:
        raise OSError(f"Expected {_YUNET_FILE} in {_YUNET}. It is not there any more.")
    return path
