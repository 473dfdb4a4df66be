"""What was found so far, on the disk: a file that grows with each image and outlives a kill."""

import errno
import json
import os
from contextlib import suppress
from pathlib import Path

from keras_lotr.images.sources import is_url
from keras_lotr.inference import formats
from keras_lotr.inference.saved_results import is_result, read_entries
from keras_lotr.locking import lock
from keras_lotr.schemes import named_scheme
from keras_lotr.unfinished import remove_abandoned
from keras_lotr.writing import check_replaced, replaced

ENDING = ".part"
_START = b'{"source": "'  # of each line
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
        ValueError: what stands where one of the two files goes is no result; or, of the `with`
            block, another run is writing them.
        OSError: of the `with` block: they cannot be written.
    """

    def __init__(self, path, kind, resume=False):
        self.path, self.kind = Path(path), kind
        self.part = self.path.with_name(self.path.name + ENDING)
        self._begun, self._sources, self.found_before = False, set(), {}
        self._whole = None  # bytes of the whole lines of NAME.part, if the run goes on with it
        self._lock, self._made, self._seen = None, [], self._states()
        if os.path.lexists(self.part) and (self.part.is_symlink() or not self.part.is_file()):
            raise self._not_ours("no file")
        if resume:
            self._look()
        else:
            check_no_loss(self.path)
            next(self._entries(), None)  # what is replaced begins with ours, or is empty

    def __enter__(self):
        self._made = [folder for folder in self.path.parents if not folder.exists()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self.part)
        except BlockingIOError:
            raise self._another_run() from None
        except OSError as error:
            raise OSError(self._sentence(error)) from error
        if self._states() != self._seen:  # it ended while this one began
            self.__exit__()
            raise self._another_run()
        remove_abandoned(self.path.parent)
        return self

    def __exit__(self, *error):
        if not self._begun and self._lock is not None and not self.part.stat().st_size:
            self.part.unlink()
            with suppress(OSError):
                for folder in self._made:
                    folder.rmdir()
        self._hold(None)

    def _hold(self, descriptor):
        if self._lock is not None:
            os.close(self._lock)
        self._lock = descriptor

    def _another_run(self):
        return ValueError(
            f"Another `keras-lotr predict` is writing {self.path}. Wait for its end, or take "
            "another --output."
        )

    def _states(self):
        """What tells whether another run wrote the files; an empty one is not begun."""
        stats = [path.stat() for path in (self.path, self.part) if path.exists()]
        return [(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats if stat.st_size]

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
        """Note what is there."""
        if self.part.is_file() and self.part.stat().st_size:
            self._whole = 0
            for entry, size in self._entries():
                self._whole += size
                self._note(entry, self.part)
        elif self.path.is_file():
            entries = read_entries(self.path)
            if not is_result(self.path):
                raise ValueError(
                    "Expected results as `keras-lotr predict` wrote them, to go on with. Received: "
                    f"{self.path}, of which somebody made labels: take another --output"
                )
            for entry in entries:
                self._note(entry, self.path)

    def _entries(self):
        """Pairs of an entry of NAME.part and the bytes of its line; a ValueError if not ours."""
        if not self.part.exists():
            return
        with open(self.part, "rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    entry = _entry_of(line, is_first=number == 1)
                except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                    raise self._not_ours(f"in line {number} something else") from None
                if entry is not None:
                    yield entry, len(line)

    def _not_ours(self, received):
        return ValueError(
            f"Expected in {self.part} what an earlier `keras-lotr predict` found so far. Received: "
            f"{received}. Move it away, or take another --output."
        )

    def _note(self, entry, place):
        self._sources.add(key_of(entry["source"]))
        for face in entry["faces"]:
            self.found_before.setdefault(kind_of(face), place)

    def _begin(self):
        """Make NAME.part what the run goes on with, once."""
        if self._begun:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._whole is None and self._sources:
            # Whole or not at all: the next run takes what stands there for all that was found.
            with replaced(self.part) as unfinished:
                formats.write_entries(unfinished, "jsonl", read_entries(self.path))
                if self._lock is not None:
                    self._hold(lock(unfinished))
        elif self.part.exists():
            os.truncate(self.part, self._whole or 0)
        self._begun = True


def _entry_of(line, is_first):
    """The entry in a line of NAME.part; None in the last one if a kill cut it."""
    if not line.endswith(b"\n"):
        if is_first and not line.startswith(_START[: len(line)]):
            raise ValueError("no image")
        return None
    entry = json.loads(line)
    key_of(entry["source"])
    for face in entry["faces"]:
        kind_of(face)
    return entry


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
