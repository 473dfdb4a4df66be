"""What was found: the faces of a photo."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class PhotoLandmarks:
    """What was found in a photo.

    Attributes:
        source: as it was given.
        faces: list of `FaceLandmarks`.
        width, height: of the upright photo.
        error: the exception, if the photo could not be read or its boxes are not valid.
        min_quality: faces below this quality have "low_quality" in `to_dict`; None: none has.
    """

    source: object
    faces: list = ()
    width: int = 0
    height: int = 0
    error: Exception | None = None
    min_quality: float | None = None

    def is_low(self, face):
        """Whether the quality of a face, if it has one, is below the least one."""
        return None not in (self.min_quality, face.quality) and face.quality < self.min_quality

    def to_dict(self):
        """{"source", "width", "height", "faces"} as the JSON file has it."""
        faces = [
            {**face.to_dict(), **({"low_quality": True} if self.is_low(face) else {})}
            for face in self.faces
        ]
        size = {"width": int(self.width), "height": int(self.height)}
        return {"source": name_of(self.source), **size, "faces": faces}


def name_of(source):
    """The path or URL of an image; of one without a name, such as an array, what kind it is.

    Example:

    >>> from pathlib import Path
    >>> name_of(Path("a.jpg")), name_of(b"the bytes of a file")
    ('a.jpg', 'bytes')
    """
    for name in (source, getattr(source, "name", None)):  # that of an open file
        if isinstance(name, str | os.PathLike):
            return os.fsdecode(name)
    return type(source).__name__


def bytes_held(source):
    """About how many bytes of memory an image takes that is not named but given.

    Example:

    >>> bytes_held("a.jpg"), bytes_held(b"the bytes of a file")
    (0, 19)
    """
    if isinstance(source, bytes | bytearray):
        return len(source)
    width, height = size if isinstance(size := getattr(source, "size", 0), tuple) else (0, 0)
    return getattr(source, "nbytes", 4 * width * height)
