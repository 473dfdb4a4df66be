"""An error as a person is told of it."""


def sentence(error):
    """The error in one line.

    Example:

    >>> sentence(PermissionError(13, "Permission denied", "out/a.json"))
    'out/a.json: Permission denied'
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
