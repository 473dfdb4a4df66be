"""Locks of files and folders that one process writes at a time."""

import errno
import os

try:
    import fcntl
except ImportError:  # Windows, where a folder cannot be locked, nor a locked file be replaced
    fcntl = None


def lock(path):
    """Lock a folder, or a file, which is made if it is missing.

    The system takes the lock back when the process ends, however it ends.

    Args:
        path: of the folder or file; a link to a file is not followed.

    Returns:
        A file descriptor, whose closing takes the lock back; None where there are no locks. File
        systems that know none give one without a lock: nothing is worse than before.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: it cannot be opened or made.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> held = lock(folder)
    >>> lock(folder)
    Traceback (most recent call last):
    BlockingIOError: ... is locked
    >>> os.close(held)
    """
    if fcntl is None:
        return None
    flags = os.O_RDONLY if os.path.isdir(path) else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    while True:
        descriptor = os.open(path, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(descriptor)
                raise BlockingIOError(errno.EWOULDBLOCK, f"{path} is locked") from None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # of a file that the process before has just removed


def _is_at(descriptor, path):
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
