"""Moves the landmarks of rendered faces as people do on turned faces, on wide and on narrow ones.

`tools/move_landmarks.py` moves each landmark by a constant. What people do differently from the
renderer also depends on the face: on a turned one they draw the contour elsewhere. So each landmark
is moved once more, by a linear function of the first components of the face's shape. It is fitted
on annotated photos to what a preset that learned from moved rendered faces does differently there:

    python tools/shape_offsets.py fit lotr_m_synthetic_98 --data FACES \\
        --rendered MOVED --output shape_offsets.json
    python tools/shape_offsets.py apply shape_offsets.json MOVED MOVED_AGAIN
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import click
import numpy as np
from move_landmarks import LEFT_EYE, RIGHT_EYE, SCHEME, write_moved

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.evaluation.shape_modes import alignment, centered, mean_shape
from keras_lotr.lotr import LOTR
from keras_lotr.schemes import get_scheme

COMPONENTS = 4  # more of them would also learn that faces in photos look less lively to a network
LIMIT = 1.5  # standard deviations in photos; beyond them the offsets stay
MOST = 0.3  # distances of the eyes; of a difference that is larger, the label is wrong


@dataclass
class ShapeOffsets:
    """A displacement of each landmark that depends on the shape of the face.

    Attributes:
        mean: (N, 2) the mean shape, outer corners of the eyes one apart.
        components: (K, N, 2) orthonormal.
        limits: (K,) what the numbers of a shape are clipped to.
        offsets: (1 + K, N, 2), for 1 and for each number of the shape.
    """

    mean: np.ndarray
    components: np.ndarray
    limits: np.ndarray
    offsets: np.ndarray

    @classmethod
    def read(cls, path):
        """Those that `fit` wrote."""
        table = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{field.name: np.array(table[field.name]) for field in fields(cls)})

    def __call__(self, points):
        """Landmarks (F, N, 2) of faces of any size and rotation, moved."""
        shapes, factors = upright(points, self.mean)
        way = np.einsum("fk,knj->fnj", self.numbers(shapes), self.offsets)
        return points + turned(way, 1 / factors)

    def numbers(self, shapes):
        """1 and the clipped numbers (F, 1 + K) of upright shapes (F, N, 2)."""
        return with_one(coefficients(shapes, self.mean, self.components), self.limits)

    def to_dict(self):
        return {name: np.round(array, 5).tolist() for name, array in vars(self).items()}


def coefficients(shapes, mean, components):
    """How much of each component (K, N, 2) upright shapes (F, N, 2) have: (F, K)."""
    return np.einsum("fnj,knj->fk", shapes - mean, components)


def with_one(numbers, limits):
    """1 and the clipped numbers (F, 1 + K) of shapes."""
    return np.column_stack([np.ones(len(numbers)), np.clip(numbers, -limits, limits)])


def turned(points, factors):
    """Points (F, N, 2) turned and scaled by complex factors (F,)."""
    moved = (points[..., 0] + 1j * points[..., 1]) * factors[:, None]
    return np.stack([moved.real, moved.imag], -1)


def upright(points, mean):
    """Shapes (F, N, 2) laid on a centred mean shape, and the complex factors (F,) that did it."""
    factors = alignment(centered(points), centered(mean[None])[0])
    return turned(points - points.mean(1, keepdims=True), factors), factors


def mirrored(points):
    """Centred landmarks (F, N, 2) of the mirrored faces."""
    return points[:, list(get_scheme(SCHEME).flip_order)] * [-1, 1]


def components_of(points):
    """The mean shape (N, 2) and the first components (K, N, 2) of faces and their mirror images."""
    points = np.concatenate([points, mirrored(points)])
    shapes = centered(points)
    mean = mean_shape(shapes, shapes.mean(0))
    mean = np.stack([mean.real, mean.imag], -1) / np.abs(mean[RIGHT_EYE] - mean[LEFT_EYE])
    shapes = upright(points, mean)[0] - mean
    _, vectors = np.linalg.eigh(np.cov(shapes.reshape(len(shapes), -1).T))
    return mean, vectors.T[::-1][:COMPONENTS].reshape(-1, *mean.shape)


def fitted(truth, predicted, mean, components):
    """The `ShapeOffsets` from predicted to true landmarks.

    Args:
        truth, predicted: (F, N, 2), the same faces' landmarks by people and by a model that was
            trained on rendered faces.
        mean, components: see `ShapeOffsets`.
    """
    shapes, factors = upright(predicted, mean)
    way = np.clip(turned(truth - predicted, factors), -MOST, MOST)
    shapes = np.concatenate([shapes, mirrored(shapes)])
    way = np.concatenate([way, mirrored(way)])
    numbers = coefficients(shapes, mean, components)
    limits = LIMIT * numbers.std(0)
    solved = np.linalg.lstsq(with_one(numbers, limits), way.reshape(len(way), -1), rcond=None)[0]
    return ShapeOffsets(mean, components, limits, solved.reshape(-1, *mean.shape))


@click.group(help=__doc__)
def main():
    pass


@main.command()
@click.argument("preset")
@click.option("--data", multiple=True, required=True, help="Annotated photos, split train; repeat.")
@click.option("--rendered", required=True, help="Rendered faces, whose shapes have components.")
@click.option("--output", type=Path, required=True, help="JSON file.")
def fit(preset, data, rendered, output):
    """Fit the offsets between PRESET, trained on rendered faces, and people's landmarks."""
    shapes = np.stack([s.points_image for s in read_samples(rendered, "train", SCHEME)])
    mean, components = components_of(shapes.astype(float))
    samples = [sample for folder in data for sample in read_samples(folder, "train", SCHEME)]
    model = LOTR.from_preset(preset)
    crops, truth = load_crops(samples, model.image_size, model.preprocessor.margin)
    offsets = fitted(truth, model.predict_points(crops, flip=True), mean, components)
    facts = {"preset": preset, "faces": len(samples), "unit": "distances of the outer eye corners"}
    output.write_text(json.dumps({**facts, **offsets.to_dict()}) + "\n", encoding="utf-8")
    click.echo(f"{len(samples)} faces, {COMPONENTS} components of {len(shapes)} rendered ones")


@main.command()
@click.argument("offsets", type=Path)
@click.argument("shards", type=Path)
@click.argument("output", type=Path)
def apply(offsets, shards, output):
    """Copy rendered SHARDS, moved by constants before, to OUTPUT with landmarks moved again."""
    move = ShapeOffsets.read(offsets)
    write_moved(shards, output, lambda labels: move(labels["points98"].astype(float)))


if __name__ == "__main__":
    main()
