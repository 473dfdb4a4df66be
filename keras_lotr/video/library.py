"""PyAV, which reads and writes videos; an extra."""

import os


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


def open_video(path, *arguments, **settings):
    """Open a file with FFmpeg, to which "12:30.mp4" would be an address of the protocol "12".

    Args:
        path: of the file.
        *arguments, **settings: of `av.open`.
    """
    return pyav().open(os.path.abspath(path), *arguments, **settings)
