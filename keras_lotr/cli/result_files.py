"""Where found landmarks go: standard output, one file for all images, or a folder."""

import os
import re
import sys
import unicodedata
from pathlib import Path

import cv2

from keras_lotr import parquet_table
from keras_lotr.cli.result_log import ResultLog
from keras_lotr.images.drawing import draw
from keras_lotr.images.reading import read_image
from keras_lotr.images.sources import file_name, is_url
from keras_lotr.inference import formats
from keras_lotr.presets.files import write_file
from keras_lotr.writing import check_file_target

# The formats that a file of this ending may have; the first if none is asked for.
_KINDS_OF_ENDING = {
    ".json": ("json", "coco"),
    ".jsonl": ("jsonl",),
    ".csv": ("csv",),
    ".parquet": ("parquet",),
    ".pts": ("pts",),
}
_LONGEST_NAME = 200  # bytes, of 255 that file systems allow; numbers and endings follow


def open_results(images, output=None, kinds=None, drawn=False, resume=False, searched=()):
    """Where the landmarks of these images go.

    Args:
        images: paths and URLs, or "-".
        output: a file .json, .jsonl, .csv, .parquet or .pts for all images, or a folder for a file
            of each; None: standard output.
        kinds: some of `FORMATS`; None: what the name of the file says, otherwise JSON.
        drawn: also write the images with their landmarks drawn; needs a folder.
        resume: images whose results are there already are left out.
        searched: folders that were searched with their subfolders, which a folder as output gets,
            too.

    Returns:
        An object with `image in results`, whether it is there already; `add(photo, source)` for
        each `PhotoLandmarks` and what `read_image` reads it from; `close()`; and `place`, a name of
        where they go.

    Raises:
        ImportError: Parquet without pyarrow.
        ValueError: these do not go together. Nothing has been written then.
    """
    if output == "":
        raise ValueError("Expected a file or folder as output. Received: an empty name")
    ending = "" if output is None else Path(output).suffix.lower()
    if resume and output is None:
        raise ValueError("Expected a file or folder that --resume goes on with: --output.")
    in_folder = output is not None and (ending not in _KINDS_OF_ENDING or os.path.isdir(output))
    kinds = kinds or [_KINDS_OF_ENDING.get("" if in_folder else ending, ("json",))[0]]
    if "parquet" in kinds:
        parquet_table.check_installed()
    if in_folder:
        _check_folder(output)
        return _Folder(images, Path(output), kinds, drawn, resume, searched)
    if drawn:
        raise ValueError("Expected a folder as output for drawn images: --output FOLDER.")
    if len(kinds) > 1 or (output is None and kinds == ["pts"]):
        raise ValueError(f"Expected a folder as output for the formats {', '.join(kinds)}.")
    if output is None and kinds == ["parquet"]:
        raise ValueError("Expected a file as output for the format parquet: --output FILE.parquet.")
    if output is None:
        return _Printed(kinds[0])
    if kinds[0] not in _KINDS_OF_ENDING[ending]:
        fitting = ", ".join(e for e, known in _KINDS_OF_ENDING.items() if kinds[0] in known)
        raise ValueError(f"Expected a file {fitting} for the format {kinds[0]}. Received: {output}")
    if kinds == ["pts"] and len(images) > 1:
        raise ValueError("Expected a folder as output: a .pts file holds one face.")
    check_file_target(output)
    return _OneFace(output) if kinds == ["pts"] else _OneFile(output, kinds[0], resume)


def _check_folder(output):
    """Refuse the name of a file of a kind that is not written."""
    name = os.fspath(output)
    looks_like_a_file = re.search(r"[^/\\]\.[a-z]\w*$", name.lower()) and not os.path.isdir(name)
    if looks_like_a_file or os.path.isfile(name):
        raise ValueError(
            f"Expected a folder, or a file {', '.join(_KINDS_OF_ENDING)}, as output. "
            f"Received: {name}" + (f" ({name}/ is a folder)" if looks_like_a_file else "")
        )


class _Printed:
    """All images on standard output, each as soon as it is done."""

    place = "standard output"

    def __init__(self, kind):
        self.kind, self.entries, self.columns = kind, [], None

    def __contains__(self, image):
        return False

    def add(self, photo, source):
        entry = photo.to_dict()
        if self.kind == "jsonl":
            _print(formats.json_line(entry) + "\n")
        elif self.kind == "json":
            _print((",\n" if self.entries else "[\n") + formats.json_line(entry))
            self.entries = True
        elif self.kind == "csv" and entry["faces"]:
            columns, _, rows = formats.to_csv([entry], os.curdir).partition("\n")
            _print(rows if self.columns else f"{columns}\n{rows}")
            self.columns = columns
        elif self.kind == "coco":
            self.entries.append(entry)

    def close(self):
        if self.kind == "json":
            _print("\n]\n" if self.entries else "[\n]\n")
        elif self.kind == "coco":
            _print(formats.to_coco(self.entries))
        elif self.kind == "csv" and self.columns is None:
            _print(formats.to_csv([]))


def _print(text):
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(formats.encoded(text, encoding).decode(encoding))
    sys.stdout.flush()


class _OneFile:
    """All images in one file, of which a log is kept as long as it is not done."""

    def __init__(self, output, kind, resume):
        self.place = os.fspath(output)
        self.log = ResultLog(output, kind, resume)

    def __contains__(self, image):
        return image in self.log

    def add(self, photo, source):
        self.log.add(photo.to_dict())

    def close(self):
        self.log.close()


class _OneFace:
    """The one face of one image, as .pts."""

    def __init__(self, output):
        self.place = os.fspath(output)

    def __contains__(self, image):
        return False

    def add(self, photo, source):
        faces = photo.to_dict()["faces"]
        if len(faces) != 1:
            raise ValueError(
                f"Expected one face for {self.place}. There are {len(faces)}: use a folder."
            )
        formats.write_text(self.place, formats.to_pts(faces[0]))

    def close(self):
        pass


class _Folder:
    """NAME.json, .jsonl, .csv, .parquet, .pts and NAME.jpg (drawn) of each; coco.json of all."""

    def __init__(self, images, folder, kinds, drawn, resume, searched):
        self.folder, self.kinds, self.drawn, self.resume = folder, kinds, drawn, resume
        self.place = os.path.join(folder, "")
        self.names = _names(images, {"coco"} if "coco" in kinds else set(), searched)
        self.coco = ResultLog(folder / "coco.json", "coco", resume) if "coco" in kinds else None
        if drawn:
            self._check_originals(images)

    def _check_originals(self, images):
        originals = {os.path.realpath(image) for image in images if not is_url(image)}
        for name in self.names.values():
            if os.path.realpath(self.folder / f"{name}.jpg") in originals:
                raise ValueError(
                    f"Drawing into {self.folder} would replace {name}.jpg: take another folder."
                )

    def __contains__(self, image):
        if not self.resume or (self.coco is not None and image not in self.coco):
            return False
        name = self.names[image]
        files = [f"{name}.{kind}" for kind in self.kinds if kind not in ("coco", "pts")]
        files += [f"{name}.jpg"] * self.drawn
        if "pts" in self.kinds and not (self.folder / f"{name}.pts").is_file():
            files.append(f"{self._of_several(name)}0.pts")
        return all((self.folder / file).is_file() for file in files)

    def add(self, photo, source):
        entry, name = photo.to_dict(), self.names[photo.source]
        for kind in self.kinds:
            if kind not in ("coco", "pts"):
                formats.write_entries(self.folder / f"{name}.{kind}", kind, [entry])
        if "pts" in self.kinds:
            for i, face in enumerate(entry["faces"]):
                several = f"{self._of_several(name)}{i}" if len(entry["faces"]) > 1 else name
                formats.write_text(self.folder / f"{several}.pts", formats.to_pts(face))
        if self.drawn:
            _write_drawn(self.folder / f"{name}.jpg", source, photo)
        if self.coco is not None:
            self.coco.add(entry)

    def _of_several(self, name):
        """What stands before the number of a face: NAME_, unless that is another image's name."""
        start, others = f"{name}_", {other.lower() for other in self.names.values()}
        while any(re.fullmatch(re.escape(start.lower()) + r"\d+", other) for other in others):
            start += "_"
        return start

    def close(self):
        if self.coco is not None:
            self.coco.close()


def _write_drawn(path, source, photo):
    # Read again: the pixels of many images are not kept.
    image = draw(read_image(source), photo.faces, grey=[photo.is_low(f) for f in photo.faces])
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    write_file(path, data.tobytes())


def _names(images, taken, searched):
    """{image: name of its files}; of images of a name that is taken the later are numbered.

    The name begins with the subfolder of the image in a folder that was searched.
    """
    names, taken = {}, set(taken)
    for image in images:
        stem = "stdin" if image == "-" else Path(file_name(image)).stem or "image"
        stem = os.fsdecode(os.fsencode(stem)[:_LONGEST_NAME])
        first = name = os.path.join(_subfolder(image, searched), stem)
        number = 2
        while _same(name) in taken:
            name, number = f"{first}_{number}", number + 1
        taken.add(_same(name))
        names[image] = name
    return names


def _subfolder(image, searched):
    """The path from one of the folders to the folder of the image; "" if it is in none of them."""
    for folder in searched:
        top = os.path.join(os.path.expanduser(folder), "")
        if image.startswith(top):
            return os.path.dirname(image[len(top) :].lstrip(os.sep))
    return ""


def _same(name):
    """What is alike for names that some file systems do not tell apart: A and a, two ways of é."""
    return unicodedata.normalize("NFC", name).casefold()
