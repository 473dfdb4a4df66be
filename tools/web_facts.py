"""Writes src/facts.json: what the page takes from the library's tables, so that nothing is typed
twice. `python tools/web_facts.py`; a test compares the file with the library."""

import inspect
import json
from dataclasses import asdict
from pathlib import Path

import click

from keras_lotr.images import drawing
from keras_lotr.inference import certainty, face_detector, face_pyramid, verification, yunet
from keras_lotr.presets.files import PREPROCESSOR, resolve
from keras_lotr.schemes import SCHEMES
from keras_lotr.tracking import crops, motion, smoothing, track, tracker

PATH = Path(__file__).parents[1] / "web" / "src" / "facts.json"
_PYRAMID = (
    *("last_side", "border", "step", "large_face", "large_part"),
    *("overlap_of_sizes", "part_of_face"),
)
_TRACKER = (
    *("near", "same", "free", "old", "patience", "gap", "usual"),
    *("long", "hidden_every", "off", "lost", "lost_rate"),
)
_TRACK = (
    *("portrait", "border", "compared_side", "compared_margin", "motion", "looks", "coast"),
    *("alike", "sure", "times", "sure_quality", "well_seen", "like_itself"),
)
_SMOOTHING = (
    *("speed_cutoff", "trembling_time"),
    *("first_trembling", "most_trembling", "least_trembling"),
)
DETECTOR, LANDMARKER = "face_detector", "lotr_s_68"


def facts():
    """The content of the file."""
    return {
        "detector": {"model": DETECTOR, **_detector_settings()},
        "landmarker": {"model": LANDMARKER, **_preprocessor()},
        "tracking": _tracking(),
        "schemes": {name: _scheme(scheme) for name, scheme in SCHEMES.items()},
        "drawing": {
            "regions": drawing._COLORS,
            "other": drawing._OTHER,
            "box": drawing._WHITE,
            "rim": drawing._DARK,
        },
    }


def text():
    """As JSON, a section to a line."""
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in facts().items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _detector_settings():
    parameters = inspect.signature(face_detector.FaceDetector).parameters
    settings = {"nms_threshold": parameters["nms_threshold"].default}
    settings["max_side"] = face_detector.MAX_SIDE
    settings |= resolve(DETECTOR).json(PREPROCESSOR)
    settings["landmarks_in_box"] = yunet.LANDMARKS_BOX.tolist()
    return {**settings, "pyramid": _private(face_pyramid, _PYRAMID)}


def _private(module, names):
    return {name: getattr(module, f"_{name.upper()}") for name in names}


def _preprocessor():
    preprocessor = resolve(LANDMARKER).json(PREPROCESSOR)
    wanted = {name: preprocessor[name] for name in ("image_size", "margin", "scheme")}
    return {**wanted, "certainty": _certainty()}


def _certainty():
    return {
        "freedom": certainty.FREEDOM,
        "close": certainty.CLOSE,
        "candidate_score": verification.CANDIDATE_SCORE,
        "sure_quality": verification.SURE_QUALITY,
        "good_quality": verification.GOOD_QUALITY,
        "no_quality": verification.NO_QUALITY,
        "quality_weight": verification.QUALITY_WEIGHT,
        "neutral_quality": verification.NEUTRAL_QUALITY,
        "middles": verification.MIDDLES,
        "middle_score": verification.MIDDLE_SCORE,
    }


def _tracking():
    defaults = inspect.signature(tracker.FaceTracker).parameters
    strength = smoothing.strength_of(defaults["smooth"].default)
    return {
        "tracker": {
            **{name: defaults[name].default for name in ("every", "hold")},
            **_private(tracker, _TRACKER),
        },
        "track": _private(track, _TRACK),
        "crops": {
            **_private(crops, ("cutoff", "beta")),
            **_private(crops.BoxesBeside, ("memory",)),
        },
        "smoothing": {
            **asdict(strength),
            **_private(smoothing, _SMOOTHING),
            **_private(motion, ("outlier",)),
        },
    }


def _scheme(scheme):
    lines = [vars(contour) for contour in scheme.contours]
    return {
        "num_landmarks": scheme.num_landmarks,
        "contours": lines,
        "regions": scheme.regions,
        "five_points": scheme.five_points,
    }


@click.command(help=__doc__)
def main():
    PATH.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
