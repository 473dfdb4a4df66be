"""The code of a document: its Python blocks, and the `keras-lotr` commands of its shell blocks and
of its text."""

import glob
import re
import shlex
from dataclasses import dataclass

_CODE = re.compile(r"^```(\w*)\n(.*?)^```|`(keras-lotr [^`\n]+)`", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """Something that a reader does.

    Attributes:
        kind: "python", "json" (the page's recipe.json) or "command".
        code: the block, or the command line.
        line: number of its line on the page.
        in_text: a command that stands in a sentence, where it may be only a name.
    """

    kind: str
    code: str
    line: int
    in_text: bool = False


def steps(text):
    """The steps of a page from top to bottom; a command that is repeated is one step."""
    found = []
    for match in _CODE.finditer(text):
        language, block, command = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if command:
            found.append(Step("command", command, line, in_text=True))
        elif language in ("python", "json"):
            found.append(Step(language, block, line + 1))
        elif language in ("", "bash", "sh", "shell"):
            found += [Step("command", c, n) for n, c in _commands(block, line + 1)]
    unique = {(step.kind, step.code): step for step in reversed(found)}
    return sorted(unique.values(), key=lambda step: step.line)


def _commands(block, first):
    for number, line in enumerate(block.splitlines(), first):
        line = re.sub(r"\s[#>].*", "", line)  # comments, and where output goes
        for part in re.split(r"&&|\(|\)", line):
            if part.strip().startswith("keras-lotr "):
                yield number, part.strip()


def arguments(command):
    """The words after `keras-lotr`, patterns expanded as a shell does: unless they are quoted."""
    words = []
    for word in shlex.split(command, posix=False)[1:]:
        plain = word.strip("'\"")
        words += [plain] if word != plain else sorted(glob.glob(word)) or [word]
    return words
