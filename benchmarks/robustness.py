"""What presets lose when crops are turned, shifted, dark or covered: NME, side by side.

    python benchmarks/robustness.py lotr_m_68 runs/x/preset --data FOLDER [--split val]
    python benchmarks/robustness.py lotr_m_98 --data HARD --only wflw
    python benchmarks/robustness.py lotr_m_68 --data HARD --only cfp \
        --normalizer box

Each row changes one thing about the same faces, by the same random numbers for each preset. Boxes
of a detector are about 0.04 of their side off and 0.05 too large or small.
"""

import click
import numpy as np
from keras import ops

from keras_lotr import LOTR
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.augmentation import Augmentation, random_crop
from keras_lotr.metrics import normalized_mean_error

NOTHING = dict.fromkeys(Augmentation.__dataclass_fields__, 0.0)
CONDITIONS = {
    "as the preprocessor says": {},
    "turned by up to 15 degrees": {"rotation": 15},
    "turned by up to 30 degrees": {"rotation": 30},
    "turned by up to 45 degrees": {"rotation": 45},
    "larger or smaller by up to 15 %": {"scale": 0.15},
    "shifted by up to 0.06 of the side": {"shift": 0.06},
    "other colours": {"color": 0.5},
    "grey": {"gray": 1},
    "blurred, coarse or noisy": {"blur": 1},
    "a part covered": {"cutout": 1},
}


@click.command()
@click.argument("presets", nargs=-1, required=True)
@click.option("--data", required=True)
@click.option("--split", default="val", show_default=True)
@click.option("--only", multiple=True, help="Only faces of this set or subset; repeat for more.")
@click.option("--normalizer", help="What errors are divided by [usual for the scheme].")
def main(presets, data, split, only, normalizer):
    models = {preset: LOTR.from_preset(preset) for preset in presets}
    preprocessors = {model.preprocessor for model in models.values()}
    if len(preprocessors) > 1:
        raise click.UsageError("Expected presets with one scheme, size and margin.")
    (preprocessor,) = preprocessors
    try:
        samples = read_samples(data, split, preprocessor.scheme, only=only)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from None
    which = " ".join((split, *only))
    print(f"NME %, {len(samples)} faces ({which}), no flip averaging: {', '.join(presets)}")
    for name, change in CONDITIONS.items():
        crops, points = changed(samples, preprocessor, Augmentation(**{**NOTHING, **change}))
        errors = [
            ops.convert_to_numpy(
                normalized_mean_error(
                    points, model.predict_points(crops), preprocessor.scheme, normalizer=normalizer
                )
            )
            for model in models.values()
        ]
        means = [f"{float(np.nanmean(error)):6.2f}" for error in errors]
        print(f"{name:36}{' '.join(means)}")


def changed(samples, preprocessor, augmentation):
    """The crops and points of all samples, each changed at random."""
    rng = np.random.default_rng(0)
    made = [
        random_crop(
            s.image(), s.points_image, s.box, preprocessor.scheme,
            preprocessor.image_size, preprocessor.margin, augmentation, rng,
        )
        for s in samples
    ]  # fmt: skip
    crops, points = zip(*made, strict=True)
    return np.stack(crops), np.stack(points)


if __name__ == "__main__":
    main()
