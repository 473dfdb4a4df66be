"""A folder of results: a file for each image, and whose results those of an earlier run are."""

import os
import re
import unicodedata
from pathlib import Path

from keras_lotr.cli.result_log import (
    ResultLog,
    ResultsNotWritten,
    check_no_loss,
    hits_all_files,
    key_of,
    kind_of,
)
from keras_lotr.images.drawing import draw
from keras_lotr.images.drawn_files import drawn_jpeg, is_drawn
from keras_lotr.images.reading import read_image
from keras_lotr.images.sources import file_name, is_url
from keras_lotr.inference import formats
from keras_lotr.inference.saved_results import read_entries
from keras_lotr.presets.files import write_file
from keras_lotr.sentences import sentence
from keras_lotr.unfinished import remove_abandoned
from keras_lotr.writing import check_folder

_LONGEST_NAME = 200  # bytes, of 255 that file systems allow; numbers and endings follow
_NUMBER = re.compile(r"\d+\Z")
_SAY_WHOSE = ("json", "jsonl", "csv", "parquet")  # formats whose files name their image


class ResultFolder:
    """NAME.json, .jsonl, .csv, .parquet, .pts and NAME.jpg (drawn) of each; coco.json of all.

    Args:
        images, kinds, drawn, resume, searched, overlays: as of `open_results`.
        folder: where the files go.

    Raises:
        OSError: nothing can be written into the folder.
        ValueError: drawn images would replace photos, or results what is no result; or, with
            `resume`, no format says of which image its files are.
    """

    def __init__(self, images, folder, kinds, drawn, resume, searched, overlays=None):
        self.folder, self.kinds, self.drawn = folder, kinds, drawn
        self.overlays = overlays or {}
        self.place = os.path.join(folder, "")
        check_folder(folder)
        self._of_each = drawn or kinds != ["coco"]  # whether images have files of their own
        if resume and self._of_each:
            check_says_whose(kinds)
        self.log = ResultLog(folder / "coco.json", "coco", resume) if "coco" in kinds else None
        self.found_before = dict(self.log.found_before) if self.log else {}
        self._begun = set()  # images of which an earlier run left results
        self._present = self._names_there() if resume and "pts" in kinds else set()
        is_another = self._is_another if resume else lambda name, image: False
        self.names = _names(images, {"coco"} if "coco" in kinds else set(), searched, is_another)
        names = {name.lower() for name in self.names.values()} | self._present
        # What stands before the number at the end of a name, of names that have one.
        self._before_numbers = {s for name in names if (s := _NUMBER.sub("", name)) != name}
        if not resume:
            for name in self.names.values():
                files = (folder / f"{name}.{kind}" for kind in kinds if kind != "coco")
                for file in filter(Path.is_file, files):
                    check_no_loss(file)
        if drawn:
            self._check_photos(images)
        for subfolder in {os.path.dirname(name) for name in self.names.values()}:
            remove_abandoned(folder / subfolder)

    def _check_photos(self, images):
        """Refuse to draw over an image that is looked at, or that nobody drew here."""
        wanted = {os.path.realpath(image) for image in images if not is_url(image)}
        for name in self.names.values():
            path = self.folder / f"{name}.jpg"
            if path.is_file() and (os.path.realpath(path) in wanted or not is_drawn(path)):
                raise ValueError(
                    f"Drawing into {self.folder} would replace {name}.jpg: take another folder."
                )

    def _names_there(self):
        paths = (path for kind in _SAY_WHOSE for path in self.folder.rglob(f"*.{kind}"))
        return {os.path.relpath(path.with_suffix(""), self.folder).lower() for path in paths}

    def _is_another(self, name, image):
        """Whether files of this name are of another image; notes the image if they are its own.

        A table without a row is nobody's: images without a face are looked at again.
        """
        entries, found = [], {}
        files = {kind: self.folder / f"{name}.{kind}" for kind in _SAY_WHOSE}
        files = {kind: file for kind, file in files.items() if file.is_file()}
        for kind, file in files.items():
            try:
                here = read_entries(file)
            except (ValueError, ImportError):
                if kind in self.kinds:  # no results, but not to be replaced either
                    return True
                continue
            entries += here
            found |= {kind_of(face): file for entry in here for face in entry["faces"]}
        others = [".pts"] * ("pts" in self.kinds) + [".jpg"] * self.drawn
        if not files and any((self.folder / f"{name}{ending}").is_file() for ending in others):
            return True  # nobody knows whose
        photo = self.folder / f"{name}.jpg"
        if self.drawn and photo.is_file() and not is_drawn(photo):
            return True
        if any(key_of(entry["source"]) != key_of(image) for entry in entries):
            return True
        if entries:
            self._begun.add(image)
            self.found_before |= found
        return False

    def __contains__(self, image):
        if self.log is not None and image not in self.log:
            return False
        if not self._of_each:
            return self.log is not None
        name = self.names[image]
        files = [f"{name}.{kind}" for kind in self.kinds if kind not in ("coco", "pts")]
        files += [f"{name}.jpg"] * self.drawn
        if "pts" in self.kinds and not (self.folder / f"{name}.pts").is_file():
            files.append(f"{self._of_several(name)}0.pts")
        return image in self._begun and all((self.folder / file).is_file() for file in files)

    def add(self, photo, source):
        try:
            self._write(photo, source)
        except OSError as error:
            if not hits_all_files(error):
                raise
            raise ResultsNotWritten(f"{sentence(error)} {self.left()}") from error

    def left(self):
        """What is left of a run that ends early, as a sentence; "" if nothing is."""
        if self.log is not None:
            return self.log.left()
        if not self.folder.is_dir():
            return ""
        goes_on = "; --resume goes on from there" if set(self.kinds) & set(_SAY_WHOSE) else ""
        return f"What was found so far is in {self.place}{goes_on}."

    def _write(self, photo, source):
        entry, name = photo.to_dict(), self.names[photo.source]
        for kind in self.kinds:
            if kind not in ("coco", "pts"):
                formats.write_entries(self.folder / f"{name}.{kind}", kind, [entry])
        if "pts" in self.kinds:
            start = self._of_several(name)
            for i, face in enumerate(entry["faces"]):
                several = f"{start}{i}" if len(entry["faces"]) > 1 else name
                check_no_loss(self.folder / f"{several}.pts")
                formats.write_text(self.folder / f"{several}.pts", formats.to_pts(face))
        if self.drawn:
            _write_drawn(self.folder / f"{name}.jpg", source, photo, self.overlays)
        if self.log is not None and photo.source not in self.log:
            self.log.add(entry)

    def _of_several(self, name):
        """What stands before the number of a face: NAME_, unless that is another image's name."""
        start = f"{name}_"
        while start.lower() in self._before_numbers:
            start += "_"
        return start

    def close(self):
        if self.log is not None:
            self.log.close()


def check_says_whose(kinds):
    """Refuse formats of which no file says of which image it is."""
    if not set(kinds) & set(_SAY_WHOSE):
        raise ValueError(
            "Expected a format for --resume whose files say of which image they are, such as "
            f"--format {','.join(['json', *kinds])} into a folder. Received: {', '.join(kinds)}"
        )


def _write_drawn(path, source, photo, overlays):
    grey = [photo.is_low(face) for face in photo.faces]
    # Read again: the pixels of many images are not kept.
    image = draw(read_image(source), photo.faces, grey=grey, **overlays)
    write_file(path, drawn_jpeg(image))


def _names(images, taken, searched, is_another):
    """{image: name of its files}; of images of a name that is taken the later are numbered.

    The name begins with the subfolder of the image in a folder that was searched. A name is taken,
    too, if `is_another(name, image)`.
    """
    names, taken, begin = {}, set(taken), {}
    for image in images:
        stem = "stdin" if image == "-" else Path(file_name(image)).stem or "image"
        first = os.path.join(_subfolder(image, searched), _shortened(stem))
        number = begin.get(_same(first), 1)
        while _same(_with_number(first, number)) in taken:
            number += 1
        begin[_same(first)] = number  # all names of smaller numbers are taken
        while _same(name := _with_number(first, number)) in taken or is_another(name, image):
            number += 1
        taken.add(_same(name))
        names[image] = name
    return names


def _with_number(name, number):
    return name if number == 1 else f"{name}_{number}"


def _shortened(stem):
    """Its first letters, as many as fit: a letter of UTF-8 that is cut is none."""
    stem = stem[:_LONGEST_NAME]
    while len(os.fsencode(stem)) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem


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
