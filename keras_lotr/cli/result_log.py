"""What was found so far, on the disk: a file that grows with each image and outlives a kill."""

import json
import os
from pathlib import Path

from keras_lotr.images.sources import is_url
from keras_lotr.inference import formats
from keras_lotr.inference.saved_results import read_entries

ENDING = ".part"


class ResultsNotWritten(OSError):
    """The file of all images cannot be written; to go on with the next image makes no sense."""


class ResultLog:
    """The entries of a result file that is being made, as JSON lines in NAME.part beside it.

    Only the names of its images are held in memory. The result file is written from it as a whole
    when all is done, and it is deleted then.

    Args:
        path: the result file.
        kind: "json", "jsonl", "csv", "parquet" or "coco".
        resume: begin with what NAME.part has, or else with what the result file has.

    Raises:
        ValueError: with `resume`, the result file is not to be read.
    """

    def __init__(self, path, kind, resume=False):
        self.path, self.kind = Path(path), kind
        self.part = self.path.with_name(self.path.name + ENDING)
        self._begun, self._sources = False, set()
        if resume:
            self._resume()

    def __contains__(self, source):
        return key_of(source) in self._sources

    def __iter__(self):
        if self._begun:
            with open(self.part, encoding="utf-8") as file:
                yield from map(json.loads, file)

    def add(self, entry):
        """Write down one image.

        Raises:
            ResultsNotWritten: the disk is full, or the like.
        """
        try:
            if not self._begun:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.part.unlink(missing_ok=True)  # never write through a link that lay there
                self._begun = True
            with open(self.part, "ab") as file:
                file.write(formats.encoded(formats.json_line(entry) + "\n"))
        except OSError as error:
            raise ResultsNotWritten(self._sentence(error)) from error
        self._sources.add(key_of(entry["source"]))

    def close(self):
        """Write the result file from all entries."""
        try:
            formats.write_entries(self.path, self.kind, self)
        except OSError as error:
            raise ResultsNotWritten(self._sentence(error)) from error
        self.part.unlink(missing_ok=True)

    def _sentence(self, error):
        reason = error.strerror or str(error).rstrip(".")
        reason = reason if str(self.path) in reason else f"{self.path} cannot be written: {reason}"
        if not self._sources:
            return f"{reason}."
        return f"{reason}. What was found so far is in {self.part}; --resume goes on from there."

    def _resume(self):
        """Keep the whole lines; a kill may have cut the last one."""
        if self.part.is_file():
            self._begun, whole = True, 0
            with open(self.part, "rb+") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        whole += len(line)
                        self._sources.add(key_of(json.loads(line)["source"]))
                file.truncate(whole)
        elif self.path.is_file():
            entries = read_entries(self.path)
            # Whole or not at all: the next run takes what stands there for all that was found.
            formats.write_entries(self.part, "jsonl", entries)
            self._begun, self._sources = True, {key_of(entry["source"]) for entry in entries}


def key_of(source):
    """What is the same for two names of an image: the absolute path, or the URL."""
    return source if is_url(source) or source == "-" else os.path.abspath(source)
