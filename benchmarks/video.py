"""Faces in videos: how much landmarks tremble and lag, who is who, and the time of a frame.

    PYTHONPATH=../shared python tools/face_videos.py --output CLIPS
    python benchmarks/video.py --clips CLIPS [--preset lotr_m_68] [--mediapipe PYTHON]

Each frame alone is compared with `FaceTracker` at its three strengths of smoothing, on rendered
clips whose landmarks are known. PYTHON is that of an environment with mediapipe 0.10.21, which
wants NumPy < 2; its face mesh then sees the same clips. One thread.
"""

import json
import os
import subprocess
import tempfile
import time
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import cv2
import numpy as np
from inference import resident
from timing import machine
from video_metrics import blinks, jitter, lag, matched, nme, switches

from keras_lotr import FaceLandmarker, FaceTracker
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.schemes import get_scheme
from keras_lotr.tracking.smoothing import STRENGTHS, FaceSmoother
from keras_lotr.video.reading import VideoReader

# Where the 68 points are among the mesh's, as in peers.py, which imports more than is wanted here.
MESH = [
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
]
ONE_FACE = ("still", "talk", "blink", "turn", "zoom", "move")
TWO_FACES = ("cross", "occlude", "cut", "hand")
SEEN = 0.5  # a face of which fewer landmarks are visible need not be found
ROUNDS = 12
PORTRAIT = 0.2  # `min_face_size` of a camera at arm's length


@click.command()
@click.option("--clips", type=Path, required=True, help="Folder of tools/face_videos.py.")
@click.option("--preset", default="lotr_m_68", show_default=True)
@click.option("--mediapipe", help="A Python that has mediapipe.")
@click.option("--frames", default=10_000, show_default=True, help="How long memory is watched.")
@click.option("--output", type=Path, help="JSON.")
def main(clips, preset, mediapipe, frames, output):
    cv2.setNumThreads(1)
    landmarker = FaceLandmarker(preset, engine="onnxruntime", threads=1)
    results = {"machine": machine(), "preset": preset}
    results["one_face"] = one_face(landmarker, clips, mediapipe)
    results["smoothing_of_the_truth"] = smoothed_truth(landmarker, clips)
    results["who_is_who"] = identities(landmarker, clips)
    results["speed_ms"] = speed(preset, clips, mediapipe)
    results["memory"] = memory(landmarker, clips, frames)
    text = json.dumps(results, indent=1)
    print(text)
    if output:
        output.write_text(text + "\n", encoding="utf-8")


def clips_of(folder, kinds):
    """Names, frames and labels of the clips of these kinds."""
    for path in sorted(folder.glob("*.npz")):
        if path.stem.startswith(kinds):
            with VideoReader(path.with_suffix(".mp4")) as reader:
                yield path.stem, list(reader.frames()), dict(np.load(path))


def truth_of(labels, scheme):
    """(T, F, N, 2) landmarks, and (T, F) whether a face can be seen."""
    points = labels["points98" if scheme == "wflw98" else "points68"]
    return points.astype(float), labels["visible98"].mean(-1) >= SEEN


def tracked(tracker, frames):
    return [tracker(frame.image, frame.time) for frame in frames]


# === One face ===
def one_face(landmarker, clips, mediapipe):
    """{kind: {way: what is measured}}, and the mean of all kinds; each frame alone is ratio 1."""
    scheme, rows = landmarker.preprocessor.scheme, {}
    for name, frames, labels in clips_of(clips, ONE_FACE):
        truth, visible = truth_of(labels, scheme)
        found = {"each frame alone": [landmarker(frame.image) for frame in frames]}
        for smooth in STRENGTHS:
            found[f"tracked, {smooth}"] = tracked(FaceTracker(landmarker, smooth=smooth), frames)
        if mediapipe and scheme == "ibug68":
            found["MediaPipe"] = with_mediapipe(mediapipe, clips / f"{name}.mp4")[0]
        points = {way: matched(faces, truth, visible)[0] for way, faces in found.items()}
        there = np.all([np.isfinite(p[..., 0, 0]) for p in points.values()], axis=0)
        first = None
        for way, found_points in points.items():
            row = measured(found_points, truth, there, scheme)
            first = first or row
            row["jitter ratio"] = row["jitter"] / first["jitter"]
            row["nme ratio"] = row["nme"] / first["nme"]
            rows.setdefault(name.split("_")[0], {}).setdefault(way, []).append(row)
    rows["all"] = {
        way: [row for kind in rows.values() for row in kind[way]] for way in rows["still"]
    }
    return {kind: {way: mean_of(r) for way, r in ways.items()} for kind, ways in rows.items()}


def measured(points, truth, there, scheme):
    """Of one clip, over the frames in which all ways found the face."""
    inner = {"ibug68": slice(17, 68), "wflw98": slice(33, 96)}.get(scheme, slice(None))
    three = there[2:] & there[1:-1] & there[:-2]
    return {
        "nme": nme(points, truth, scheme)[there].mean(),
        "inner": nme(points, truth, scheme, inner)[there].mean(),
        "jitter": jitter(points, truth, scheme)[three].mean(),
        "lag": lag(points[:, 0], truth[:, 0]) if np.ptp(truth[:, 0], axis=0).max() > 40 else np.nan,
    }


def mean_of(rows):
    return {
        key: round(float(np.nanmean([row[key] for row in rows])), 3)
        for key in rows[0]
        if np.isfinite([row[key] for row in rows]).any()
    }


def smoothed_truth(landmarker, clips):
    """What smoothing alone does to true landmarks: blinks that come late or shallow, and lag."""
    scheme, results = landmarker.preprocessor.scheme, {}
    for smooth in ("light", "strong"):
        late, depth, lags = [], [], []
        for name, frames, labels in clips_of(clips, ("blink", "turn", "move")):
            truth, times = truth_of(labels, scheme)[0][:, 0], [frame.time for frame in frames]
            smoother = FaceSmoother(STRENGTHS[smooth])
            found = np.array([smoother(*moment) for moment in zip(truth, times, strict=True)])
            if name.startswith("blink"):
                rate = round(1 / np.median(np.diff(times)))
                for one_late, one_depth in blinks(found, truth, scheme, rate):
                    late.append(one_late)
                    depth.append(one_depth)
            else:
                lags.append(lag(found, truth))
        results[smooth] = {
            **{"blink late, frames, at most": max(late), "blink depth, at least": min(depth)},
            "lag, frames, at most": max(lags),
        }
    return {k: {name: round(float(v), 2) for name, v in r.items()} for k, r in results.items()}


# === Several faces ===
def identities(landmarker, clips):
    """{kind: clips, switches, faces that are none, share of the visible faces that is found}."""
    rows = {}
    for name, frames, labels in clips_of(clips, TWO_FACES):
        truth, visible = truth_of(labels, landmarker.preprocessor.scheme)
        faces = tracked(FaceTracker(landmarker), frames)
        found, ids, others = matched(faces, truth, visible)
        alone = [landmarker(frame.image) for frame in frames]
        share = np.isfinite(found[..., 0, 0])[visible].mean()
        row = rows.setdefault(name.split("_")[0], [])
        row.append((switches(ids), others, matched(alone, truth, visible)[2], share))
    return {
        kind: {
            **{"clips": len(row), "switches": int(sum(r[0] for r in row))},
            **{"none of the faces": int(sum(r[1] for r in row))},
            **{"none, each frame alone": int(sum(r[2] for r in row))},
            "found": round(float(np.mean([r[3] for r in row])), 3),
        }
        for kind, row in rows.items()
    }


# === Speed and memory ===
def speed(preset, clips, mediapipe):
    """Milliseconds of processor time, which other programs change little, of a frame of 640 x 480.

    Each round is ten frames of each way, of which the detector sees two.
    """
    ways = {}
    one, four = (list(clips_of(clips, (kind,)))[0][1] for kind in ("talk_a25", "four"))
    default = FaceLandmarker(preset, engine="onnxruntime", threads=1)
    portrait = FaceLandmarker(preset, engine="onnxruntime", threads=1, min_face_size=PORTRAIT)
    ways["each frame alone"] = each(lambda f, t: default(f.image), one)
    for name, landmarker, frames in (
        ("tracked", default, one),
        ("tracked, portrait", portrait, one),
        ("tracked, four faces", default, four),
        ("tracked, portrait, four faces", portrait, four),
    ):
        tracker = FaceTracker(landmarker)
        ways[name] = each(lambda f, t, tracker=tracker: tracker(f.image, t), frames)
    theirs = []
    if mediapipe:
        path = clips / "talk_a25.mp4"
        ways["MediaPipe"] = lambda: theirs.append(with_mediapipe(mediapipe, path)[1])
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():
            start = time.process_time()
            run()
            times[name].append(1000 * (time.process_time() - start))
    times.pop("MediaPipe", None)  # it is a program of its own
    results = {name: round(float(np.median(t)) / 10, 2) for name, t in times.items()}
    for name in ("tracked", "tracked, portrait"):
        results[f"{name}, four faces / one"] = round(
            results[f"{name}, four faces"] / results[name], 2
        )
    if theirs:
        results["MediaPipe, video mode"] = round(float(np.median(theirs)), 2)
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


def memory(landmarker, clips, count):
    """Megabytes that the process has grown by while a tracker saw so many frames."""
    frames = [next(clips_of(clips, (kind,)))[1] for kind in ("cross_00", "occlude_00")]
    small = [cv2.resize(f.image, (320, 240)) for f in frames[0] + frames[1]]
    tracker = FaceTracker(landmarker)
    marks = []
    for i in range(count + 500):
        tracker(small[i % len(small)], i / 25)
        if i in (499, count + 499):
            marks.append(resident())
    return {"frames": count, "grown_mb": [round(b - a, 2) for a, b in pairwise(marks)][0]}


# === MediaPipe ===
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


if __name__ == "__main__":
    main()
