"""Processes that another one starts: none prints its own Ctrl-C, and none outlives its parent."""

import multiprocessing
import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing.connection import wait


@contextmanager
def ctrl_c_ignored():
    """Ctrl-C does nothing meanwhile, and never to a process that is started meanwhile.

    A terminal sends it to all processes, and one that still imports would print a traceback. In
    other threads than the main one, which cannot say what a signal does, nothing changes.

    Example:

    >>> import signal
    >>> with ctrl_c_ignored():
    ...     signal.raise_signal(signal.SIGINT)
    """
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not in_main or before is None:  # None: a handler that is not Python's
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def live_as_long_as_the_parent():
    """From now on this process ignores Ctrl-C, which is the parent's, and ends when that is gone.

    A parent that is killed cannot end its processes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows it is not inherited
    parent = multiprocessing.parent_process().sentinel
    threading.Thread(target=lambda: (wait([parent]), os._exit(1)), daemon=True).start()
