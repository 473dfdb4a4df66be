"""MediaPipe's face mesh in video mode, from an environment of its own, as 68 landmarks."""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.schemes import get_scheme

# Where the 68 points are among the mesh's, as in peers.py, which imports more than is wanted here.
MESH = [
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
]


@cache
def mediapipe_faces(python, path):
    """Its faces in a clip, which are the same each time."""
    return with_mediapipe(python, path)[0]


def with_mediapipe(python, path):
    """Its faces in a clip, as 68 landmarks, and the median of its milliseconds a frame."""
    script = Path(__file__).with_name("video_mediapipe.py")
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "found.npz")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        subprocess.run(
            [python, script, path, found], check=True, capture_output=True, env=environment
        )
        arrays = dict(np.load(found))
    count = get_scheme("ibug68").num_landmarks
    faces = []
    for points in arrays["points"]:
        here = points[MESH].reshape(count, 2)
        box = [*here.min(0), *here.max(0)]
        known = np.isfinite(here).all()
        faces.append([FaceLandmarks(here, box, None, "ibug68")] if known else [])
    return faces, float(np.median(arrays["ms"]))
