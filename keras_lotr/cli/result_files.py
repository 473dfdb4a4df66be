"""Where found landmarks go: standard output, one file for all images, or a folder."""

import os
import re
import sys
from pathlib import Path

from keras_lotr import parquet_table
from keras_lotr.cli.result_folder import ResultFolder, check_says_whose
from keras_lotr.cli.result_log import ResultLog, ResultsNotWritten, check_no_loss
from keras_lotr.cli.streams import is_output_closed
from keras_lotr.csv_table import csv_line
from keras_lotr.inference import formats
from keras_lotr.inference.face_columns import kind_of_faces

# The formats that a file of this ending may have; the first if none is asked for.
_KINDS_OF_ENDING = {
    ".json": ("json", "coco"),
    ".jsonl": ("jsonl",),
    ".csv": ("csv",),
    ".parquet": ("parquet",),
    ".pts": ("pts",),
}


def open_results(
    images, output=None, kinds=None, drawn=False, resume=False, searched=(), overlays=None
):
    """Where the landmarks of these images go.

    Args:
        images: paths and URLs, or "-".
        output: a file .json, .jsonl, .csv, .parquet or .pts for all images, or a folder for a file
            of each; None: standard output.
        kinds: some of `FORMATS`; None: what the name of the file says, otherwise JSON.
        drawn: also write the images with their landmarks drawn; needs a folder.
        resume: images whose results are there already are left out; nothing of others is replaced.
        searched: folders that were searched with their subfolders, which a folder as output gets,
            too.
        overlays: arguments of `draw` for `drawn`, such as {"pose": True}.

    Returns:
        An object with `image in results`, whether it is there already; `add(photo, source)` for
        each `PhotoLandmarks` and what `read_image` reads it from; `close()`; `left()`, a sentence
        about what is there if the run ends early; `place`, a name of where they go;
        `found_before`, what `check_same_faces` takes; and `log`, the `ResultLog` whose `with` block
        keeps other runs out, or None. `add` and `close` raise `ResultsNotWritten`,
        or `BrokenPipeError`, if to go on makes no sense.

    Raises:
        ImportError: Parquet without pyarrow.
        ValueError: these do not go together. Nothing has been written then.
    """
    if output == "":
        raise ValueError("Expected a file or folder as output. Received: an empty name")
    ending = "" if output is None else Path(output).suffix.lower()
    if resume and output is None:
        raise ValueError("Expected a file or folder that --resume goes on with: --output.")
    if resume and "-" in images:
        raise ValueError(
            "Expected images with names for --resume. Received: -, standard input, of which nobody "
            "knows whether it was done before"
        )
    in_folder = output is not None and (ending not in _KINDS_OF_ENDING or os.path.isdir(output))
    kinds = kinds or [_KINDS_OF_ENDING.get("" if in_folder else ending, ("json",))[0]]
    if "parquet" in kinds:
        parquet_table.check_installed()
    if in_folder:
        _check_folder(output)
        return ResultFolder(images, Path(output), kinds, drawn, resume, searched, overlays)
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
    if kinds == ["pts"] and resume:
        check_says_whose(kinds)
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

    place, found_before, log = "standard output", {}, None

    def __init__(self, kind):
        if is_output_closed():
            raise ValueError("Expected --output. Received: none, and standard output is closed")
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
            first = self.columns is None
            self.columns = _columns_of(photo, entry["faces"]) if first else self.columns
            rows = [*[self.columns] * first, *formats.face_rows(entry, self.columns, os.curdir)]
            _print("".join(csv_line([*row]) for row in rows))
        elif self.kind == "coco":
            self.entries.append(entry)

    def close(self):
        if self.kind == "json":
            _print("\n]\n" if self.entries else "[\n]\n")
        elif self.kind == "coco":
            _print(formats.to_coco(self.entries))
        elif self.kind == "csv" and self.columns is None:
            _print(formats.to_csv([]))

    def left(self):
        return ""


def _columns_of(photo, faces):
    """Those of the whole table: the faces of later photos may be marked."""
    scheme, has = kind_of_faces(faces)
    marked = set() if photo.min_quality is None else {"low_quality"}
    return formats.face_columns(scheme, has | marked)


def _print(text):
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(formats.encoded(text, encoding).decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has enough, as in `| head`
        raise
    except OSError as error:
        reason = error.strerror or error
        raise ResultsNotWritten(f"Standard output cannot be written: {reason}.") from error


class _OneFile:
    """All images in one file, of which a log is kept as long as it is not done."""

    def __init__(self, output, kind, resume):
        self.place = os.fspath(output)
        self.log = ResultLog(output, kind, resume)
        self.found_before = self.log.found_before

    def __contains__(self, image):
        return image in self.log

    def add(self, photo, source):
        self.log.add(photo.to_dict())

    def close(self):
        self.log.close()

    def left(self):
        return self.log.left()


class _OneFace:
    """The one face of one image, as .pts."""

    found_before, log = {}, None

    def __init__(self, output):
        self.place = os.fspath(output)
        check_no_loss(output)

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

    def left(self):
        return ""
