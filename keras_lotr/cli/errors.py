"""What the command does with bad input: one sentence on standard error, exit code 2.

The boundary: `ValueError`, `OSError` and `ImportError` are what this library raises for bad input,
and the errors of `_READERS` are what libraries raise that read a user's files. Any other error,
such as a `KeyError`, is a fault of this library and ends with its traceback.
"""

import os
import sys

import click

from keras_lotr.sentences import sentence

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

    def invoke(self, context):
        try:
            return super().invoke(context)
        except BrokenPipeError:  # `keras-lotr ... | head`: click ends the program without a word
            raise
        except Exception as error:
            if not is_of_the_input(error):
                raise
            click.echo(f"keras-lotr: {sentence(error)}", err=True)
            sys.exit(2)


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
