"""Where found landmarks go: standard output, one file for all images, or a folder."""

import os
import re
import sys
from pathlib import Path

import cv2

from keras_lotr.images.drawing import draw
from keras_lotr.images.reading import read_image
from keras_lotr.images.sources import is_url
from keras_lotr.inference import formats
from keras_lotr.presets.files import write_file

_KIND_OF_ENDING = {".json": "json", ".csv": "csv", ".pts": "pts"}


def open_results(pictures, output=None, kinds=None, drawn=False):
    """Where the landmarks of these images go.

    Args:
        images: paths and URLs, or "-".
        output: a file .json, .csv or .pts for all images, or a folder for a file of each; None:
            standard output.
        kinds: some of `FORMATS`; None: what the name of the file says, otherwise JSON.
        drawn: also write the images with their landmarks drawn; needs a folder.

    Returns:
        An object with `add(photo, source)` for each `PhotoLandmarks` and what `read_image` reads
        it from, `close()`, and `place`, a name of where they go.

    Raises:
        ValueError: these do not go together. Nothing has been written then.
    """
    ending = "" if output is None else Path(output).suffix.lower()
    kinds = kinds or [_KIND_OF_ENDING.get(ending, "json")]
    if output is not None and (ending not in _KIND_OF_ENDING or os.path.isdir(output)):
        _check_folder(output)
        return _Folder(pictures, Path(output), kinds, drawn)
    if drawn:
        raise ValueError("Expected a folder as output for drawn images: --output FOLDER.")
    if len(kinds) > 1 or (output is None and kinds == ["pts"]):
        raise ValueError(f"Expected a folder as output for the formats {', '.join(kinds)}.")
    if kinds == ["pts"] and len(pictures) > 1:
        raise ValueError("Expected a folder as output: a .pts file holds one face.")
    return _OneFile(output, kinds[0])


def _check_folder(output):
    """Refuse the name of a file of a kind that is not written."""
    name = os.fspath(output)
    looks_like_a_file = re.search(r"\.[a-z]\w{1,4}$", name.lower()) and not os.path.isdir(name)
    if looks_like_a_file or os.path.isfile(name):
        raise ValueError(
            f"Expected a folder, or a file {', '.join(_KIND_OF_ENDING)}, as output. "
            f"Received: {name}" + (f" ({name}/ is a folder)" if looks_like_a_file else "")
        )


class _OneFile:
    """All images in one file, or on standard output."""

    def __init__(self, output, kind):
        self.output, self.kind, self.entries = output, kind, []
        self.place = "standard output" if output is None else os.fspath(output)

    def add(self, photo, source):
        self.entries.append(photo.to_dict())

    def close(self):
        text = self._pts() if self.kind == "pts" else self._text()
        if self.output is None:
            encoding = sys.stdout.encoding or "utf-8"
            sys.stdout.write(formats.encoded(text, encoding).decode(encoding))
        else:
            formats.write_text(self.output, text)

    def _text(self):
        return _text(self.entries, self.kind, self.output and Path(self.output).parent)

    def _pts(self):
        faces = self.entries[0]["faces"]
        if len(faces) != 1:
            raise ValueError(
                f"Expected one face for {self.output}. There are {len(faces)}: use a folder."
            )
        return formats.to_pts(faces[0])


class _Folder:
    """NAME.json, .csv, .pts and NAME.jpg (drawn) of each image; coco.json of all."""

    def __init__(self, pictures, folder, kinds, drawn):
        self.folder, self.kinds, self.drawn = folder, kinds, drawn
        self.place = os.path.join(folder, "")
        self.names = _names(pictures, {"coco"} if "coco" in kinds else set())
        self.entries = []
        if drawn:
            self._check_originals(pictures)

    def _check_originals(self, pictures):
        originals = {os.path.realpath(picture) for picture in pictures if not is_url(picture)}
        for name in self.names.values():
            if os.path.realpath(self.folder / f"{name}.jpg") in originals:
                raise ValueError(
                    f"Drawing into {self.folder} would replace {name}.jpg: take another folder."
                )

    def add(self, photo, source):
        entry, name = photo.to_dict(), self.names[photo.source]
        for kind in set(self.kinds) & {"json", "csv"}:
            text = _text([entry], kind, self.folder)
            formats.write_text(self.folder / f"{name}.{kind}", text)
        if "pts" in self.kinds:
            for i, face in enumerate(entry["faces"]):
                number = f"_{i}" if len(entry["faces"]) > 1 else ""
                formats.write_text(self.folder / f"{name}{number}.pts", formats.to_pts(face))
        if "coco" in self.kinds:
            self.entries.append(entry)
        if self.drawn:
            _write_drawn(self.folder / f"{name}.jpg", source, photo.faces)

    def close(self):
        if "coco" in self.kinds:
            text = _text(self.entries, "coco", self.folder)
            formats.write_text(self.folder / "coco.json", text)


def _text(entries, kind, folder):
    if kind == "csv":
        return formats.to_csv(entries, folder)
    return formats.to_coco(entries, folder) if kind == "coco" else formats.to_json(entries)


def _write_drawn(path, source, faces):
    # Read again: the pixels of many images are not kept.
    image = draw(read_image(source), faces)
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    write_file(path, data.tobytes())


def _names(pictures, taken):
    """{image: name of its files}; of images of a name that is taken the later are numbered."""
    names, taken = {}, set(taken)
    for picture in pictures:
        stem = Path(picture.split("?")[0] if is_url(picture) else picture).stem or "photo"
        stem = "stdin" if picture == "-" else stem
        name, number = stem, 2
        while name.lower() in taken:  # there are file systems on which A and a are the same
            name, number = f"{stem}_{number}", number + 1
        taken.add(name.lower())
        names[picture] = name
    return names
