"""Where the tests find data that are not part of the project; without them they are skipped."""

import os
from pathlib import Path

import pytest

# Beside the checkout, unless this variable names another folder.
SHARED = Path(
    os.environ.get("KERAS_LOTR_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared"
)
FACES = SHARED / "data" / "faces"
HARD_FACES = SHARED / "data" / "faces_hard"
YUNET = SHARED / "models" / "face_detection_yunet_2023mar.onnx"


def needs(path):
    """The mark of tests that are skipped where there is no such file or folder."""
    return pytest.mark.skipif(not path.exists(), reason=f"needs {path}")
