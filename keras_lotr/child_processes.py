"""Processes that another one starts: the terminal's signals are its own, and none outlives it."""

import multiprocessing
import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait

# Ctrl-C, and that the terminal is gone, of which Windows has no signal.
_OF_TERMINAL = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def terminal_ignored():
    """Ctrl-C and a closed terminal do nothing meanwhile, nor ever to a process that is started now.

    A terminal tells all processes, and one that still imports would print a traceback. In other
    threads than the main one, which cannot say what a signal does, nothing changes.

    Example:

    >>> import signal
    >>> with terminal_ignored():
    ...     signal.raise_signal(signal.SIGINT)
    """
    in_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _OF_TERMINAL if in_main}
    if None in before.values():  # a handler that is not Python's
        before = {}
    try:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def live_as_long_as_the_parent():
    """From now on this process ignores Ctrl-C, which is the parent's, and ends when that is gone.

    A parent that is killed cannot end its processes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows it is not inherited
    parent = multiprocessing.parent_process().sentinel
    threading.Thread(target=lambda: (wait([parent]), os._exit(1)), daemon=True).start()
