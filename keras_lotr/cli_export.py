"""`keras-lotr export`: a thin call of `keras_lotr.export`."""

import sys
from pathlib import Path

import click

ENDINGS = {
    "onnx": ".onnx",
    "litert": ".tflite",
    "openvino": ".xml",
    "saved_model": "_saved_model",
}


def _batch(context, parameter, value):
    if value == "dynamic":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"Expected dynamic or a number from 1. Received: {value}")
    return int(value)


@click.command()
@click.argument("preset")
@click.option(
    "--format", "kind", type=click.Choice(list(ENDINGS)), default="onnx", show_default=True
)
@click.option("--output", type=Path, help="The file [NAME.onnx, NAME.tflite ...].")
@click.option("--batch", default="dynamic", callback=_batch, help="Crops at a time [dynamic].")
@click.option("--float16", is_flag=True, help="16-bit weights: half the file (onnx).")
@click.option("--int8", is_flag=True, help="8-bit weights and activations (onnx).")
@click.option(
    "--calibration", multiple=True, help="Pictures of faces for --int8: folder or pattern; repeat."
)
def export(preset, kind, output, batch, float16, int8, calibration):
    """Write PRESET as a file that runs without Keras, and check that it gives the same points."""
    from keras_lotr.export import export_preset
    from keras_lotr.export_check import ExportDiffers

    if int8 != bool(calibration):
        raise click.UsageError("Expected --int8 and --calibration together.")
    if int8 and float16:
        raise click.UsageError("Expected --int8 or --float16, not both.")
    output = output or Path(Path(preset).name + ENDINGS[kind])
    try:
        done = export_preset(preset, output, kind, batch, calibration or None, float16)
    except ExportDiffers as error:  # our fault or the runtime's, not bad input
        click.echo(f"keras-lotr: {error}", err=True)
        sys.exit(1)
    click.echo(f"Wrote {output}" + ("" if done.trained else ". Its weights are untrained."))
    if int8:
        click.echo(
            f"Its points are {done.int8_difference:.3f} crop pixels from those in float32, in the "
            f"mean of {done.num_crops} faces."
        )
