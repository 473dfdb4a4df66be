"""The sets of a data set and its halves."""

from dataclasses import dataclass

import pytest

from keras_lotr.datasets.sets import halves, set_of, sets_of

pytestmark = pytest.mark.once


@dataclass(frozen=True)
class Tagged:
    number: int
    tags: tuple


FACES = [Tagged(i, tags) for i, tags in enumerate([("a", "x"), ("b",), ("a",), (), ("a",), ("b",)])]


def numbers(samples):
    return [sample.number for sample in samples]


def test_the_first_tag_is_the_set():
    assert [set_of(face) for face in FACES] == ["a", "b", "a", "", "a", "b"]
    assert {name: numbers(of) for name, of in sets_of(FACES).items()} == {
        "a": [0, 2, 4], "b": [1, 5], "": [3],
    }  # fmt: skip


def test_halves_take_turns_in_each_set():
    first, second = halves(FACES)
    assert numbers(first) == [0, 1, 3, 4]
    assert numbers(second) == [2, 5]
