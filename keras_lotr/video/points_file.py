"""The faces of a video's frames as a file: JSON, JSON lines, CSV or Parquet."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

from keras_lotr import parquet_table
from keras_lotr.csv_table import read_table, read_text
from keras_lotr.inference.face_columns import cells_of_face, columns_of_face, kind_of_faces
from keras_lotr.inference.formats import (
    encoded,
    json_line,
    json_lines,
    json_list,
    write_pieces,
    write_rows,
)
from keras_lotr.inference.saved_results import parsed_json
from keras_lotr.writing import check_replaced, not_written

ENDINGS = (".json", ".jsonl", ".csv", ".parquet")


class PointsFile:
    """A file that gets the faces of one frame after the other, and appears as a whole at the end.

    A context manager, which forgets what was not written. Only one frame is in memory; the others
    wait in a nameless file beside it, whose folder is made if it is missing. `.json` is a
    list with a list of faces for each frame; a line of `.jsonl` is {"frame", "time", "faces"};
    `.csv` and `.parquet` have a row for each face: frame, time, track_id, and then the columns of
    `keras_lotr.inference.formats.to_csv` from score on.

    Args:
        path: of the file, whose ending chooses the format.

    Raises:
        ValueError: another ending, or something else than such a file is there.
        ImportError: .parquet, and pyarrow is not installed.
        OSError: nothing can be written there, or no more.

    Example:

    >>> path = Path(tempfile.mkdtemp(), "points.jsonl")
    >>> points = PointsFile(path)
    >>> points.add(0.04, [])
    >>> points.close()
    >>> path.read_text()
    '{"frame": 0, "time": 0.04, "faces": []}\\n'
    """

    def __init__(self, path):
        self.path = Path(path)
        self._kind = self.path.suffix.lower()
        if self._kind not in ENDINGS:
            raise ValueError(f"Expected a file {', '.join(ENDINGS)}. Received: {path}")
        if self._kind == ".parquet":
            parquet_table.check_installed()
        check_replaced(self.path, _is_points, "video --points")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._frames = 0
        self._lines = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with suppress(OSError):  # of a full disk, which was told, or nobody needs
            self._lines.close()

    def add(self, time, faces):
        """Take the faces of the next frame.

        Args:
            time: its timestamp in seconds.
            faces: list of `FaceLandmarks`.
        """
        faces = [face.to_dict() for face in faces]
        entry = {"frame": self._frames, "time": round(time, 6), "faces": faces}
        try:
            self._lines.write(encoded(json_line(entry) + "\n"))
        except OSError as error:
            raise not_written(self.path, error) from error
        self._frames += 1

    def close(self):
        """Write the file."""
        if self._kind == ".json":
            write_pieces(self.path, json_list(entry["faces"] for entry in self._entries()))
        elif self._kind == ".jsonl":
            write_pieces(self.path, json_lines(self._entries()))
        else:
            write_rows(self.path, self._kind[1:], self._rows())
        self._lines.close()

    def _entries(self):
        self._lines.seek(0)
        return map(json.loads, self._lines)

    def _rows(self):
        """The columns, {name: type of its values}, and then a list for each face."""
        faces = (face for entry in self._entries() for face in entry["faces"])
        columns = _columns(*kind_of_faces(faces))
        yield columns
        for entry in self._entries():
            for face in entry["faces"]:
                cells = {**entry, **cells_of_face(face)}
                yield [cells.get(name) for name in columns]


def _is_points(path):
    """Whether a file is one of faces in frames, as far as that can be told."""
    try:
        if path.suffix.lower() in (".csv", ".parquet"):
            header, columns = read_table(path).header, list(_columns(None))
            return header[: len(columns) - 1] + header[-1:] == columns  # landmarks between them
        text = read_text(path)
        entries = parsed_json(text) if text.strip() else []
        if path.suffix.lower() == ".jsonl":
            entries = entries if isinstance(entries, list) else [entries]
            return all(entry.keys() == {"frame", "time", "faces"} for entry in entries)
        faces = (face for faces in entries for face in faces)
        return isinstance(entries, list) and all({"points", "scheme"} <= f.keys() for f in faces)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False


def _columns(scheme, has=()):
    return {"frame": int, "time": float, "track_id": int, **columns_of_face(scheme, has)}
