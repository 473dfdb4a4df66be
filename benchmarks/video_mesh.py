"""MediaPipe's face mesh in video mode, from an environment of its own, as 68 landmarks."""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from mesh_landmarks import MESH

from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.schemes import get_scheme


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
