"""Checks of constructor arguments: each fault is told in one sentence that names the argument."""

import difflib
import inspect

import keras

from keras_lotr.number_checks import check_counts

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def refuse_unknown(cls, unknown):
    """Refuse keyword arguments that a constructor does not have.

    Args:
        cls: the class; the arguments that its `__init__` names are known.
        unknown: {name: value} of the others.

    Raises:
        TypeError: naming the nearest argument.

    Example:

    >>> class Network:
    ...     def __init__(self, num_heads=8, **unknown):
    ...         refuse_unknown(Network, unknown)
    >>> Network(num_haeds=4)
    Traceback (most recent call last):
    TypeError: Network has no argument 'num_haeds'. Did you mean 'num_heads'?
    """
    for name in unknown:
        known = arguments_of(cls)
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Its arguments are {', '.join(known)}."
        raise TypeError(f"{cls.__name__} has no argument {name!r}. {hint}")


def with_current_names(cls, arguments):
    """Arguments of a class, those that had another name in an earlier version by today's.

    Args:
        cls: the class; its `former_arguments` are {former name: name}, if there are any.
        arguments: {name: value}.

    Example:

    >>> class Network:
    ...     former_arguments = {"channels": "width"}
    >>> with_current_names(Network, {"channels": 8})
    {'width': 8}
    """
    former = getattr(cls, "former_arguments", {})
    return {former.get(name, name): value for name, value in arguments.items()}


def arguments_of(cls):
    """Names of the arguments of a class and of those that it hands others on to, up to Keras' own.

    A constructor that refuses other arguments has none, or calls them `unknown`.
    """
    names = []
    for base in cls.__mro__:
        if base.__module__.startswith("keras."):
            break
        if "__init__" in vars(base):
            parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
            names += [p.name for p in parameters if p.kind in _BY_NAME and p.name not in names]
            others = [p.name for p in parameters if p.kind == inspect.Parameter.VAR_KEYWORD]
            if others in ([], ["unknown"]):
                break
    return names


def checked_image_size(image_size, multiple):
    """A side of the input that a backbone can halve as often as it has to, as an int.

    Raises:
        ValueError: naming the nearest sizes that fit.
    """
    check_counts(image_size=image_size)
    if image_size % multiple:
        below = image_size // multiple * multiple
        fitting = " or ".join(str(size) for size in (below, below + multiple) if size)
        raise ValueError(
            f"Expected image_size as a multiple of {multiple}, such as {fitting}. "
            f"Received: {image_size}"
        )
    return int(image_size)


def checked_trainable(trainable):
    """`trainable` of a model: True or False.

    Raises:
        ValueError: it is neither.
    """
    if trainable not in (True, False):
        raise ValueError(f"Expected trainable as True or False. Received: {trainable!r}")
    return bool(trainable)


def checked_policy(dtype):
    """A dtype policy by its name, its config or itself; None: Keras' own.

    Raises:
        ValueError: Keras knows no such policy.
    """
    try:
        return keras.dtype_policies.get(dtype)
    except (TypeError, ValueError):
        raise ValueError(
            "Expected dtype as a policy of Keras, such as 'float32' or 'mixed_bfloat16'. "
            f"Received: {dtype!r}"
        ) from None
