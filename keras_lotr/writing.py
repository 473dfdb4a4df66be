"""Files and folders that appear whole or not at all."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from keras_lotr.unfinished import beside


@contextmanager
def replaced(path):
    """A path beside `path` to write to; the file there takes its place when the block ends well.

    Whoever reads `path` sees the old file or the new one, never half. A link there is replaced, not
    followed. The folder is made if it is missing. After an error nothing is left behind.

    Args:
        path: the file to write.

    Raises:
        ValueError: it is a folder.
        OSError: it cannot be written there; the sentence says why.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "new", "numbers.txt")
    >>> with replaced(path) as unfinished:
    ...     size = unfinished.write_text("1 2 3")
    >>> path.read_text()
    '1 2 3'
    """
    path = Path(path)
    _check_no_folder(path)
    unfinished = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)  # never write through a link that lay there
        yield unfinished
        _onto_the_disk(unfinished)
        os.replace(unfinished, path)
    except OSError as error:
        if error.errno is None:  # no word of the system: a sentence about something else
            raise
        raise not_written(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _onto_the_disk(path):
    """Wait until a file is on the disk, so that no crash leaves a name without content."""
    if path.is_file():
        with open(path, "rb+") as file:
            os.fsync(file.fileno())


def move_into(new, folder):
    """Put the files of the folder `new` into another one, in the place of those of their names."""
    for path in Path(new).iterdir():
        os.replace(path, Path(folder) / path.name)


def replace_folder(new, path):
    """Rename the folder `new`; what was at `path` is then beside where `new` was, called "old"."""
    old = Path(new).with_name("old")
    if os.path.lexists(path):
        os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        if os.path.lexists(old):
            os.replace(old, path)
        raise


def check_file_target(path):
    """Refuse a file that cannot be written, which is to be told before an hour of work.

    Args:
        path: the file.

    Raises:
        ValueError: there is a folder, or no way to it.
        OSError: its folder takes no file; the sentence says why.

    Example:

    >>> check_file_target(tempfile.mkdtemp())
    Traceback (most recent call last):
    ValueError: Expected a file to write. ... is a folder: name a file in it.
    """
    _check_no_folder(path)
    _check_takes_files(path, Path(path).parent)


def _check_no_folder(path):
    path = Path(path)
    _check_way(path)
    if path.is_dir():
        raise ValueError(f"Expected a file to write. {path} is a folder: name a file in it.")


def _check_takes_files(path, folder):
    """Raise an OSError if nothing can be made in a folder, or where it would be made."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path, error):
    """The OSError that tells the user which file the system does not write, and why."""
    return OSError(f"{path} cannot be written: {error.strerror or error}.")


def check_replaced(path, is_result, command, data=()):
    """Raise a ValueError if a command would replace what is none of its results.

    Args:
        path: the file to write.
        is_result: function, a path -> whether the command wrote that file.
        command: its name, such as "predict".
        data: paths of the data sets that it reads, which are never replaced.

    Example:

    >>> import tempfile
    >>> notes = Path(tempfile.mkdtemp(), "notes.csv")
    >>> size = notes.write_text("of last week")
    >>> check_replaced(notes, lambda path: path.read_text().startswith("image,"), "predict")
    Traceback (most recent call last):
    ValueError: Expected a new file to write, or one of `keras-lotr predict`, which is replaced.
    Received: .../notes.csv, which holds something else; name another output
    """
    path = Path(path)
    check_file_target(path)
    if not path.exists():
        return
    is_data = any(Path(source).exists() and path.samefile(source) for source in data)
    if is_data or not is_result(path):
        what = "is the data set" if is_data else "holds something else"
        raise ValueError(
            f"Expected a new file to write, or one of `keras-lotr {command}`, which is replaced. "
            f"Received: {path}, which {what}; name another output"
        )


def check_folder(path):
    """Refuse a folder that files cannot be written into, likewise; see `check_file_target`."""
    path = Path(path)
    _check_way(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"Expected a folder to write. {path} is a file: name a folder.")
    _check_takes_files(path, path)


def check_new_folder(path):
    """Raise a ValueError unless a path is free for a new folder, or an empty one."""
    path = Path(path)
    _check_way(path)
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise ValueError(
            f"Expected a new or empty folder to write. Received: {path}, where something is"
        )
    _check_takes_files(path, path)


def check_folder_target(path, mark):
    """Raise a ValueError if something else than a folder with a file `mark` would be replaced."""
    path = Path(path)
    _check_way(path)
    if os.path.lexists(path) and not (path / mark).is_file():
        raise ValueError(
            f"Expected a new folder, or one with a {mark}, which is replaced. Received: {path}"
        )
    _check_takes_files(path, path.parent)


def _check_way(path):
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise ValueError(f"Expected a path in a folder. {parent} is a file: {path}")
            return
