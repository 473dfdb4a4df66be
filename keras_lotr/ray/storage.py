"""Files on this machine or on a storage with a URI, such as s3://bucket/folder."""

import fnmatch
import os
import re
from functools import lru_cache

from keras_lotr.images.folders import find_images
from keras_lotr.images.names import IMAGE_ENDINGS, natural_key, shortened
from keras_lotr.images.sources import is_url

_ROOT = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://[^/]*)/?(.*)", re.DOTALL)


def is_uri(name):
    """Whether it names something on a storage, and neither a path nor a URL that is downloaded.

    Example:

    >>> is_uri("s3://photos/a.jpg"), is_uri("https://example.com/a.jpg"), is_uri("a.jpg")
    (True, False, False)
    """
    return isinstance(name, str) and bool(_ROOT.fullmatch(name)) and not is_url(name)


def place_of(name):
    """The file system of a path or URI, and the path there.

    Args:
        name: a path of this machine, or a URI of a storage that pyarrow knows (s3, gs, hdfs, abfs)
            or that fsspec knows.

    Returns:
        `pyarrow.fs.FileSystem`, str.

    Raises:
        ValueError: nobody knows such a storage.
        ImportError: fsspec knows it, and a package that it needs is not installed.
    """
    from pyarrow.fs import LocalFileSystem

    if not is_uri(name):
        return LocalFileSystem(), os.path.abspath(os.path.expanduser(name))
    root, key = _ROOT.fullmatch(name).groups()
    file_system, start = _storage(root)
    return file_system, start + key


@lru_cache(maxsize=64)
def _storage(root):
    """The file system of "s3://bucket", and what stands before each path there: "bucket/"."""
    import pyarrow
    from fsspec.core import url_to_fs
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        file_system, path = FileSystem.from_uri(f"{root}/x")
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        try:
            file_system, path = url_to_fs(f"{root}/x")
        except ValueError:
            raise ValueError(
                f"Expected a storage that pyarrow or fsspec knows. Received: {root}: {error}"
            ) from None
        file_system = PyFileSystem(FSSpecHandler(file_system))
    return file_system, path[:-1]


def read_bytes(uri):
    """The bytes of a file on a storage.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    file_system, path = place_of(uri)
    with file_system.open_input_stream(path) as file:
        return file.read()


def images_at(source, recursive=False):
    """The names of the images that a path, folder, pattern, URL or URI stands for.

    Args:
        source: str or Path.
        recursive: folders with all their subfolders.

    Returns:
        list of str: absolute paths of this machine, URLs and URIs, each folder in natural order.

    Raises:
        ValueError: a folder without images, or a pattern that matches nothing.
        FileNotFoundError: there is no such path on this machine; of URLs, of files on a storage
            and of what a .txt file lists, reading them tells.
    """
    name = os.fspath(source)
    if not is_uri(name):
        images, _ = find_images([name], recursive)
        path = os.path.expanduser(name)
        if images == [path] and not is_url(path) and not os.path.exists(path):
            raise FileNotFoundError(f"There is no image or folder {shortened(name)}.")
        return [image if is_url(image) else os.path.abspath(image) for image in images]
    folder, _, pattern = name.rpartition("/")
    if not any(letter in pattern for letter in "*?["):
        folder, pattern = name, None
    found = _files_at(folder, recursive)
    if found is None:
        return [name]  # a file, or nothing: reading it tells
    names = [f"{folder.rstrip('/')}/{rest}" for rest in found]
    if pattern is None:
        images = [n for n in names if n.lower().endswith(IMAGE_ENDINGS)]
    else:
        images = [n for n in names if fnmatch.fnmatchcase(n.rpartition("/")[2], pattern)]
    if not images:
        raise ValueError(f"Expected images in {shortened(name)}. There are none.")
    return sorted(images, key=natural_key)


def _files_at(folder, recursive):
    """Paths from a folder to the files in it; None if it is no folder."""
    from pyarrow.fs import FileSelector, FileType

    file_system, path = place_of(folder)
    path = path.rstrip("/")
    if file_system.get_file_info(path).type != FileType.Directory:
        return None
    files = file_system.get_file_info(FileSelector(path, recursive=recursive))
    return [f.path[len(path) :].lstrip("/") for f in files if f.type == FileType.File]
