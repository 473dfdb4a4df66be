"""Files and folders that are being written, under hidden names until they are whole."""

import os
import re
import shutil
import time
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

_NAME = re.compile(r"\.(\d+)_[0-9a-f]{8}(\.\w+)?")  # of `beside`
_UNTOUCHED = 3600  # seconds; whoever is at work on something writes more often


def beside(path):
    """A hidden name beside it that is short, whatever the name, and has its ending."""
    ending = path.suffix if len(path.suffix) <= 10 else ""
    return path.with_name(f".{os.getpid()}_{zlib.crc32(os.fsencode(path.name)):08x}{ending}")


@contextmanager
def unfinished_folder(path):
    """An empty folder beside `path` for what is to take its place, removed when the block ends.

    Folders and files that killed processes left there are removed as well, see `remove_abandoned`.

    Args:
        path: a file or folder; the folder that it is in is made if it is missing.

    Raises:
        OSError: it cannot be made there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent)
    folder = beside(path)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_unfinished(folder):
    """Remove what `writing.replaced` left in a folder when its process was killed.

    Args:
        folder: in which no other process writes.
    """
    for path in Path(folder).iterdir():
        if _NAME.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def remove_abandoned(folder):
    """Remove what `writing.replaced` and `unfinished_folder` left when their processes were killed.

    Others may be writing in the folder: what belongs to a process of this machine stays, and so
    does what was touched within an hour, since the machine may be another one.

    Args:
        folder: of which nothing is said if it is missing or cannot be read.
    """
    with suppress(OSError):
        for path in Path(folder).iterdir():
            name = _NAME.fullmatch(path.name)
            if name and not _is_alive(int(name[1])) and time.time() - _touched(path) > _UNTOUCHED:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _touched(path):
    """When something was last written there, in seconds since 1970."""
    return max(entry.lstat().st_mtime for entry in (path, *path.rglob("*")))


def _is_alive(pid):
    if os.name == "nt":  # where this would end the process; a file that is open stays there anyway
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
