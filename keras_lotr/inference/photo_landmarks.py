"""What was found: the faces of a photo."""

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
        """Whether the quality of a face is below the least one."""
        return self.min_quality is not None and face.quality < self.min_quality

    def to_dict(self):
        """{"source", "width", "height", "faces"} as the JSON file has it."""
        faces = [
            {**face.to_dict(), **({"low_quality": True} if self.is_low(face) else {})}
            for face in self.faces
        ]
        size = {"width": self.width, "height": self.height}
        return {"source": str(self.source), **size, "faces": faces}
