"""Millions of images on many machines: `predict`, on the engine Ray Data (the extra "ray")."""

from contextlib import contextmanager

from keras_lotr.lazy import lazy_names

__all__ = ["predict"]


@contextmanager
def ray_needed():
    """Around the imports of what the extra "ray" installs: its absence is told in a sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("ray", "pyarrow", "fsspec"):
            raise
        raise ImportError("keras_lotr.ray needs Ray: pip install 'keras-lotr[ray]'") from None


__getattr__, __dir__ = lazy_names(__name__, {"bulk": ("predict",)})
