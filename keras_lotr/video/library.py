"""PyAV, which reads and writes videos; an extra."""


def pyav():
    """The module `av`.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise ImportError("Videos need PyAV: pip install 'keras-lotr[video]'") from None
    av.logging.set_level(None)  # what is wrong with a file is told once, in a sentence
    return av
