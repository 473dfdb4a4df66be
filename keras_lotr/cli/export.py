"""`keras-lotr export`: a thin call of `keras_lotr.export`."""

import os
import sys
from pathlib import Path

import click

from keras_lotr.cli.checks import landmark_preset
from keras_lotr.cli.options import examples
from keras_lotr.cli.types import NAME, PATH, PRESET_NAME
from keras_lotr.export.endings import ENDINGS, check_ending, format_of
from keras_lotr.quiet import quiet_stderr, start_keras


def _batch(context, parameter, value):
    if value == "dynamic":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"Expected dynamic or a number from 1. Received: {value}")
    return int(value)


@click.command(
    epilog=examples(
        "export lotr_m_68 --float16",
        "export lotr_m_68 --int8 --calibration 'examples/rendered_faces/*/*.jpg'",
    )
)
@click.argument("preset", type=PRESET_NAME)
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(ENDINGS)),
    help="What is written: a file for onnxruntime, LiteRT (TensorFlow Lite) or OpenVINO, or a "
    "TensorFlow SavedModel [as the ending of --output says, otherwise onnx].",
)
@click.option(
    "--output",
    type=PATH,
    help="File to write, for saved_model a new folder [PRESET.onnx, PRESET_float16.onnx, "
    "PRESET_int8.onnx, PRESET.tflite, PRESET.xml, PRESET_saved_model].",
)
@click.option(
    "--batch",
    default="dynamic",
    show_default=True,
    callback=_batch,
    help="Number of crops that the file takes at a time, or dynamic: any number.",
)
@click.option("--float16", is_flag=True, help="Weights in 16 bits: half the size (onnx).")
@click.option("--int8", is_flag=True, help="Weights and activations in 8 bits: less time (onnx).")
@click.option(
    "--calibration",
    type=NAME,
    multiple=True,
    help="Images of faces that --int8 takes its ranges from: a file, folder or pattern; repeat "
    "for more.",
)
def export(preset, kind, output, batch, float16, int8, calibration):
    """Write PRESET as a file that runs without Keras, and check that it gives the same points.

    The file is complete, but for model.onnx and model_int8.onnx in PRESET's own folder: they read
    their float weights from model.safetensors there.
    """
    kind = kind or (output and format_of(output)) or "onnx"
    numbers = "_int8" if int8 else "_float16" if float16 else ""
    output = output or Path(Path(os.path.abspath(preset)).name + numbers + ENDINGS[kind])
    _check(preset, kind, output, float16, int8, calibration)
    start_keras()
    from keras_lotr.export.check import ExportDiffers
    from keras_lotr.export.exporter import export_preset

    try:
        with quiet_stderr():  # the writers' and runtimes' own notes
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


def _check(preset, kind, output, float16, int8, calibration):
    """Refuse what can be refused before the model is built."""
    if int8 != bool(calibration):
        raise click.UsageError("Expected --int8 and --calibration together.")
    if int8 and float16:
        raise click.UsageError("Expected --int8 or --float16, not both.")
    if kind != "onnx" and (int8 or float16):
        raise click.UsageError(f"Expected --format onnx for --int8 or --float16, not {kind}.")
    if kind != "saved_model" and output.is_dir():
        raise click.UsageError(f"Expected a file as --output. {output} is a folder.")
    check_ending(output, kind)
    landmark_preset(preset, trained=False)
    if calibration:
        from keras_lotr.images.folders import expand

        expand(calibration)
