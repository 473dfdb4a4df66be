"""Faces in videos: how much landmarks tremble and lag, who is who, and the time of a frame.

    PYTHONPATH=RENDERER python tools/face_videos.py --output CLIPS
    python benchmarks/video.py --clips CLIPS --mediapipe PYTHON --node node \\
        --output results/video.json
    python tools/make_tables.py

Each frame alone is compared with `FaceTracker` at its three strengths of smoothing, on rendered
clips whose landmarks are known. PYTHON is that of an environment with mediapipe 0.10.21, which
wants NumPy < 2; its face mesh in video mode then sees the same clips. With node, what the page
without a server makes of the same landmarks is measured beside `light`. One thread. Settings of the
tracker are chosen with `--people cd`, and reported are a and b.
"""

import json
import os
from functools import partial
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import click
import cv2
import numpy as np
from timing import machine
from video_mesh import mediapipe_faces, with_mediapipe
from video_metrics import blinks, jitter, lag, matched, nme, switches
from video_page import smoothed_on_page
from video_speed import memory, speed

from keras_lotr import FaceLandmarker, FaceTracker, geometry
from keras_lotr.schemes import get_scheme
from keras_lotr.tracking.crops import SteadyCrop, upright_degrees
from keras_lotr.tracking.smoothing import STRENGTHS, FaceSmoother
from keras_lotr.video.reading import VideoReader

ONE_FACE = ("still", "talk", "blink", "turn", "zoom", "move")
TWO_FACES = ("cross", "occlude", "cut", "hand")
SHUT = 0.2  # a blink of less of its depth is not seen, and has no time
SEEN = 0.5  # a face of which fewer landmarks are visible need not be found


@click.command()
@click.option("--clips", type=Path, required=True, help="Folder of tools/face_videos.py.")
@click.option("--preset", multiple=True, default=["lotr_m_68", "lotr_s_68"], show_default=True)
@click.option("--people", default="ab", show_default=True, help="Who is alone in the clips.")
@click.option("--mediapipe", help="A Python that has mediapipe.")
@click.option("--node", help="Path of node, which runs the smoothing of the page.")
@click.option("--frames", default=10_000, show_default=True, help="How long memory is watched.")
@click.option("--output", type=Path, help="JSON.")
def main(clips, preset, people, mediapipe, node, frames, output):
    cv2.setNumThreads(1)
    alone = tuple(f"{kind}_{person}" for kind in ONE_FACE for person in people)
    results = {"machine": machine(), "clips": len(list(clips_of(clips, alone)))}
    results["presets"] = {name: of_preset(name, clips, alone, mediapipe, node) for name in preset}
    results["memory"] = memory_of(preset[-1], clips, frames)
    text = json.dumps(results, indent=1)
    print(text)
    if output:
        output.write_text(text + "\n", encoding="utf-8")


def of_preset(name, clips, alone, mediapipe, node):
    """All that is measured with a preset."""
    landmarker = FaceLandmarker(name, engine="onnxruntime", threads=1)
    return {
        "one_face": one_face(landmarker, clips, alone, mediapipe, node),
        "smoothing_of_the_truth": smoothed_truth(landmarker, clips, alone),
        "who_is_who": identities(landmarker, clips),
        "speed_ms": times_of(name, clips, mediapipe),
    }


def clips_of(folder, kinds):
    """Names, frames and labels of the clips whose names begin so."""
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
def one_face(landmarker, clips, alone, mediapipe, node):
    """{kind: {way: what is measured}}, and the mean of all kinds; each frame alone is ratio 1."""
    scheme, rows = landmarker.preprocessor.scheme, {}
    for name, frames, labels in clips_of(clips, alone):
        truth, visible = truth_of(labels, scheme)
        found = {"each frame alone": [landmarker(frame.image) for frame in frames]}
        for smooth in STRENGTHS:
            found[f"tracked, {smooth}"] = tracked(FaceTracker(landmarker, smooth=smooth), frames)
        if node:
            off = found["tracked, off"]
            found["tracked, page"] = smoothed_on_page(node, off, frames, landmarker.preprocessor)
        if mediapipe and scheme == "ibug68":
            found["MediaPipe"] = mediapipe_faces(mediapipe, clips / f"{name}.mp4")
        points = {way: matched(faces, truth, visible)[0] for way, faces in found.items()}
        there = np.all([np.isfinite(p[..., 0, 0]) for p in points.values()], axis=0)
        first = None
        for way, found_points in points.items():
            rate = round(1 / np.median(np.diff([frame.time for frame in frames])))
            row = measured(found_points, truth, there, scheme)
            if name.startswith("blink"):
                row |= eyes_shut(found_points[:, 0], truth[:, 0], scheme, rate)
            first = first or row
            row["jitter ratio"] = row["jitter"] / first["jitter"]
            row["nme ratio"] = row["nme"] / first["nme"]
            rows.setdefault(name.split("_")[0], {}).setdefault(way, []).append(row)
    rows["all"] = {way: [row for kind in rows.values() for row in kind[way]] for way in found}
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


def eyes_shut(points, truth, scheme, rate):
    """How much of the depth of a blink is seen, and how late, on average."""
    seen = blinks(points, truth, scheme, rate)
    late, depth = np.mean(seen, axis=0) if seen else (np.nan, np.nan)
    return {"blink depth": depth, "blink late": late if depth > SHUT else np.nan}


def mean_of(rows):
    """Means over clips, of what was measured in some of them."""
    found = {key: [row[key] for row in rows if np.isfinite(row.get(key, np.nan))]
             for row in rows for key in row}  # fmt: skip
    return {key: round(float(np.mean(values)), 3) for key, values in found.items() if values}


def smoothed_truth(landmarker, clips, alone):
    """What smoothing alone does to true landmarks: blinks that come late or shallow, and lag."""
    preprocessor, results = landmarker.preprocessor, {}
    scheme = preprocessor.scheme
    kinds = tuple(name for name in alone if name.startswith(("blink", "turn", "move")))
    for smooth in ("light", "strong"):
        late, depth, lags = [], [], []
        for name, frames, labels in clips_of(clips, kinds):
            truth, times = truth_of(labels, scheme)[0][:, 0], [frame.time for frame in frames]
            found = smoothed(truth, frames, preprocessor, STRENGTHS[smooth])
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


def smoothed(truth, frames, preprocessor, strength):
    """True landmarks of one face as they are when a network finds them without an error."""
    crop, smoother, found = SteadyCrop(), FaceSmoother(strength), []
    for points, frame in zip(truth, frames, strict=True):
        degrees = upright_degrees(points, get_scheme(preprocessor.scheme))
        matrix = crop(points, degrees, frame.time, preprocessor)
        image = geometry.warp(frame.image, matrix, preprocessor.image_size)
        found.append(smoother(points, image, matrix, frame.time))
    return np.array(found)


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
def times_of(preset, clips, mediapipe):
    """See `video_speed.speed`."""
    one, four = (next(clips_of(clips, (kind,)))[1] for kind in ("talk_a25", "four"))
    mesh = None
    if mediapipe:
        mesh = partial(with_mediapipe, mediapipe, clips / "talk_a25.mp4")
    return speed(preset, one, four, mesh)


def memory_of(preset, clips, count):
    """See `video_speed.memory`."""
    frames = [next(clips_of(clips, (kind,)))[1] for kind in ("cross_00", "occlude_00")]
    return {"preset": preset, **memory(preset, frames[0] + frames[1], count)}


if __name__ == "__main__":
    main()
