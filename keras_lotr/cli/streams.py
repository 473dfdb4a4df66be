"""The standard streams of the command: all three are there, and messages never end the work."""

import io
import os
import sys
from contextlib import contextmanager


@contextmanager
def standard_streams():
    """Streams that the program was started without are empty ones meanwhile.

    Programs without a terminal, as of pythonw or behind `2>&-`, have None in their place. What
    standard error does not take, because its disk is full or its terminal gone, is dropped.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    # In this order: each gets the lowest number that is free, which is its own. Otherwise a file of
    # results could get it, with all that C libraries print.
    sys.stdin = sys.stdin or _empty("r")
    sys.stdout = sys.stdout or _empty("w")
    sys.stderr = sys.stderr or _empty("w")
    if sys.stderr is sys.__stderr__:
        sys.stderr = _dropping(sys.stderr)
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def is_output_closed():
    """Whether within `standard_streams` there is no standard output; `> /dev/null` is one."""
    return getattr(sys.stdout, "name", None) == os.devnull


def _empty(mode):
    stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115
    os.set_inheritable(stream.fileno(), True)  # by the processes of --workers
    return stream


def _dropping(stream):
    # Below the buffers: otherwise Python tries again what was not written when the program ends.
    bytes_of_it = io.BufferedWriter(_Dropping(getattr(stream.buffer, "raw", stream.buffer)))
    return io.TextIOWrapper(bytes_of_it, stream.encoding, stream.errors, line_buffering=True)


class _Dropping(io.RawIOBase):
    """A stream of which nobody hears that it cannot be written.

    Args:
        raw: the stream, in bytes and without a buffer.
    """

    def __init__(self, raw):
        self._raw, self.name = raw, raw.name

    def write(self, data):
        try:
            return self._raw.write(data)
        except OSError:
            return len(data)

    def writable(self):
        return True

    def fileno(self):
        return self._raw.fileno()

    def isatty(self):
        return self._raw.isatty()
