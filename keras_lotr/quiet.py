"""What other libraries' C code writes on standard error, past Python: kept from the user."""

import os
import sys
import tempfile
import threading
from contextlib import contextmanager

_BACKENDS = ("tensorflow", "jax", "torch")  # of Keras, and the packages that they are in
_LOCK = threading.RLock()  # there is one standard error for all threads


@contextmanager
def quiet_stderr():
    """Nothing that is written to standard error meanwhile is seen.

    If the block ends with an error, all of it is shown: it may say why.

    Example:

    >>> import os
    >>> with quiet_stderr():
    ...     _ = os.write(2, b"a note of a C library")
    """
    if not _has_stderr():
        yield
        return
    with _LOCK, tempfile.TemporaryFile() as hidden:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception:
            hidden.seek(0)
            os.write(terminal, hidden.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def _has_stderr():
    """Not so in a program with a window of its own, in which 2 may be any other file."""
    try:
        os.fstat(2)
    except OSError:
        return False
    return sys.stderr is not None


@contextmanager
def backend_needed():
    """Around what imports Keras: its backend's absence is told with what to install.

    Raises:
        ImportError: the backend is not installed, or Keras knows no such backend.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _BACKENDS:
            raise
        others = " or ".join(other for other in _BACKENDS if other != name)
        raise ImportError(
            f"Keras' backend {name} is not installed: pip install 'keras-lotr[{name}]', or set "
            f"KERAS_BACKEND to {others}. Prediction with engine='onnxruntime' needs none."
        ) from None
    except ValueError as error:
        if "Unable to import backend" not in str(error):
            raise
        raise ImportError(
            f"Expected KERAS_BACKEND as one of {', '.join(_BACKENDS)}. "
            f"Received: {os.environ.get('KERAS_BACKEND', 'another one in keras.json')}"
        ) from None


def start_keras(to_train=False):
    """Import Keras and its backend without the notes that TensorFlow and JAX write at their start.

    What a keras.json says of `floatx` is for models of the user's own: in 16 bits our trainings
    would diverge, and landmarks be off. A recipe and a preset name their dtypes themselves.

    Args:
        to_train: a model is trained, or saved as a preset; for both Keras imports TensorFlow, too,
            where it is installed, whatever the backend.

    Raises:
        ImportError: the backend is not installed; the sentence says what to do.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr():
        with backend_needed():
            import keras
        keras.config.set_floatx("float32")
        keras.ops.zeros(1)  # devices are looked for, and talked about, at the first operation
        if to_train:
            keras.utils.set_random_seed(0)
