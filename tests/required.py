"""What some tests need of the machine."""

import os

import pytest


def missing(kind, reason):
    """Skip the running test; or fail it where KERAS_LOTR_REQUIRE lists this kind of tests.

    Args:
        kind: "browser".
        reason: what the test needs, or what went wrong.
    """
    if kind in os.environ.get("KERAS_LOTR_REQUIRE", "").split(","):
        pytest.fail(f"KERAS_LOTR_REQUIRE asks for tests in a {kind}, but: {reason}")
    pytest.skip(reason)
