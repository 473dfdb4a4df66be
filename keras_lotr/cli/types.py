"""Kinds of arguments: paths and presets that the shell completes, numbers that are numbers."""

import math
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from keras_lotr.presets.files import local_presets

# A file or folder, whose name the shell completes; as a `Path` or as it was written, which may also
# be a pattern or an address.
PATH = click.Path(path_type=Path)
NAME = click.Path()


class Preset(click.ParamType):
    """A preset's short name, which the shell completes, its folder, or another that means one."""

    name = "text"

    def shell_complete(self, context, parameter, incomplete):
        names = [name for name in sorted(local_presets()) if name.startswith(incomplete)]
        return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]


PRESET_NAME = Preset()


class Engine(click.Choice):
    """What runs a network. Ray, which is sometimes asked for here, shares images among machines."""

    def convert(self, value, parameter, context):
        if value == "ray":
            hint = (
                "'ray' is no engine: `keras-lotr predict --ray` shares the images among machines."
            )
            self.fail(hint, parameter, context)
        return super().convert(value, parameter, context)


class Number(click.FloatRange):
    """As `click.FloatRange`, without NaN, which no limit stops, and infinity."""

    def convert(self, value, parameter, context):
        number = super().convert(value, parameter, context)
        if not math.isfinite(number):
            self.fail(f"Expected a number. Received: {value}", parameter, context)
        return number

    def _describe_range(self):  # which click would call x<=None in the help of one without limits
        return "" if self.min is self.max is None else super()._describe_range()
