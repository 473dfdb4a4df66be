"""Which way landmarks miss: along the line that they lie on, or across it.

    python benchmarks/along_and_across.py lotr_m_68 --data FOLDER [--split val] [--flip-test]

Where on a smooth line a landmark lies is a choice of who drew it; that it lies on the line is not.
Means of the two parts of the error by region, in per cent of the normaliser. The line's direction
at a landmark is that from its neighbour before to its neighbour after it on the true face.
"""

import click
import numpy as np

from keras_lotr.evaluation.evaluation import measure
from keras_lotr.schemes import get_scheme


@click.command()
@click.argument("preset")
@click.option("--data", required=True)
@click.option("--split", default="val", show_default=True)
@click.option("--flip-test", "--flip", "flip", is_flag=True)
def main(preset, data, split, flip):
    measured = measure(preset, data, split, flip)
    scheme = get_scheme(measured.preprocessor.scheme)
    regions = {}
    for contour in scheme.contours:
        regions.setdefault(contour.region, []).append(error_parts(measured, contour))
    print(f"{'':10}{'along':>8}{'across':>8}   {preset}, {len(measured.samples)} faces ({split})")
    for region, found in regions.items():
        along, across = np.concatenate(found, axis=-1).mean(axis=(1, 2))
        print(f"{region:10}{along:8.2f}{across:8.2f}")


def error_parts(measured, contour):
    """The errors along and across a contour: (2, F, landmarks of the contour), per cent."""
    chosen = list(contour.indices)
    truth, errors = measured.truth[:, chosen], measured.errors[:, chosen]
    if contour.closed:
        line = np.roll(truth, -1, axis=1) - np.roll(truth, 1, axis=1)
    else:
        line = np.gradient(truth, axis=1)
    cosine = np.abs((directions(measured.predicted[:, chosen] - truth) * directions(line)).sum(-1))
    cosine = np.minimum(cosine, 1)
    return np.stack([errors * cosine, errors * np.sqrt(1 - cosine**2)])


def directions(vectors):
    """Vectors of length one; 0 stays 0, as the line does where an eye is closed to a point."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


if __name__ == "__main__":
    main()
