"""What was found: the landmarks of a face, the faces of a photo."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_lotr import formats


@dataclass(frozen=True, eq=False)
class FaceLandmarks:
    """The landmarks of a face.

    Attributes:
        points: (N, 2) float32, photo pixels; integers are pixel centres.
        box: (4,) float32 x0, y0, x1, y1, photo pixels: what the crop was made from.
        score: 0..1, how sure the detector was; None for a box that was given.
        scheme: name of the landmark scheme.
    """

    points: np.ndarray
    box: np.ndarray
    score: float | None
    scheme: str

    def to_dict(self):
        """{"points", "box", "score", "scheme"} of plain numbers, rounded to 1/1000 pixel."""
        return {
            "points": _rounded(self.points),
            "box": _rounded(self.box),
            "score": self.score if self.score is None else round(float(self.score), 4),
            "scheme": self.scheme,
        }

    def save(self, path, image=""):
        """Write a .json, .csv or .pts file.

        Args:
            path: its ending says which.
            image: what stands in the column `image` of a CSV.
        """
        path, face = Path(path), self.to_dict()
        entry = {"source": os.fspath(image), "faces": [face]}
        writers = {
            ".json": lambda: json.dumps(face) + "\n",
            ".csv": lambda: formats.to_csv([entry], path.parent),
            ".pts": lambda: formats.to_pts(face),
        }
        if path.suffix.lower() not in writers:
            raise ValueError(f"Expected a file {', '.join(writers)}. Received: {path}")
        formats.write_text(path, writers[path.suffix.lower()]())


@dataclass(frozen=True, eq=False)
class PhotoLandmarks:
    """What was found in a photo.

    Attributes:
        source: as it was given.
        faces: list of `FaceLandmarks`.
        width, height: of the upright photo.
        error: the exception, if the photo could not be read or its boxes are not valid.
    """

    source: object
    faces: list = ()
    width: int = 0
    height: int = 0
    error: Exception | None = None

    def to_dict(self):
        """{"source", "width", "height", "faces"} as the JSON file has it."""
        faces = [face.to_dict() for face in self.faces]
        size = {"width": self.width, "height": self.height}
        return {"source": str(self.source), **size, "faces": faces}


def _rounded(array):
    return np.round(np.asarray(array, np.float64), 3).tolist()
