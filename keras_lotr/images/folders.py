"""Files, folders, lists, patterns and URLs that a user names -> the images that are meant."""

import glob
import os
import re
from pathlib import Path

from keras_lotr.csv_table import decoded
from keras_lotr.images.drawn_files import is_drawn
from keras_lotr.images.header import kind_of
from keras_lotr.images.names import IMAGE_ENDINGS, KINDS, find_image, natural_key
from keras_lotr.images.sources import is_url

# Images to people, and to no reader here; raw files of cameras begin as TIFF and hold a thumbnail.
_NOT_READ = (
    *(".svg", ".psd", ".ai", ".eps", ".ico", ".tga", ".jp2", ".j2k", ".jxl", ".exr", ".hdr"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
)


def expand(sources, repeated=False):
    """The images of `find_images`, without what was left out.

    Args:
        sources: as of `find_images`.
        repeated: whether an image is there as often as it is named, as in a list by which some are
            to be learned from more often.

    Raises:
        ValueError: a folder without images, or a pattern that matches nothing.
    """
    return find_images(sources, repeated=repeated)[0]


def find_images(sources, recursive=False, drawn_in=None, repeated=False):
    """Files, folders, patterns and URLs -> the list of images, each folder in natural order.

    A file is taken as it is, whether it exists or not: reading it tells. In a folder, images are
    told by their endings, and where those are unknown by their first bytes. An image that is named
    twice, or that is reached on two ways, is there once, unless `repeated`.

    Args:
        sources: list of str or Path. A folder stands for the images directly in it, a .txt file
            for those that it lists: a path, relative to the file, or a URL in each line; lines
            that begin with # are comments.
        recursive: folders with all their subfolders; a link into a folder that was visited
            already is not followed again.
        drawn_in: a folder in which images with landmarks that were drawn here are none.
        repeated: whether an image is there as often as it is named.

    Returns:
        images: list of str.
        left_out: {path: reason} of what looks like an image and is not taken: hidden files, links
            to nothing, folders that cannot be opened, kinds that are not read.

    Raises:
        ValueError: a folder or a list without images, or a pattern that matches nothing.
    """
    images, left_out = [], {}
    for source in map(os.fspath, sources):
        found, others = _find(source, recursive, drawn_in)
        left_out |= others
        if not found:
            reasons = "".join(f" {path} is {reason}." for path, reason in list(others.items())[:3])
            raise ValueError(f"Expected images ({KINDS}). There is none in {source}.{reasons}")
        images += found
    return images if repeated else _once(images), left_out


def _once(images):
    """Each image under the first of its names; links to files are images of their own."""
    folders, kept = {}, {}
    for image in images:
        if is_url(image):
            kept.setdefault(image, image)
            continue
        folder, name = os.path.split(image)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        kept.setdefault((folders[folder], name), image)
    return list(kept.values())


def _find(source, recursive, drawn_in):
    if is_url(source):
        return [source], {}
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        paths, left_out = _files_of(path, recursive)
    elif glob.has_magic(path) and not os.path.lexists(path):
        paths, left_out = glob.glob(path, recursive=True), {}
    elif path.lower().endswith(".txt") and os.path.isfile(path):
        return _listed_in(path), {}
    else:
        return [path], {}
    images, output = [], None if drawn_in is None else os.path.realpath(drawn_in)
    for path in sorted(paths, key=natural_key):
        reason = _reason_against(path)
        if reason is None and output is not None and _is_within(path, output) and is_drawn(path):
            continue
        if reason is None:
            images.append(path)
        elif reason:
            left_out[path] = reason
    return images, left_out


def _listed_in(path):
    """The lines of a text file but comments; paths are relative to it, as in lists of data sets."""
    # Names of files need not be UTF-8; PowerShell writes lists as UTF-16.
    lines = decoded(Path(path).read_bytes(), errors="surrogateescape").splitlines()
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    folder = os.path.dirname(path)
    return [x if is_url(x) else find_image(os.path.expanduser(x), folder) for x in lines]


def _files_of(folder, recursive):
    paths, left_out, visited = [], {}, set()

    def unreadable(error):
        left_out[error.filename] = "a folder that cannot be opened"

    for root, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        here = os.path.realpath(root)
        paths += [os.path.join(root, name) for name in names] if here not in visited else []
        folders[:] = [] if here in visited or not recursive else folders
        visited.add(here)
    return paths, left_out


def _is_within(path, folder):
    return os.path.join(os.path.realpath(path), "").startswith(os.path.join(folder, ""))


def _reason_against(path):
    """None for an image, "" for what is none, or why an image is left out."""
    name = os.path.basename(path).lower()
    is_named = name.endswith(IMAGE_ENDINGS)
    if name.startswith("."):
        return "hidden" if is_named else ""
    if name.endswith(_NOT_READ):
        return "of a kind that is not read"
    if not os.path.isfile(path):
        is_lost = os.path.islink(path) and not os.path.exists(path)
        return "a link to nothing" if is_named and is_lost else ""
    return None if is_named or _begins_as_image(path) else ""


def _begins_as_image(path):
    """Whether a file of an unknown ending is an image, such as a download without any ending."""
    if re.search(r"\.(json|jsonl|csv|pts|txt|xml|npy|npz|mp4|webm|avi|mov|zip)$", path.lower()):
        return False
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(64)) not in (None, "BMP")  # "BM" may begin anything
    except OSError:
        return False
