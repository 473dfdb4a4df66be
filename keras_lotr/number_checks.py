"""Numbers as users give them, NumPy's too, as Python's own, which JSON can hold."""

from contextlib import suppress
from numbers import Integral, Real


def whole(value):
    """The int of a whole number; None of anything else, such as True or 5.0.

    Example:

    >>> import numpy as np
    >>> whole(np.int64(5)), whole(5.0), whole(True)
    (5, None, None)
    """
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None


def real(value):
    """The float of a number; None of anything else, such as True, "5" or what no float can hold.

    Example:

    >>> import numpy as np
    >>> real(np.float32(0.5)), real(2), real("2"), real(10**400)
    (0.5, 2.0, None, None)
    """
    with suppress(OverflowError):
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None
    return None


def check_counts(least=1, **values):
    """Refuse numbers that are not whole or are below `least`.

    Raises:
        ValueError: naming the argument.
    """
    for name, value in values.items():
        if whole(value) is None or value < least:
            raise ValueError(f"Expected {name} as a whole number from {least}. Received: {value!r}")
