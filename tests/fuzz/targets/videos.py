"""Damaged videos, whose frames are read, searched and written."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from fuzz.mutations import damaged
from keras_lotr.video.annotate import annotate_video

DOCUMENTED = (ValueError,)
MEGABYTES = 300
_FORMS = (("webm", "VP80"), ("avi", "MJPG"), ("mp4", "mp4v"))


@contextmanager
def prepared():
    cv2.setNumThreads(1)
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    with tempfile.TemporaryDirectory() as folder:
        files = [_video(Path(folder, f"whole.{ending}"), codec) for ending, codec in _FORMS]

        def make(rng):
            whole = files[rng.integers(len(files))]
            path = Path(folder, f"damaged{whole.suffix}")
            data = damaged(whole.read_bytes(), rng)

            def call():
                path.write_bytes(data)
                annotate_video(_no_faces, path, Path(folder, "out.webm"), {}, 300)

            return call

        yield make


def _no_faces(images):
    return [[] for _ in images]


def _video(path, codec):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (96, 64))
    assert writer.isOpened(), path
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    for i in range(8):
        writer.write(np.roll(image, 3 * i, axis=1))
    writer.release()
    return path
