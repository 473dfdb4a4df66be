"""The `keras-lotr` command: each subcommand is a thin call of one function of the library."""

import os
from pathlib import Path

import click

from keras_lotr.cli_demo import demo
from keras_lotr.cli_errors import Commands
from keras_lotr.cli_export import export
from keras_lotr.cli_options import annotated_faces, only
from keras_lotr.cli_predict import predict, video
from keras_lotr.cli_publish import publish, publish_space
from keras_lotr.cli_report import report

# TensorFlow's and OpenCV's own notes; they are read when those libraries are first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keras-lotr")
def main():
    """Find the landmarks of faces: predict, train, evaluate."""


main.add_command(predict)
main.add_command(video)
main.add_command(report)
main.add_command(export)


@main.command()
@click.argument("recipe")
@click.option(
    "--data",
    multiple=True,
    required=True,
    help="Data set folder, for a mixture also NAME=FOLDER; repeat for more.",
)
@click.option("--out", type=Path, help="Folder of the run [runs/RECIPE].")
@click.option("--init", help="Preset to start from, or what fits of a .safetensors file.")
@click.option(
    "--backbone-weights",
    help="ImageNet start, instead of the recipe's: file, hf://timm/..., or none.",
)
@click.option("--reader", help="Reader of the data [recognised from the files].")
@only
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--mixed-precision", is_flag=True, help="Compute in bfloat16 (recent GPUs).")
@click.option(
    "--devices", type=click.Choice(["one", "all"]), default="one", help="all: JAX only [one]."
)
@click.option("--workers", type=click.IntRange(1), default=1, help="Threads that prepare batches.")
@click.option("--resume", is_flag=True, help="Go on where a stopped run left off.")
def train(
    recipe, data, out, init, backbone_weights, reader, only, epochs, mixed_precision, devices,
    workers, resume,
):  # fmt: skip
    """Train RECIPE, a preset's name or a recipe.json, on the faces of --data."""
    from dataclasses import replace

    from keras_lotr.devices import spread_over_devices
    from keras_lotr.memory import KeepMemory
    from keras_lotr.recipes import Recipe
    from keras_lotr.training import train

    settings = Recipe.load(recipe)
    dtype = "mixed_bfloat16" if mixed_precision else None
    given = {"epochs": epochs, "backbone_weights": backbone_weights, "dtype": dtype}
    settings = replace(settings, **{k: v for k, v in given.items() if v is not None})
    out = out or Path("runs") / Path(recipe).stem
    if devices == "all":
        click.echo(f"Devices: {', '.join(spread_over_devices(settings.batch_size))}")
    preset = train(
        settings, data, out, init, reader, resume, workers, only=only, callbacks=[KeepMemory()]
    )
    click.echo(f"Best weights: {preset}")


@main.command()
@click.option("--photos", multiple=True, required=True, help="Folder, or text file of paths.")
@click.option("--held-out", multiple=True, required=True, help="Photos to validate on, likewise.")
@click.option("--teacher", type=Path, required=True, help="face_detection_yunet_2023mar.onnx")
@click.option("--out", type=Path, default=Path("runs/face_detector"), show_default=True)
@click.option("--epochs", type=click.IntRange(2), default=40, help="Of 200 batches [40].")
@click.option("--learning-rate", type=float, default=4e-3, help="The highest [0.004].")
@click.option("--init", help="Preset of a face detector to start from.")
@click.option("--freeze-batch-norm", is_flag=True, help="Keep the statistics of --init.")
@click.option("--features-weight", default=1.0, help="Of the teacher's features in the loss [1].")
@click.option("--resume", is_flag=True, help="Go on where a stopped run left off.")
def train_detector(photos, held_out, teacher, out, **settings):
    """Teach the small face detector on PHOTOS what YuNet sees in them; no labels are needed."""
    from keras_lotr.detector.distillation import distill, photo_paths
    from keras_lotr.memory import KeepMemory

    settings["callbacks"] = [KeepMemory()]
    preset = distill(photo_paths(photos), teacher, out, photo_paths(held_out), **settings)
    click.echo(f"Best weights: {preset}")


@main.command()
@annotated_faces
@click.option("--output", type=Path, help="Also write JSON here, and a CSV of the faces beside it.")
def evaluate(preset, data, split, flip, reader, output):
    """Measure PRESET on annotated faces: NME, failure rate, AUC, by region and subset."""
    from keras_lotr import evaluation

    results, faces = evaluation.evaluate(preset, data, split, flip, reader)
    click.echo(evaluation.as_text(results))
    if output:
        evaluation.write_results(results, faces, output)


@main.command()
def presets():
    """List the presets that can be loaded by name."""
    from keras_lotr.publishing import preset_table

    click.echo(preset_table())


@main.command()
@click.argument("run", type=Path)
@click.argument("folder", type=Path)
@click.option("--float16", is_flag=True, help="Halve the file of the weights.")
def prepare(run, folder, float16):
    """Make a preset FOLDER to ship from a training RUN: weights, recipe, history."""
    from keras_lotr.publishing import prepare

    prepare(run, folder, "float16" if float16 else None)


@main.command()
@click.argument("folder", type=Path)
@click.option("--examples", type=Path, help="Also draw what it finds on these rendered faces.")
def card(folder, examples):
    """Fill in metadata.json of a preset FOLDER and write its card, README.md, from its files."""
    from keras_lotr.publishing import write_card

    click.echo(f"Wrote {write_card(folder, examples)}")


main.add_command(demo)
main.add_command(publish)
main.add_command(publish_space)
