"""Whether the parts of a landmark scheme of one's own fit each other."""

from keras_lotr.number_checks import whole


def check_scheme(scheme):
    """Refuse a scheme whose parts do not fit each other: its first face would be a traceback.

    Args:
        scheme: `LandmarkScheme` whose lists are tuples.

    Raises:
        ValueError: naming the part.
    """
    if not isinstance(scheme.name, str) or not scheme.name:
        raise ValueError(f"Expected the name of a landmark scheme. Received: {scheme.name!r}")
    count = scheme.num_landmarks
    if whole(count) is None or count < 1:
        raise ValueError(f"Expected num_landmarks of {scheme}, 1 or more. Received: {count!r}")
    _check_regions(scheme)
    if scheme.flip_order is not None:
        _check_flip(scheme)
    if scheme.outer_eyes is not None:
        _check_landmarks(scheme, "outer_eyes", scheme.outer_eyes, 2)
    if scheme.five_points is not None:
        _check_five(scheme)
    scheme.check_normalizer(scheme.normalizer or "none")


def _check_regions(scheme):
    """Each landmark has a region, and one only."""
    for key in ("contours", "points"):
        lines = getattr(scheme, key)
        is_tuple = isinstance(lines, tuple)
        if not is_tuple or not all(isinstance(getattr(x, "region", None), str) for x in lines):
            raise ValueError(f"Expected Contours as {key} of {scheme}. Received: {lines!r}")
        for line in lines:
            _check_landmarks(scheme, f"the landmarks of {line.region!r}", line.indices)
    members = [i for indices in scheme.regions.values() for i in indices]
    wrong = [i for i in range(scheme.num_landmarks) if members.count(i) != 1]
    if wrong:
        raise ValueError(
            f"Expected each landmark of {scheme} in exactly one region of its contours and points. "
            f"Received: {wrong[:5]} in none or in several"
        )


def _check_flip(scheme):
    order = scheme.flip_order
    _check_landmarks(scheme, "flip_order", order, scheme.num_landmarks)
    if any(order[j] != i for i, j in enumerate(order)):
        raise ValueError(
            f"Expected a flip_order of {scheme} that undoes itself: if i is mirrored to j, then j "
            f"is mirrored to i. Received: {order}"
        )


def _check_five(scheme):
    groups = scheme.five_points
    if not isinstance(groups, tuple) or len(groups) != 5:
        raise ValueError(f"Expected five groups as five_points of {scheme}. Received: {groups!r}")
    for group in groups:
        _check_landmarks(scheme, "a group of five_points", group)


def _check_landmarks(scheme, what, indices, length=None):
    """Refuse what is no tuple of landmarks of the scheme, or not of this length."""
    count = scheme.num_landmarks
    right = isinstance(indices, tuple) and all(
        whole(i) is not None and 0 <= i < count for i in indices
    )
    if not right or not indices or length not in (None, len(indices)):
        number = "" if length is None else f"{length} "
        raise ValueError(
            f"Expected {number}numbers 0..{count - 1} as {what} of {scheme}. Received: {indices!r}"
        )
