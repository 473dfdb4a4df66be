"""`keras-lotr evaluate`: NME, failure rate and AUC of a model on annotated faces."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from keras import ops

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.lotr import LOTR
from keras_lotr.metrics import area_under_ced, failures, landmark_errors
from keras_lotr.onnx_model import OnnxModel
from keras_lotr.presets import CropContract, write_json
from keras_lotr.schemes import get_scheme
from keras_lotr.shape_modes import shape_mode_slopes

THRESHOLDS = (8, 10)  # per cent: JD-landmark's and WFLW's
CHUNK = 512  # crops in memory at a time


def evaluate(preset, data, split="test", flip=False, reader=None):
    """Evaluate a preset on one split of a data set, faces cropped by their true boxes.

    Args:
        preset: name or folder of a preset, hf:// handle, or an .onnx file of `keras-lotr export`.
        data: folder of the data set.
        split: "train", "val" or "test".
        flip: average with the mirrored faces' landmarks, as the paper does.
        reader: name of the reader; None recognises the data set.

    Returns:
        results: dict, the content of `results.json`; NME, rates and AUC in per cent, of all faces
            and of each subset; NME of each region and landmark; `shape_mode_slopes`.
        faces: a dict for each face, with its file, its NME and that of each region.
    """
    measured = measure(preset, data, split, flip, reader)
    scheme = get_scheme(measured.crop_contract.scheme)
    samples, errors = measured.samples, measured.errors
    results = {
        "preset": str(preset),
        "data": Path(data).name,
        "split": split,
        "scheme": scheme.name,
        "normalizer": scheme.normalizer,
        "flip": flip,
        **summary(errors),
        "regions": {
            region: round(float(errors[:, list(landmarks)].mean()), 3)
            for region, landmarks in scheme.regions.items()
        },
        "subsets": {
            tag: summary(errors[[tag in sample.tags for sample in samples]])
            for tag in sorted({tag for sample in samples for tag in sample.tags})
        },
        "landmarks": [round(float(error), 3) for error in errors.mean(0)],
        "shape_modes": [
            round(slope, 3) for slope in shape_mode_slopes(measured.truth, measured.predicted)
        ],
    }
    return results, _rows(samples, errors, scheme)


@dataclass(frozen=True)
class MeasuredFaces:
    """Faces with what a model found on them.

    Attributes:
        crop_contract: `CropContract` of the model.
        samples: list of F `Sample`.
        truth, predicted: (F, N, 2) float32, crop pixels.
        errors: (F, N) float32, of each landmark, in per cent of its face's normaliser.
    """

    crop_contract: CropContract
    samples: list
    truth: np.ndarray
    predicted: np.ndarray
    errors: np.ndarray

    @property
    def nme(self):
        """(F,), per cent."""
        return self.errors.mean(1)


def measure(preset, data, split="test", flip=False, reader=None):
    """Predict the faces of one split of a data set; arguments as of `evaluate`.

    Returns:
        `MeasuredFaces`.
    """
    model = OnnxModel(preset) if str(preset).endswith(".onnx") else LOTR.from_preset(preset)
    contract = model.crop_contract
    samples = read_samples(data, split, contract.scheme, reader)
    truth, predicted = [], []
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        crops, points = load_crops(chunk, contract.image_size, contract.margin)
        truth.append(points)
        predicted.append(model.predict_points(crops, flip))
    truth, predicted = np.concatenate(truth), np.concatenate(predicted)
    errors = ops.convert_to_numpy(landmark_errors(truth, predicted, contract.scheme))
    return MeasuredFaces(contract, samples, truth, predicted, errors)


def summary(errors):
    """Number of faces, NME, failure rates and AUCs of (F, N) errors, rounded for reading."""
    nme = errors.mean(1)

    def mean_of(function):
        values = {
            str(t): 100 * float(np.mean(ops.convert_to_numpy(function(nme, t)))) for t in THRESHOLDS
        }
        return {threshold: round(value, 3) for threshold, value in values.items()}

    return {
        "faces": len(errors),
        "nme": round(float(nme.mean()), 4),
        "failure_rate": mean_of(failures),
        "auc": mean_of(area_under_ced),
    }


def _rows(samples, errors, scheme):
    rows = []
    for sample, error in zip(samples, errors, strict=True):
        regions = {
            name: round(float(error[list(landmarks)].mean()), 4)
            for name, landmarks in scheme.regions.items()
        }
        tags = " ".join(sample.tags)
        nme = round(float(error.mean()), 4)
        rows.append({"image": Path(sample.path).name, "tags": tags, "nme": nme, **regions})
    return rows


def write_results(results, faces, path):
    """Write `results.json`, and the faces as a CSV of the same name beside it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, results)
    with open(path.with_suffix(".csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(faces[0]))
        writer.writeheader()
        writer.writerows(faces)


def as_text(results):
    """The results as a table for the terminal."""
    flip = "with" if results["flip"] else "without"
    lines = [
        f"{results['preset']} on {results['data']} ({results['split']}, {results['faces']} faces), "
        f"{results['scheme']}, normalised by {results['normalizer']}, {flip} flip averaging",
        f"{'':14}{'faces':>7}{'NME %':>8}{'FR@8':>8}{'FR@10':>8}{'AUC@8':>8}{'AUC@10':>8}",
    ]
    for name, part in {"all": results, **results["subsets"]}.items():
        rates, areas = part["failure_rate"], part["auc"]
        lines.append(
            f"{name:14}{part['faces']:7}{part['nme']:8.2f}{rates['8']:8.2f}{rates['10']:8.2f}"
            f"{areas['8']:8.2f}{areas['10']:8.2f}"
        )
    regions = ", ".join(f"{name} {value:.2f}" for name, value in results["regions"].items())
    slopes = " ".join(f"{slope:.2f}" for slope in results["shape_modes"])
    return "\n".join([*lines, f"NME % by region: {regions}", f"Slopes of shape modes: {slopes}"])
