"""What the command does when it cannot go on: one sentence on standard error, and an exit code.

The boundary: `ValueError`, `OSError` and `ImportError` are what this library raises for bad input,
and the errors of `_READERS` are what libraries raise that read a user's files: exit code 2. Any
other error, such as a `KeyError`, is a fault of this library and ends with its traceback. Ctrl-C,
SIGTERM and SIGHUP, of a terminal that is gone, end with `STOPPED`.
"""

import os
import signal
import sys
import threading
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import click

from keras_lotr.cli.streams import standard_streams
from keras_lotr.sentences import sentence

STOPPED = 130  # what a shell says of a command that Ctrl-C ended
# Windows has no SIGHUP.
_AS_CTRL_C = [getattr(signal, n) for n in ("SIGTERM", "SIGHUP") if hasattr(signal, n)]
# Libraries whose errors for a bad file are no ValueError: the first part of the error's module.
_READERS = {"cv2", "_csv", "onnx", "onnxruntime", "safetensors", "safetensors_rust"}


class Commands(click.Group):
    """A group whose subcommands answer errors of the input with a sentence, not a traceback.

    Attributes:
        former_names: {former name of a subcommand: name}; they still run, and are not listed.
    """

    former_names = {"prepare": "package-preset", "card": "model-card"}

    def parse_args(self, context, args):
        return super().parse_args(context, [_with_home(word) for word in args])

    def get_command(self, context, name):
        return super().get_command(context, self.former_names.get(name, name))

    def main(self, *args, **settings):
        # Help and version are printed outside of `invoke`. Of `keras-lotr ... | head` click ends
        # the program without a word.
        with standard_streams(), _warnings_as_lines():
            try:
                return super().main(*args, **settings)
            except Exception as error:
                _drop_output()
                if not is_of_the_input(error):
                    raise
                if _is_of_output(error):
                    error = OSError(f"Standard output cannot be written: {error.strerror}.")
                click.echo(f"keras-lotr: {sentence(error)}", err=True)
                sys.exit(2)

    def invoke(self, context):
        with _others_as_ctrl_c():
            try:
                return super().invoke(context)
            except KeyboardInterrupt as stop:
                click.echo(f"keras-lotr: {str(stop) or 'Stopped.'}", err=True)
                sys.exit(STOPPED)


@contextmanager
def _warnings_as_lines():
    """Warnings of this library are shown as its errors are, without the place in its code."""
    usual, package = warnings.formatwarning, str(Path(__file__).parents[1])

    def line(message, category, filename, *place, **more):
        if issubclass(category, UserWarning) and filename.startswith(package):
            return f"keras-lotr: {message}\n"
        return usual(message, category, filename, *place, **more)

    warnings.formatwarning = line
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _is_of_output(error):
    """Whether click could not print; files that cannot be written have a sentence already."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return isinstance(error, OSError) and frame.f_globals.get("__name__") == "click.utils"


def _drop_output():
    """Forget what standard output does not take: Python would try again when the program ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _others_as_ctrl_c():
    """SIGTERM and SIGHUP count as Ctrl-C, but where they are ignored, as of nohup, or handled."""
    in_main = threading.current_thread() is threading.main_thread()
    taken = [n for n in _AS_CTRL_C if in_main and signal.getsignal(n) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number, frame):
    if number != signal.SIGTERM:  # the shell and the kernel both tell that a terminal is gone
        signal.signal(number, signal.SIG_IGN)
    handler = signal.getsignal(signal.SIGINT)  # of a command that ends in its own way, or ignored
    (handler if callable(handler) else signal.default_int_handler)(number, frame)


@contextmanager
def when_stopped(left):
    """Ctrl-C within the block says what is left and how to go on.

    Args:
        left: function without arguments that gives it as a sentence, or "".
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped. {left()}".rstrip()) from None


def _with_home(word):
    """A word of the command line with "~" as the home folder, where the shell left it as it is.

    Shells do so in quotes, in --output=~/found and in NAME=~/faces.
    """
    return "=".join(map(os.path.expanduser, word.split("=")))


def is_of_the_input(error):
    """Whether an exception tells of bad input rather than of a fault in this library.

    Example:

    >>> is_of_the_input(FileNotFoundError("There is no a.jpg.")), is_of_the_input(KeyError("a"))
    (True, False)
    """
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, ValueError | OSError | ImportError) or library in _READERS
