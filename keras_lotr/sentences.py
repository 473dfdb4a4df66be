"""An error as a person is told of it, and what several functions say of their input."""


def sentence(error):
    """The error in one line.

    Example:

    >>> sentence(PermissionError(13, "Permission denied", "out/a.json"))
    'out/a.json: Permission denied'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def counted(number, noun):
    """A number of things.

    Example:

    >>> counted(1, "face"), counted(0, "face")
    ('1 face', '0 faces')
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


def list_of_faces(faces, needs="points"):
    """Faces as a list; a single one is a list of one.

    Args:
        faces: `FaceLandmarks`, or an iterable of those.
        needs: the attribute that makes it a face.

    Raises:
        TypeError: something else, such as a list of lists.

    Example:

    >>> list_of_faces([[10, 20], [30, 40]])
    Traceback (most recent call last):
    TypeError: Expected a list of FaceLandmarks, of one image. Received: list of list
    """
    if hasattr(faces, needs):
        return [faces]
    found = list(faces) if hasattr(faces, "__iter__") else [faces]
    strange = [face for face in found if not hasattr(face, needs)]
    if strange:
        received = f"{type(faces).__name__} of {type(strange[0]).__name__}"
        received = received if hasattr(faces, "__iter__") else type(faces).__name__
        raise TypeError(f"Expected a list of FaceLandmarks, of one image. Received: {received}")
    return found
