"""`keras-lotr evaluate`: NME, failure rate and AUC of a model on annotated faces."""

import contextlib
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
from keras import ops

from keras_lotr.conversions import sources_of
from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.batches import crops_in_chunks
from keras_lotr.datasets.detector_boxes import detector_boxes
from keras_lotr.datasets.gaps import in_scheme
from keras_lotr.datasets.sets import given_tags, halves
from keras_lotr.evaluation.openness import openness_found
from keras_lotr.evaluation.shape_modes import shape_mode_slopes
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.lotr import LOTR
from keras_lotr.metrics import area_under_ced, failures, landmark_errors
from keras_lotr.presets.preset import Preprocessor
from keras_lotr.schemes import get_scheme, scheme_config

THRESHOLDS = (8, 10)  # per cent: JD-landmark's and WFLW's
BOXES = ("ground-truth", "detector")


def evaluate(
    preset,
    data,
    split="test",
    flip=False,
    reader=None,
    only=(),
    normalizer=None,
    boxes="ground-truth",
):
    """Evaluate a preset on one split of a data set.

    Landmarks without a label do not count. Labels of another scheme than the preset's are converted
    if there are no others. Faces without a normaliser, such as those that lack the label of an eye
    corner, are left out and named.

    Args:
        preset: name or folder of a preset, hf:// handle, or an .onnx file of `keras-lotr export`.
        data: folder of the data set.
        split: "train", "val" or "test".
        flip: whether to average with the landmarks of the mirrored faces, as the paper does.
        reader: name of the reader; None recognises the data set.
        only: tags, such as names of sets; other faces are left out, see `read_samples`.
        normalizer: "outer_eyes", "box" or "interpupil", see `landmark_errors`; None takes the
            scheme's.
        boxes: what faces are cropped by. "ground-truth" takes the boxes of the data set, or those
            around its labelled landmarks; "detector" takes those of the built-in face detector, and
            ground truth where it does not find the face.

    Returns:
        Two values, `results` and `faces`. `results` is a dict, the content of `results.json`: the
        number of faces and of labelled landmarks; NME, its standard error, failure rates and AUC in
        per cent, of all faces and of each subset; the NME of two halves, every other face of each
        set; the NME of each region and landmark (None without any label);
        `shape_mode_slopes`; `openness_found`; the scheme of the labels if they were converted; and
        the faces without a normaliser. `faces` has a dict for each face, with its file, its NME
        and that of each region.

    Raises:
        ValueError: no face has a normaliser.
    """
    only = given_tags(only)
    measured = measure(preset, data, split, flip, reader, only, normalizer, boxes)
    scheme = get_scheme(measured.preprocessor.scheme)
    samples, errors = measured.samples, measured.errors
    sources = {sample.converted_from for sample in samples} - {None}
    results = {
        "preset": str(preset),
        "data": Path(data).name,
        "split": split,
        "only": list(only),
        "scheme": scheme_config(scheme),
        "converted_from": ", ".join(sorted(sources)) or None,
        "normalizer": scheme.check_normalizer(normalizer),
        "flip": flip,
        "boxes": boxes,
        "not_detected": measured.not_detected,
        **summary(errors),
        "without_normalizer": [Path(sample.path).name for sample in measured.left_out],
        "nme_of_halves": _nme_of_halves(samples, measured.nme),
        "regions": _regions(errors, scheme, digits=3),
        "subsets": {
            tag: summary(errors[[tag in sample.tags for sample in samples]])
            for tag in sorted({tag for sample in samples for tag in sample.tags})
        },
        "landmarks": [
            None if np.isnan(error) else round(float(error), 3)
            for error in mean_of_measured(errors, 0)
        ],
        "shape_modes": [
            round(slope, 3) for slope in shape_mode_slopes(measured.truth, measured.predicted)
        ],
        "openness": {
            name: {k: v if v is None else round(v, 3) for k, v in values.items()}
            for name, values in openness_found(measured.truth, measured.predicted, scheme).items()
        },
    }
    return results, _rows(samples, errors, scheme)


@dataclass(frozen=True)
class MeasuredFaces:
    """Faces with what a model found on them.

    Attributes:
        preprocessor: `Preprocessor` of the model.
        samples: list of F `Sample`.
        truth, predicted: (F, N, 2) float32, crop pixels; truth is NaN without label.
        errors: (F, N) float32, of each landmark, in per cent of its face's normaliser; NaN without
            label.
        left_out: list of `Sample` that have no normaliser.
        not_detected: number of samples that the detector did not find; None if it was not asked.
    """

    preprocessor: Preprocessor
    samples: list
    truth: np.ndarray
    predicted: np.ndarray
    errors: np.ndarray
    left_out: list
    not_detected: int | None = None

    @property
    def nme(self):
        """(F,), per cent."""
        return mean_of_measured(self.errors, 1)


def measure(
    preset,
    data,
    split="test",
    flip=False,
    reader=None,
    only=(),
    normalizer=None,
    boxes="ground-truth",
):
    """Predict the faces of one split of a data set; arguments as of `evaluate`.

    Returns:
        `MeasuredFaces`.
    """
    if boxes not in BOXES:
        raise ValueError(f"Expected boxes, one of {list(BOXES)}. Received: {boxes!r}")
    model = OnnxModel(preset) if str(preset).endswith(".onnx") else LOTR.from_preset(preset)
    preprocessor = model.preprocessor
    samples = read_labelled(data, split, preprocessor.scheme, reader, only)
    samples, left_out = _with_normalizer(samples, preprocessor.scheme, normalizer)
    not_detected = None
    if boxes == "detector":
        found = detector_boxes(samples, landmarks_in_box=preprocessor.landmarks_in_box)
        samples, not_detected = _with_boxes(samples, found)
    truth, predicted = [], []
    for crops, points in crops_in_chunks(samples, preprocessor):
        truth.append(points)
        predicted.append(model.predict_points(crops, flip))
    truth, predicted = np.concatenate(truth), np.concatenate(predicted)
    errors = landmark_errors(truth, predicted, preprocessor.scheme, normalizer)
    errors = ops.convert_to_numpy(errors)
    return MeasuredFaces(preprocessor, samples, truth, predicted, errors, left_out, not_detected)


def _with_boxes(samples, boxes):
    """Samples with other boxes, and how many keep their own, as there is none."""
    pairs = zip(samples, boxes, strict=True)
    samples = [s if box is None else replace(s, box=box) for s, box in pairs]
    return samples, sum(box is None for box in boxes)


def read_labelled(data, split, scheme, reader, only):
    """Faces with labels of the scheme; if there are none, those of another, converted."""
    only = given_tags(only)
    try:
        return read_samples(data, split, scheme, reader, only)
    except NoFaces:
        for source in sources_of(scheme):
            with contextlib.suppress(NoFaces):
                return in_scheme(read_samples(data, split, source, reader, only), scheme, data)
        raise


def _with_normalizer(samples, scheme, normalizer):
    """The samples that can be measured, and the others."""
    points = np.stack([sample.points_image for sample in samples])
    exact = ops.convert_to_numpy(landmark_errors(points, points, scheme, normalizer))
    known = ~np.isnan(exact).all(1)
    if not known.any():
        name = get_scheme(scheme).check_normalizer(normalizer)
        raise ValueError(
            f"Expected a face whose labels give the normalizer {name!r} (else choose 'box'). "
            f"Received: {len(samples)} faces, none of which does, such as {samples[0].where}"
        )
    return list(compress(samples, known)), list(compress(samples, ~known))


def mean_of_measured(errors, axis):
    """The mean along an axis of (F, N) errors that are not NaN; NaN where all are."""
    measured = ~np.isnan(errors)
    with np.errstate(invalid="ignore"):
        return np.where(measured, errors, 0).sum(axis) / measured.sum(axis)


def summary(errors):
    """Faces, labelled points, NME, failure rates and AUCs of (F, N) errors, rounded for reading.

    `nme_error` is the standard error of the NME: how much it varies between sets of so many faces.
    It is None for a single face.
    """
    nme = mean_of_measured(errors, 1)

    def mean_of(function):
        values = {
            str(t): 100 * float(np.mean(ops.convert_to_numpy(function(nme, t)))) for t in THRESHOLDS
        }
        return {threshold: round(value, 3) for threshold, value in values.items()}

    return {
        "faces": len(errors),
        "points": int((~np.isnan(errors)).sum()),
        "nme": round(float(nme.mean()), 4),
        "nme_error": round(float(nme.std(ddof=1)) / len(nme) ** 0.5, 4) if len(nme) > 1 else None,
        "failure_rate": mean_of(failures),
        "auc": mean_of(area_under_ced),
    }


def _nme_of_halves(samples, nme):
    """The NME of `halves`; None for one without a face."""
    of_face = dict(zip(map(id, samples), nme, strict=True))
    means = (np.mean([of_face[id(s)] for s in half]) if half else None for half in halves(samples))
    return [mean if mean is None else round(float(mean), 4) for mean in means]


def _regions(errors, scheme, digits):
    """{region: mean over faces of the NME of the region}, without regions that have no label."""
    means = {
        name: mean_of_measured(mean_of_measured(errors[:, list(landmarks)], 1), 0)
        for name, landmarks in scheme.regions.items()
    }
    return {name: round(float(mean), digits) for name, mean in means.items() if not np.isnan(mean)}


def _rows(samples, errors, scheme):
    rows = []
    for sample, error in zip(samples, errors[:, None], strict=True):
        nme = round(float(mean_of_measured(error, 1)[0]), 4)
        row = {"image": Path(sample.path).name, "tags": " ".join(sample.tags), "nme": nme}
        rows.append({**row, **dict.fromkeys(scheme.regions, ""), **_regions(error, scheme, 4)})
    return rows
