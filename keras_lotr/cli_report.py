"""`keras-lotr report`: the paper's tables and figures for one's own results, into `results/`."""

from pathlib import Path

import click

from keras_lotr.cli_options import annotated_faces

RESULTS = click.argument("results", nargs=-1, required=True, type=Path)


def output(name):
    """The option that says where to write; without it `results/NAME`."""
    default = Path("results") / name
    return click.option("--output", type=Path, default=default, show_default=True)


@click.group()
def report():
    """Tables and figures in the layout of the paper."""


@report.command()
@RESULTS
@output("table.md")
def table(results, output):
    """RESULTS of `evaluate --output` beside the published numbers (Tables 2 and 3), as Markdown."""
    from keras_lotr.reports import read_results, tables

    text = tables([read_results(path) for path in results])
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text + "\n", encoding="utf-8")
    click.echo(text)


@report.command()
@RESULTS
@click.option("--limit", type=click.FloatRange(0, min_open=True), default=10, help="Largest NME.")
@output("ced.png")
def ced(results, limit, output):
    """Cumulative error distribution of RESULTS of `evaluate --output`, a curve each."""
    from keras_lotr.figures import draw_ced

    draw_ced(results, output, limit)
    click.echo(f"Wrote {output}")


@report.command()
@output("losses.png")
def losses(output):
    """Fig. 2: Wing and smooth-Wing and their slopes."""
    from keras_lotr.figures import draw_losses

    draw_losses(output)
    click.echo(f"Wrote {output}")


@report.command()
@annotated_faces
@click.option("--band", multiple=True, type=float, help="Border between rows; repeat [5 and 6 %].")
@output("samples.png")
def samples(preset, data, split, flip, reader, only, normalizer, band, output):
    """Fig. 3: faces by NME (rows) and subset (columns) with PRESET's landmarks."""
    from keras_lotr.evaluation import measure
    from keras_lotr.figures import BANDS, draw_samples

    measured = measure(preset, data, split, flip, reader, only, normalizer)
    draw_samples(measured, output, band or BANDS)
    click.echo(f"Wrote {output}")
