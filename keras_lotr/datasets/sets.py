"""The sets that a data set consists of, those of them that are asked for, and its two halves."""

from collections import Counter


def given_tags(tags):
    """Tags, such as names of sets, as a tuple.

    Args:
        tags: a text, an iterable of texts, or None, which is no tag.

    Raises:
        TypeError: anything else.

    Example:

    >>> given_tags("pose"), given_tags(tag for tag in ["pose", "blur"])
    (('pose',), ('pose', 'blur'))
    """
    if tags is None:
        return ()
    found = (tags,) if isinstance(tags, str) or not hasattr(tags, "__iter__") else tuple(tags)
    if not all(isinstance(tag, str) for tag in found):
        raise TypeError(f"Expected tags as texts, such as 'pose'. Received: {tags!r}")
    return found


def set_of(sample):
    """The name of the set that a sample is of, its first tag; "" if it has none."""
    return next(iter(sample.tags), "")


def sets_of(samples):
    """{name of a set: its samples}."""
    names = dict.fromkeys(map(set_of, samples))
    return {name: [s for s in samples if set_of(s) == name] for name in names}


def halves(samples):
    """Every other sample of each set, beginning with the first, and the others.

    Of held-out faces the first half calibrates a certainty head, and the second says how true it is
    then (`keras_lotr.training.certainty_calibration`, `keras_lotr.evaluation.certainty`).
    """
    found, counts = ([], []), Counter()
    for sample in samples:
        name = set_of(sample)
        found[counts[name] % 2].append(sample)
        counts[name] += 1
    return found
