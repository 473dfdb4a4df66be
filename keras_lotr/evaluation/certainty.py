"""`keras-lotr report certainty`: whether what a model says of its own errors is true.

Everything is measured on the reporting half of the val faces, see `datasets.sets.halves`.
"""

from dataclasses import replace

import numpy as np

from keras_lotr.conversions import sources_of
from keras_lotr.datasets import NoFaces, facesynth, read_samples
from keras_lotr.datasets.gaps import in_scheme
from keras_lotr.datasets.sets import halves, sets_of
from keras_lotr.evaluation import pose_check
from keras_lotr.evaluation.judged import judge
from keras_lotr.evaluation.ranking import area_under_roc, correlation, rank_correlation
from keras_lotr.images.reading import read_image
from keras_lotr.inference.certainty import radius
from keras_lotr.lotr import LOTR
from keras_lotr.schemes import get_scheme, scheme_config
from keras_lotr.training.false_boxes import false_box, half_face, photos_with_boxes

LEVELS = tuple(round(0.05 * i, 2) for i in range(1, 20))
DROPPED = tuple(round(0.1 * i, 1) for i in range(10))
WORST = 0.1  # of the val faces: a false box below their quality counts as found


def measure_certainty(preset, data, rendered=None, photos=None, num_false=500, seed=0):
    """Measure how true it is what a preset says of its errors.

    Args:
        preset: name or folder of a preset that says how sure it is.
        data: folders of data sets with a val split.
        rendered: folder of rendered faces, whose visibility and angles are known; None: none.
        photos: folder of photos, for boxes without a face; None: there is no ranking.
        num_false: how many such boxes.
        seed: of these boxes.

    Returns:
        dict, the content of the results file: for each set coverage, correlation and visibility;
        the ranking of false boxes; and the pose.

    Raises:
        ValueError: the preset does not say how sure it is, a data set cannot be read, or there are
            no faces or photos to measure on.
    """
    model = LOTR.from_preset(preset)
    scheme = model.preprocessor.scheme
    samples = val_sets(data, scheme)
    if not samples:
        raise NoFaces(
            f"Expected at least two faces in the split val of {', '.join(map(str, data))}: every "
            "other one calibrates, and the others are measured."
        )
    faces, angles = [], {}
    if rendered is not None:
        faces = read_samples(rendered, "val", scheme, reader="facesynth")
        angles = facesynth.angles(rendered)
    judged = {name: judge(model, found) for name, found in samples.items()}
    poses = {name: pose_check.of_tags(found) for name, found in judged.items()}
    results = {
        "preset": str(preset),
        "scheme": scheme_config(scheme),
        "sets": {name: of_set(found) for name, found in judged.items()},
        "pose": {name: found for name, found in poses.items() if found},
    }
    if rendered is not None:
        found = judge(model, faces)
        results["sets"]["rendered"] = of_set(found)
        results["pose"]["rendered"] = pose_check.of_angles(found, angles)
    if photos is not None:
        faces = [sample for found in judged.values() for sample in found.samples]
        false = false_qualities(model, photos, faces, num_false, seed)
        qualities = np.concatenate([found.quality for found in judged.values()])
        results["ranking"] = ranking(qualities, false)
    return results


def val_sets(data, scheme):
    """{set: reporting half of its val faces}; labels of another scheme are converted.

    Sets with converted labels are named "NAME (68 labels)" and so on: annotators of two schemes
    place landmarks a little differently, which no model can know.
    """
    found = {}
    for folder in data:
        paths = set()
        for source in (scheme, *sources_of(scheme)):
            try:
                samples = read_samples(folder, "val", source)
            except NoFaces:
                continue
            samples = [sample for sample in samples if sample.path not in paths]
            paths |= {sample.path for sample in samples}
            count = len(samples[0].points_image) if samples else 0
            _, reported = halves(samples)
            for name, of_name in sets_of(reported).items():
                if source != scheme:
                    name, of_name = f"{name} ({count} labels)", in_scheme(of_name, scheme, folder)
                found.setdefault(name, []).extend(of_name)
    return found


def of_set(found):
    """What is measured on the faces of one set (`Judged`); a dict of numbers."""
    known = np.isfinite(found.errors)
    faces = known.any(1)
    error, expected = (
        np.nanmean(np.where(known, x, np.nan)[faces], axis=1)
        for x in (found.errors, found.expected)
    )
    third = np.argsort(np.argsort(expected)) * 3 // len(expected)
    d = found.distances
    return {
        "faces": len(found.samples),
        "error": _percent(error.mean()),
        "expected": _percent(expected.mean()),
        "coverage": {str(level): _covered(d[known], level) for level in LEVELS},
        "coverage_of_thirds": [
            _covered(d[faces][third == i][known[faces][third == i]], 0.9) for i in range(3)
        ],
        "correlation": round(correlation(error, expected), 3),
        "rank_correlation": round(rank_correlation(error, expected), 3),
        "error_left": left_of(found.errors[known], found.expected[known]),
        "error_left_if_known": left_of(found.errors[known], found.errors[known]),
        "visibility": visibility_of(found),
    }


def _percent(value):
    return round(100 * float(value), 3)


def _covered(d, level):
    return _percent(np.mean(d <= radius(level))) if len(d) else None


def left_of(errors, by):
    """Sparsification: the mean error of landmarks, in per cent, of those with the smallest `by`.

    Returns:
        list, for each of `DROPPED`, the part of the landmarks that is left out.
    """
    ordered = errors[np.argsort(by)]
    return [_percent(ordered[: max(1, round(len(ordered) * (1 - p)))].mean()) for p in DROPPED]


def visibility_of(found):
    """Areas under the ROC of seen against covered and against hidden, and shares at 0.5."""
    given, told = found.visibility, found.certainty[..., 3]
    seen, results = given == 1, {}
    for name, value in (("covered", 0), ("hidden", -1)):
        other = given == value
        if other.any() and seen.any():
            both = seen | other
            results[f"auc_{name}"] = round(area_under_roc(told[both], seen[both]), 4)
            results[f"{name}_below_half"] = _percent(np.mean(told[other] < 0.5))
    if results:
        results["seen_above_half"] = _percent(np.mean(told[seen] >= 0.5))
    profile = np.array(["profile" in sample.tags for sample in found.samples])[:, None]
    if (profile & (given == -1)).any():
        results["profiles"] = {
            "hidden_below_half": _percent(np.mean(told[profile & (given == -1)] < 0.5)),
            "seen_above_half": _percent(np.mean(told[profile & seen] >= 0.5)),
        }
    return results


def false_qualities(model, photos, faces, count, seed):
    """The quality of boxes without a face: background and bodies, and a quarter of half faces."""
    rng = np.random.default_rng(seed)
    photos, samples = photos_with_boxes(photos, held_out=True), []
    for i in range(count):
        if i % 4 == 0:
            sample = faces[rng.integers(len(faces))]
            samples.append(replace(sample, box=half_face(sample.box, rng)))
        else:
            path, boxes = photos[rng.integers(len(photos))]
            box = false_box(read_image(path).shape, boxes, rng)
            samples.append(replace(faces[0], path=path, box=box))
    return judge(model, samples).quality


def ranking(faces, false):
    """How well the quality tells false boxes from faces.

    Args:
        faces, false: (F,) and (G,) qualities.

    Returns:
        dict: the area under the ROC; how many of the false boxes are below the quality of the worst
        10 % of the faces; and of as many of all boxes as are false, how many are.
    """
    both = np.concatenate([faces, false])
    is_face = np.arange(len(both)) < len(faces)
    worst = np.argsort(both, kind="stable")[: len(false)]
    return {
        "faces": len(faces),
        "false_boxes": len(false),
        "auc": round(area_under_roc(both, is_face), 4),
        "false_below_worst_faces": _percent(np.mean(false < np.quantile(faces, WORST))),
        "false_among_as_many_worst": _percent(np.mean(~is_face[worst])),
        "median_of_faces": round(float(np.median(faces)), 3),
        "median_of_false": round(float(np.median(false)), 3),
    }


def as_text(results):
    """The results as a table for the terminal."""
    lines = [
        f"{results['preset']}, {get_scheme(results['scheme'])}, reporting half of the val faces",
        f"{'':18}{'faces':>6}{'in 90 %':>9}{'easy':>7}{'middle':>7}{'hard':>7}{'corr.':>7}"
        f"{'hidden':>8}{'covered':>8}",
    ]
    for name, found in results["sets"].items():
        thirds = "".join(f"{value or 0:7.1f}" for value in found["coverage_of_thirds"])
        seen = [found["visibility"].get(f"auc_{kind}") for kind in ("hidden", "covered")]
        areas = "".join(f"{'':8}" if area is None else f"{area:8.3f}" for area in seen)
        lines.append(
            f"{name:18}{found['faces']:6}{found['coverage']['0.9']:9.1f}{thirds}"
            f"{found['correlation']:7.2f}{areas}"
        )
        if profiles := found["visibility"].get("profiles"):
            lines.append(f"{'':18}profiles: {profiles}")
    lines += [f"pose of {name}: {found}" for name, found in results["pose"].items()]
    if "ranking" in results:
        lines.append(f"false boxes: {results['ranking']}")
    return "\n".join(lines)
