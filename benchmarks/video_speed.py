"""The time of a frame with `FaceTracker`, and its memory; `video.py` measures them."""

import time

import cv2
import numpy as np
from inference import resident
from video_table import SETTINGS

from keras_lotr import FaceLandmarker, FaceTracker

ROUNDS = 12
PORTRAIT = 0.2  # `min_face_size` of a camera at arm's length
WAYS = tuple(SETTINGS)  # the default settings, with that, and in the fastest precision as well


def speed(preset, one, four, mesh):
    """Milliseconds of processor time, which other programs change little, of a frame of 640 x 480.

    Each round is ten frames of each way, of which the detector sees two.

    Args:
        preset: name of a preset.
        one, four: list of `Frame` with one face and with four.
        mesh: function that gives MediaPipe's faces and its milliseconds; None: not measured.
    """
    ways = {}
    settings = {"engine": "onnxruntime", "threads": 1}
    default = FaceLandmarker(preset, **settings)
    settings["min_face_size"] = PORTRAIT
    portrait = FaceLandmarker(preset, **settings)
    fastest = FaceLandmarker(preset, **settings, precision="auto")
    ways["each frame alone"] = each(lambda f, t: default(f.image), one)
    for name, landmarker in (("detector", default), ("detector, portrait", portrait)):
        ways[name] = each(lambda f, t, look=landmarker.detector: look(f.image), one)
    for name, landmarker in zip(WAYS, (default, portrait, fastest), strict=True):
        for faces, frames in (("", one), (", four faces", four)):
            tracker = FaceTracker(landmarker)
            ways[name + faces] = each(lambda f, t, tracker=tracker: tracker(f.image, t), frames)
    theirs = []
    if mesh is not None:
        ways["MediaPipe"] = lambda: theirs.append(mesh()[1])
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            start = time.process_time()
            run()
            times[name].append(1000 * (time.process_time() - start))
    times.pop("MediaPipe", None)  # it is a program of its own
    results = {name: round(float(np.median(t)) / 10, 2) for name, t in times.items()}
    for name in WAYS:
        four_faces = results[f"{name}, four faces"]
        results[f"{name}, four faces / one"] = round(four_faces / results[name], 2)
    for name in WAYS[:2]:  # the detector looks in each fifth frame
        part = results[f"detector{name.removeprefix('tracked')}"] / 5 / results[name]
        results[f"{name}, detector's share"] = round(part, 2)
    if theirs:
        mesh = results["MediaPipe, video mode"] = round(float(np.median(theirs)), 2)
        for name in WAYS:
            results[f"{name} / MediaPipe"] = round(results[name] / mesh, 2)
    return results


def each(function, frames, count=10):
    """A function that calls another one for the next `count` frames, over and over."""
    state = {"i": 0}

    def run():
        for _ in range(count):
            i = state["i"] = state["i"] + 1
            function(frames[_back_and_forth(i, len(frames))], i / 25)

    return run


def _back_and_forth(i, count):
    """Without a cut: to the end, and back."""
    i %= 2 * count - 2
    return i if i < count else 2 * count - 2 - i


def memory(preset, frames, count):
    """Megabytes that the process has grown by while a tracker saw so many frames."""
    small = [cv2.resize(f.image, (320, 240)) for f in frames]
    tracker = FaceTracker(FaceLandmarker(preset, engine="onnxruntime", threads=1))
    marks = []
    for i in range(count + 500):
        tracker(small[i % len(small)], i / 25)
        if i in (499, count + 499):
            marks.append(resident())
    return {"frames": count, "grown_mb": round(marks[1] - marks[0], 2)}
