"""What was found so far, on the disk: a file that grows with each image and outlives a kill."""

import errno
import json
import os
from pathlib import Path

from keras_lotr.images.sources import is_url
from keras_lotr.inference import formats
from keras_lotr.inference.saved_results import is_result, read_entries
from keras_lotr.schemes import named_scheme
from keras_lotr.writing import check_replaced

ENDING = ".part"
_OF_ALL_FILES = (errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC))


class ResultsNotWritten(OSError):
    """Nothing more can be written; to go on with the next image makes no sense."""


def hits_all_files(error):
    """Whether an error of a file is one of its disk: it is full, or read-only."""
    return any(getattr(e, "errno", None) in _OF_ALL_FILES for e in (error, error.__cause__))


class ResultLog:
    """The entries of a result file that is being made, as JSON lines in NAME.part beside it.

    Only the names of its images are held in memory. The result file is written from it as a whole
    when all is done, and it is deleted then. Nothing is written before the first `add`.

    Args:
        path: the result file.
        kind: "json", "jsonl", "csv", "parquet" or "coco".
        resume: begin with what NAME.part has, or else with what the result file has.

    Attributes:
        found_before: {`kind_of` a face: the file that it is in} of what the run goes on with.

    Raises:
        ValueError: what stands where the result file goes is no result.
    """

    def __init__(self, path, kind, resume=False):
        self.path, self.kind = Path(path), kind
        self.part = self.path.with_name(self.path.name + ENDING)
        self._begun, self._sources, self.found_before = False, set(), {}
        self._whole = None  # bytes of the whole lines of NAME.part, if the run goes on with it
        if resume:
            self._look()
        else:
            check_no_loss(self.path)

    def __contains__(self, source):
        return key_of(source) in self._sources

    def __iter__(self):
        if self._sources:
            with open(self.part, encoding="utf-8") as file:
                yield from map(json.loads, file)

    def add(self, entry):
        """Write down one image.

        Raises:
            ResultsNotWritten: the disk is full, or the like.
        """
        try:
            self._begin()
            with open(self.part, "ab") as file:
                file.write(formats.encoded(formats.json_line(entry) + "\n"))
        except OSError as error:
            raise ResultsNotWritten(self._sentence(error)) from error
        self._sources.add(key_of(entry["source"]))

    def close(self):
        """Write the result file from all entries."""
        try:
            self._begin()
            formats.write_entries(self.path, self.kind, self)
        except OSError as error:
            raise ResultsNotWritten(self._sentence(error)) from error
        self.part.unlink(missing_ok=True)

    def left(self):
        """What is left of a run that ends early, as a sentence; "" if nothing is."""
        if not self._sources:
            return ""
        place = self.part if self._begun or self._whole is not None else self.path
        return f"What was found so far is in {place}; --resume goes on from there."

    def _sentence(self, error):
        reason = error.strerror or str(error).rstrip(".")
        reason = reason if str(self.path) in reason else f"{self.path} cannot be written: {reason}"
        return f"{reason}. {self.left()}".rstrip()

    def _look(self):
        """Note what is there. Only whole lines count; a kill may have cut the last one."""
        if self.part.is_file():
            self._whole = 0
            with open(self.part, "rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        self._whole += len(line)
                        self._note(json.loads(line), self.part)
        elif self.path.is_file():
            entries = read_entries(self.path)
            if not is_result(self.path):
                raise ValueError(
                    "Expected results as `keras-lotr predict` wrote them, to go on with. Received: "
                    f"{self.path}, of which somebody made labels: take another --output"
                )
            for entry in entries:
                self._note(entry, self.path)

    def _note(self, entry, place):
        self._sources.add(key_of(entry["source"]))
        for face in entry["faces"]:
            self.found_before.setdefault(kind_of(face), place)

    def _begin(self):
        """Make NAME.part what the run goes on with, once."""
        if self._begun:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._whole is not None:
            os.truncate(self.part, self._whole)
        elif self._sources:
            # Whole or not at all: the next run takes what stands there for all that was found.
            formats.write_entries(self.part, "jsonl", read_entries(self.path))
        else:
            self.part.unlink(missing_ok=True)  # never write through a link that lay there
        self._begun = True


def check_no_loss(path):
    """Raise a ValueError if there is something else than results where they are to be written."""
    check_replaced(path, is_result, "predict")


def kind_of(face):
    """The scheme of a face, and whether it says how sure it is: one kind only is in a table."""
    return named_scheme(face["scheme"]), "sigma" in face


def check_same_faces(found_before, preset, scheme, sure):
    """Refuse to go on where an earlier run found faces of another kind.

    Args:
        found_before: {`kind_of` a face: the file that it is in}.
        preset: name of what is to go on.
        scheme, sure: the kind of its faces.
    """
    for kind, place in found_before.items():
        if kind != (scheme, sure):
            raise ValueError(
                f"Expected the preset that {place} was begun with, which finds {_shown(*kind)}. "
                f"Received: --preset {preset}, which finds {_shown(scheme, sure)}. Take the former "
                "preset, or another --output."
            )


def _shown(scheme, sure):
    return f"{scheme} landmarks {'with' if sure else 'without'} their certainty"


def key_of(source):
    """What is the same for two names of an image: the absolute path, or the URL."""
    return source if is_url(source) or source == "-" else os.path.abspath(source)
