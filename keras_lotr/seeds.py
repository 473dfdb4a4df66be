"""Random numbers that depend on a seed only, without a trace in the rest of the process."""

import random
from contextlib import contextmanager

import numpy as np

from keras_lotr.number_checks import whole


def check_seed(seed):
    """Refuse what the generators of Python, NumPy and Keras do not all take.

    Raises:
        ValueError: it is no whole number, below 0 or too large.

    Example:

    >>> check_seed(-1)
    Traceback (most recent call last):
    ValueError: Expected seed as a whole number from 0 to 4294967295. Received: -1
    """
    if whole(seed) is None or not 0 <= seed < 2**32:
        raise ValueError(f"Expected seed as a whole number from 0 to {2**32 - 1}. Received: {seed}")


@contextmanager
def seeded(seed):
    """Build a model meanwhile, and its weights depend on the seed only.

    Keras draws the seeds of initialisers and dropout from Python's generator. Where this and
    NumPy's were is restored afterwards.

    Example:

    >>> import keras
    >>> def weights():
    ...     with seeded(7):
    ...         return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).get_weights()[0]
    >>> bool((weights() == weights()).all())
    True
    """
    states = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
