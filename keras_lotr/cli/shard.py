"""`keras-lotr shard`: a thin call of `keras_lotr.datasets.shard_writing`."""

import click

from keras_lotr.cli.checks import check_exists
from keras_lotr.cli.options import examples, reader
from keras_lotr.cli.types import NAME, PATH
from keras_lotr.writing import check_new_folder


@click.command(
    epilog=examples("shard --data FOLDER --output shards", "train lotr_m_68 --data shards")
)
@click.option("--data", type=NAME, required=True, help="Folder, COCO or CSV file of the data set.")
@click.option(
    "--output", "--out", "out", type=PATH, required=True, help="Folder to write, new or empty."
)
@click.option("--scheme", help="Landmark scheme to read, such as wflw98 [the data set's own].")
@reader
@click.option(
    "--megabytes",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Of images in each tar file.",
)
def shard(data, out, scheme, reader, megabytes):
    """Write a data set as tar files with an index, which training reads as it reads a folder."""
    check_exists("data set", data)
    check_new_folder(out)
    from keras_lotr.datasets.shard_writing import write_shards
    from keras_lotr.schemes import get_scheme

    facts = write_shards(data, out, scheme, reader, megabytes * 10**6)
    click.echo(
        f"{facts['faces']:,} faces ({get_scheme(facts['scheme'])}) in {facts['images']:,} images: "
        f"{len(facts['tars'])} tar files in {out}"
    )
