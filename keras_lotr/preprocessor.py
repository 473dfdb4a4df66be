"""The preprocessor: what a landmark model wants to see, whatever runs it. No Keras is needed."""

from dataclasses import asdict, dataclass, fields

from keras_lotr.number_checks import real, whole
from keras_lotr.schemes import get_scheme, named_scheme, scheme_config, usual_scheme

MAX_IMAGE_SIZE = 4096


@dataclass(frozen=True)
class Preprocessor:
    """What happens to a photo before a model sees its faces, and which landmarks it predicts.

    It is stored in `preprocessor.json` of a preset and in the metadata of an exported file.

    Attributes:
        scheme: name of the landmark scheme, or a `LandmarkScheme` of one's own, which is stored as
            a dict of all that it says.
        image_size: side of the crop in pixels.
        margin: side of the crop, divided by the longer side of the box around the landmarks.
        detector_decides: whether the detector alone decides what is a face. If not, a model that
            says how sure its landmarks are has its say (`keras_lotr.inference.verification`), but
            one that never saw a photo knows too little of small and blurred faces.
        landmarks_in_box: x0, y0, x1, y1 of the box around landmarks that cover a part of the face
            only, in sides of the box that the library's detector finds; None: they are the same.

    Raises:
        ValueError: an entry is out of its range, or the scheme is unknown.
    """

    scheme: str
    image_size: int
    margin: float = 1.3
    detector_decides: bool = False
    landmarks_in_box: tuple | None = None

    def __post_init__(self):
        object.__setattr__(self, "scheme", named_scheme(self.scheme))
        size, margin = whole(self.image_size), real(self.margin)
        if size is None or not 0 < size <= MAX_IMAGE_SIZE:
            raise ValueError(
                f"Expected image_size as a whole number 1..{MAX_IMAGE_SIZE}. "
                f"Received: {self.image_size!r}"
            )
        if margin is None or not 0.1 <= margin <= 10:
            raise ValueError(f"Expected a margin 0.1..10. Received: {self.margin!r}")
        object.__setattr__(self, "image_size", size)
        object.__setattr__(self, "margin", margin)
        if not isinstance(self.detector_decides, bool):
            raise ValueError(
                f"Expected detector_decides as true or false. Received: {self.detector_decides!r}"
            )
        if self.landmarks_in_box is not None:
            object.__setattr__(self, "landmarks_in_box", checked_part(self.landmarks_in_box))

    def to_dict(self):
        """Its entries, for a config or a JSON file; those that most models do not need only if set.

        Example:

        >>> Preprocessor("ibug68", 192).to_dict()
        {'scheme': 'ibug68', 'image_size': 192, 'margin': 1.3}
        """
        entries = {**asdict(self), "scheme": scheme_config(self.scheme)}
        if not self.detector_decides:
            del entries["detector_decides"]
        if self.landmarks_in_box is None:
            del entries["landmarks_in_box"]
        return entries

    @classmethod
    def default(cls, num_landmarks, image_size):
        """The preprocessor of a model about which only its sizes are known."""
        return cls(usual_scheme(num_landmarks), image_size)

    @classmethod
    def from_dict(cls, entries):
        """The preprocessor that a JSON file or the metadata of a file hold; other entries are left.

        Raises:
            ValueError: it is none.

        Example:

        >>> Preprocessor.from_dict({"scheme": "ibug68", "image_size": 192, "channels": "RGB"})
        Preprocessor(scheme='ibug68', image_size=192, margin=1.3, detector_decides=False, \
landmarks_in_box=None)
        """
        names = {field.name for field in fields(cls)}
        try:
            return cls(**{k: v for k, v in entries.items() if k in names})
        except (AttributeError, TypeError) as error:
            raise ValueError(str(error)) from None


def checked_preprocessor(preprocessor, num_landmarks, image_size):
    """The preprocessor of a model of so many landmarks on crops of this size.

    Args:
        preprocessor: `Preprocessor`, its config, or None for the default.

    Raises:
        ValueError: it is none, or one of other landmarks or crops.

    Example:

    >>> checked_preprocessor({"scheme": "ibug68", "image_size": 192, "margin": 1.5}, 68, 192).margin
    1.5
    """
    if preprocessor is None:
        return Preprocessor.default(num_landmarks, image_size)
    if isinstance(preprocessor, dict):
        preprocessor = Preprocessor.from_dict(preprocessor)
    if not isinstance(preprocessor, Preprocessor):
        raise ValueError(f"Expected a Preprocessor as preprocessor. Received: {preprocessor!r}")
    count = get_scheme(preprocessor.scheme).num_landmarks
    if (count, preprocessor.image_size) != (num_landmarks, image_size):
        raise ValueError(
            f"Expected a preprocessor of {num_landmarks} landmarks and crops of {image_size} "
            f"pixels. Received: {preprocessor.scheme} ({count} landmarks), "
            f"{preprocessor.image_size} pixels"
        )
    return preprocessor


def checked_part(part):
    """`landmarks_in_box` as four floats x0, y0, x1, y1, of a box that is not far from the face's.

    Raises:
        ValueError: it is none.

    Example:

    >>> checked_part([0, 0.5, 1, 1])
    (0.0, 0.5, 1.0, 1.0)
    """
    given = part
    try:
        part = tuple(map(float, given))
    except (TypeError, ValueError):
        part = ()
    inside = len(part) == 4 and all(-2 <= side <= 3 for side in part)
    if not inside or part[0] >= part[2] or part[1] >= part[3]:
        raise ValueError(
            "Expected landmarks_in_box as x0, y0, x1, y1 in sides of the face's box, such as "
            f"(0.2, 0.6, 0.8, 0.9). Received: {part or given!r}"
        )
    return part


def flip_averaged(predict, crops, preprocessor):
    """The mean of the landmarks of crops and of the mirrored crops.

    Args:
        predict: function, crops (F, S, S, 3) -> landmarks (F, N, 2), crop pixels, or (F, N, 6) with
            the triangle a, b, c of each landmark's error and whether it is seen.
        crops: (F, S, S, 3).
        preprocessor: `Preprocessor` of the model, whose scheme has a flip order.

    Returns:
        As of `predict`.

    Raises:
        ValueError: the scheme has no flip order.
    """
    points, mirrored = predict(crops), predict(crops[:, :, ::-1])
    mirrored = get_scheme(preprocessor.scheme).mirror(mirrored, preprocessor.image_size)
    mirrored[..., 3:4] *= -1  # b, which turns with x; there is none among landmarks alone
    return (points + mirrored) / 2
