"""`keras-lotr demo`: presets in a browser."""

import click

from keras_lotr.cli_options import engine


@click.command()
@click.option("--preset", default="lotr_m_300w", show_default=True, help="That is chosen first.")
@engine
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: for all machines.")
@click.option("--port", type=click.IntRange(1, 65535), help="[7860, or the next that is free]")
def demo(preset, engine, host, port):
    """Try presets in a browser: pictures, the camera, videos."""
    try:
        from keras_lotr.demo.page import build, launch
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The demo needs the package {error.name}: pip install 'keras-lotr[demo]'"
        ) from None
    page = build(preset, engine)
    launch(page, host, port, prevent_thread_lock=True)
    click.echo(f"The demo is at {page.local_url} until Ctrl+C is pressed.")
    page.block_thread()
