"""Options that several subcommands have in common."""

import click

engine = click.option(
    "--engine", type=click.Choice(["keras", "onnxruntime"]), default="keras", show_default=True,
    help="onnxruntime runs the preset's model.onnx without Keras.",
)  # fmt: skip


def annotated_faces(command):
    """PRESET, and the annotated faces that it is measured on."""
    for option in (
        click.option("--reader", help="Reader of the data [recognised from the files]."),
        click.option("--flip", is_flag=True, help="Average with the mirrored faces' landmarks."),
        click.option("--split", default="test", help="train, val or test [test]."),
        click.option("--data", required=True, help="Data set folder."),
        click.argument("preset"),
    ):
        command = option(command)
    return command
