"""`keras-lotr demo`: presets in a browser."""

import errno
import socket

import click

from keras_lotr.cli.checks import landmark_preset
from keras_lotr.cli.options import examples
from keras_lotr.cli.types import PRESET_NAME
from keras_lotr.quiet import start_keras


@click.command(epilog=examples("demo --engine onnxruntime", "demo --preset lotr_m_98 --port 8000"))
@click.option(
    "--preset",
    type=PRESET_NAME,
    default="lotr_m_68",
    show_default=True,
    help="Preset that is selected at first: a name, a folder or hf://org/name.",
)
@click.option(
    "--engine",
    type=click.Choice(["keras", "onnxruntime"]),
    default="keras",
    show_default=True,
    help="What runs the network. keras also shows the attention of a landmark; onnxruntime starts "
    "at once and needs no Keras.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve at; 0.0.0.0: for all machines of the network.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port to serve at [7860, or the next free one]."
)
def demo(preset, engine, host, port):
    """Try presets in a browser: images, the camera, videos."""
    landmark_preset(preset)
    _check_address(host, port or 0)
    if engine == "keras":
        start_keras()
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


def _check_address(host, port):
    """Refuse an address that cannot be had; Gradio would name an argument of its own, or wait.

    Args:
        port: 0: any free one will do.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        of_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
        raise OSError(
            f"The demo cannot be served at {host}:{port}: {error.strerror}. Take another "
            f"{'--port' if of_port else '--host'}."
        ) from None
