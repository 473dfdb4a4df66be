"""What looking more than once gains: NME of averages over crops of the same face, and presets.

    python benchmarks/several_crops.py lotr_m_68 runs/x/preset --data FOLDER [--split val]

Errors that differ from look to look average out, those that all looks share stay. What a student
could learn from an ensemble of these is at most what the ensemble itself is better.
"""

import click
import numpy as np
from keras import ops

from keras_lotr import geometry
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.metrics import normalized_mean_error

# Degrees, scale, and shift of the crop in parts of its side.
LOOKS = (
    (0, 1, (0, 0)), (6, 1, (0, 0)), (-6, 1, (0, 0)), (0, 1.05, (0, 0)), (0, 0.95, (0, 0)),
    (0, 1, (0.02, 0.02)), (0, 1, (-0.02, 0.02)), (0, 1, (0.02, -0.02)), (0, 1, (-0.02, -0.02)),
)  # fmt: skip


@click.command()
@click.argument("presets", nargs=-1, required=True)
@click.option("--data", required=True)
@click.option("--split", default="val", show_default=True)
def main(presets, data, split):
    models = [OnnxModel.from_preset(preset) for preset in presets]
    preprocessors = {model.preprocessor for model in models}
    if len(preprocessors) > 1:
        raise click.UsageError("Expected presets with one scheme, size and margin.")
    (preprocessor,) = preprocessors
    faces = Faces(preprocessor, read_samples(data, split, preprocessor.scheme))
    crops, points = load_crops(
        read_samples(data, "train", preprocessor.scheme),
        preprocessor.image_size,
        preprocessor.margin,
    )
    print(f"NME %, {len(faces.samples)} faces ({split}): once, with flip averaging")
    both = []
    for preset, model in zip(presets, models, strict=True):
        plain, flipped = (faces.looks(model, flip) for flip in (False, True))
        both.append((plain[0], flipped[0]))
        faces.report(f"{preset}, one look", *both[-1])
        faces.report("mean of three looks, turned by 6", plain[:3].mean(0), flipped[:3].mean(0))
        faces.report(f"mean of {len(LOOKS)} looks", plain.mean(0), flipped.mean(0))
        again = [
            faces.seen(model, faces.upright(found, points.mean(0)), flip)
            for found, flip in zip(both[-1], (False, True), strict=True)
        ]
        faces.report("a second look, turned upright by the first", *again)
        faces.report("mean of first and second", *np.mean([both[-1], again], axis=0))
    if len(models) > 1:
        faces.report("mean of the presets, one look each", *np.mean(both, axis=0))


class Faces:
    """Samples with their photos, seen through crops of one preprocessor."""

    def __init__(self, preprocessor, samples):
        self.preprocessor, self.samples = preprocessor, samples
        self.photos = [sample.image() for sample in samples]
        self.truth = np.stack([sample.points_image for sample in samples])

    def looks(self, model, flip):
        """(looks, F, N, 2) image pixels, one look for each of LOOKS."""
        size, margin = self.preprocessor.image_size, self.preprocessor.margin
        center = np.full(2, (size - 1) / 2)
        found = []
        for degrees, scale, shift in LOOKS:
            moved = geometry.similarity(center, center + np.array(shift) * size, scale, degrees)
            crops_from_images = [
                geometry.compose(moved, geometry.crop_from_box(sample.box, size, margin))
                for sample in self.samples
            ]
            found.append(self.seen(model, crops_from_images, flip))
        return np.stack(found)

    def upright(self, points, mean_points):
        """Crops from the box around landmarks that were found, turned like the mean face."""
        crops_from_images = []
        for found in points:
            turn = geometry.fit_similarity(found, mean_points)
            degrees = np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0]))
            center = found.mean(0)
            turned = geometry.similarity(center, center, 1.0, degrees)
            crop = geometry.crop_from_box(
                geometry.box_of(geometry.apply(turned, found)),
                self.preprocessor.image_size,
                self.preprocessor.margin,
            )
            crops_from_images.append(geometry.compose(crop, turned))
        return crops_from_images

    def seen(self, model, crops_from_images, flip):
        """(F, N, 2) image pixels."""
        size = self.preprocessor.image_size
        pairs = list(zip(self.photos, crops_from_images, strict=True))
        crops = np.stack([geometry.warp(photo, matrix, size) for photo, matrix in pairs])
        found = model.predict_points(crops, flip)
        return np.stack([
            geometry.apply(geometry.invert(matrix), points)
            for (_, matrix), points in zip(pairs, found, strict=True)
        ])  # fmt: skip

    def report(self, name, *points):
        errors = [
            normalized_mean_error(self.truth, found.astype(np.float32), self.preprocessor.scheme)
            for found in points
        ]
        means = [f"{float(np.mean(ops.convert_to_numpy(error))):7.2f}" for error in errors]
        print(f"{name:46}{''.join(means)}", flush=True)


if __name__ == "__main__":
    main()
