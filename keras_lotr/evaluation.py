"""`keras-lotr evaluate`: NME, failure rate and AUC of a model on annotated faces."""

import csv
from pathlib import Path

import numpy as np
from keras import ops

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.lotr import LOTR
from keras_lotr.metrics import area_under_ced, failures, landmark_errors
from keras_lotr.presets import write_json
from keras_lotr.schemes import get_scheme

THRESHOLDS = (8, 10)  # per cent: JD-landmark's and WFLW's
CHUNK = 512  # crops in memory at a time


def evaluate(preset, data, split="test", flip=False, reader=None):
    """Evaluate a preset on one split of a data set, faces cropped by their true boxes.

    Args:
        preset: name or folder of a preset, or hf:// handle.
        data: folder of the data set.
        split: "train", "val" or "test".
        flip: average with the mirrored faces' landmarks, as the paper does.
        reader: name of the reader; None recognises the data set.

    Returns:
        results: dict, the content of `results.json`; NME, rates and AUC in per cent.
        faces: a dict for each face, with its file, its NME and that of each region.
    """
    model = LOTR.from_preset(preset)
    scheme = get_scheme(model.crop_contract.scheme)
    samples = read_samples(data, split, scheme.name, reader)
    errors = errors_of(model, samples, flip)
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
    }
    return results, _rows(samples, errors, scheme)


def errors_of(model, samples, flip):
    """Each landmark's error in per cent of its face's normaliser: (F, N) float32."""
    contract = model.crop_contract
    parts = []
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        crops, truth = load_crops(chunk, contract.image_size, contract.margin)
        predicted = model.predict_points(crops, flip)
        parts.append(ops.convert_to_numpy(landmark_errors(truth, predicted, contract.scheme)))
    return np.concatenate(parts)


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
    return "\n".join([*lines, f"NME % by region: {regions}"])
