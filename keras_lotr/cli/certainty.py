"""`keras-lotr train-certainty` and `keras-lotr review`: how sure landmarks are, and what for."""

from pathlib import Path

import click

from keras_lotr.cli.checks import check_exists, landmark_preset
from keras_lotr.cli.options import examples
from keras_lotr.presets.files import ONNX, WEIGHTS
from keras_lotr.quiet import start_keras


@click.command(
    epilog=examples(
        "train-certainty lotr_m_68 --data FACES --visibility RENDERED --photos PHOTOS --output NEW",
    )
)
@click.argument("preset")
@click.option(
    "--data", multiple=True, required=True,
    help="Data set whose landmarks are true; half of its val faces calibrate. Repeat for more.",
)  # fmt: skip
@click.option(
    "--visibility", multiple=True,
    help="Data set that only says which landmarks are seen, such as rendered faces; repeat.",
)  # fmt: skip
@click.option("--photos", help="Folder of photos, for boxes without a face.")
@click.option(
    "--calibrate-on", multiple=True,
    help="Tag of the val faces that calibrate, such as a set; repeat for more [all].",
)  # fmt: skip
@click.option("--output", type=Path, required=True, help="Folder of the new preset.")
@click.option(
    "--crops", type=click.IntRange(64), default=9000, show_default=True,
    help="Random crops that are learned from.",
)  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def train_certainty(preset, data, visibility, photos, calibrate_on, output, crops, epochs, seed):
    """Teach PRESET how sure its landmarks are and which are seen; the landmarks stay the same."""
    landmark_preset(preset)
    check_exists("data set", *data, *visibility, *([photos] if photos else []))
    start_keras(to_train=True)
    from keras_lotr.export.onnx import export_onnx
    from keras_lotr.lotr import LOTR
    from keras_lotr.training import certainty

    told = certainty.train_certainty(
        preset, data, output, visibility, photos, calibrate_on, crops, epochs, seed=seed
    )
    try:
        export_onnx(LOTR.from_preset(output), output / ONNX, weights=output / WEIGHTS)
    except ImportError as error:
        click.echo(f"keras-lotr: {ONNX} was not written: {error}", err=True)
    factors = ", ".join(f"{region} {factor:.2f}" for region, factor in told["factors"].items())
    click.echo(f"Written to {output}; factors of the regions: {factors}")
