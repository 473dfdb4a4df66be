"""The `keras-lotr` command: each subcommand is a thin call of one function of the library."""

import os

import click

from keras_lotr import __version__
from keras_lotr.cli.certainty import report_certainty, review, train_certainty
from keras_lotr.cli.demo import demo
from keras_lotr.cli.errors import Commands
from keras_lotr.cli.export import export
from keras_lotr.cli.options import examples
from keras_lotr.cli.predict import predict
from keras_lotr.cli.publish import model_card, package_preset, publish, publish_space
from keras_lotr.cli.report import evaluate, report
from keras_lotr.cli.shard import shard
from keras_lotr.cli.train import train, train_detector
from keras_lotr.cli.video import video, webcam

# OpenCV's own notes; it is read when OpenCV is first imported.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("predict photo.jpg --draw --output found", "predict --help"),
)
@click.version_option(__version__)
def main():
    """Find the landmarks of faces: predict, train, evaluate."""


@main.command(
    epilog=examples("presets", "predict photo.jpg --preset lotr_m_98   (one of the list)")
)
def presets():
    """List the presets that can be loaded by name."""
    from keras_lotr.presets.table import preset_table

    click.echo(preset_table())


report.add_command(report_certainty, "certainty")
for command in (
    *(predict, video, webcam, train, train_certainty, train_detector),
    *(shard, evaluate, review, report),
    *(export, demo),
    *(package_preset, model_card, publish, publish_space),
):
    main.add_command(command)
