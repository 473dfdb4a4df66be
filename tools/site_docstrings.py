"""Docstrings as the site's reader of them wants them; mkdocs.yml names this file.

Keras writes `Example:` over doctests that are not indented, and `Call arguments:` for what a layer
or another callable takes. Griffe knows `Examples:` with an indented body, and titles of sections.
"""

import re
from textwrap import indent

import griffe

_EXAMPLE = re.compile(r"^Example:\n\n(.*?)(?=^[A-Z]\w+:\n|\Z)", re.MULTILINE | re.DOTALL)


class KerasDocstrings(griffe.Extension):
    """Changes the text of each docstring before it is parsed."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring is not None:
            obj.docstring.value = of_griffe(obj.docstring.value)


def of_griffe(text):
    """The docstring with its examples and call arguments as sections that griffe knows.

    Example:

    >>> of_griffe("A sum.\\n\\nExample:\\n\\n>>> 1 + 1\\n2\\n")
    'A sum.\\n\\nExamples:\\n    >>> 1 + 1\\n    2\\n'
    """
    text = _EXAMPLE.sub(lambda match: f"Examples:\n{indent(match[1], '    ')}", text)
    return re.sub(r"^Call arguments:$", "Keyword Args: Call arguments", text, flags=re.MULTILINE)
