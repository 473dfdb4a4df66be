"""A file that computes something else than the model is found out, and told in a sentence."""

import numpy as np
import pytest
from tiny import tiny_lotr

from keras_lotr.export.check import ExportDiffers, check_features, check_points, one_sentence


@pytest.fixture(scope="module")
def model():
    return tiny_lotr(5)


@pytest.mark.parametrize(("shift", "rounded"), [(5e-4, False), (0.5, True)])
def test_points_that_differ_little(model, shift, rounded):
    check_points(model, lambda crops: model.predict_points(crops) + shift, rounded=rounded)


@pytest.mark.parametrize(
    ("shift", "rounded"), [(0.01, False), (1.5, True), (np.nan, False), (np.inf, True)]
)
def test_points_that_differ(model, shift, rounded):
    with pytest.raises(ExportDiffers, match="the points of the model.*nothing was written"):
        check_points(model, lambda crops: model.predict_points(crops) + shift, rounded=rounded)


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_features_are_compared_by_their_size(size):
    features = size * np.linspace(-1, 1, 7)
    check_features(features * 1.0005, features, "tokens")
    with pytest.raises(ExportDiffers, match="to compute 'tokens' as the model does.*of 0.00"):
        check_features(features * 1.002, features, "tokens")


def test_features_that_cannot_be_compared():
    zeros = np.zeros(3)
    check_features(zeros, zeros, "tokens")
    with pytest.raises(ExportDiffers, match=r"shape \(3,\) instead of \(4,\)"):
        check_features(zeros, np.zeros(4), "tokens")
    with pytest.raises(ExportDiffers, match="a difference of nan"):
        check_features(np.full(3, np.nan), np.ones(3), "tokens")


class Fail(Exception):
    """As onnxruntime's errors: of no class that Python knows."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Fail("bad graph\nand much more"), "cannot be written as onnx: Fail: bad graph$"),
        (KeyError(140218670966864), "onnx: KeyError: 140218670966864$"),
        (TypeError(), "onnx: TypeError: $"),
    ],
)
def test_errors_of_other_packages(error, sentence):
    with pytest.raises(ValueError, match=sentence), one_sentence("onnx"):
        raise error


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError, ImportError, ExportDiffers])
def test_errors_that_are_sentences_already(error):
    with pytest.raises(error, match="^as it is$"), one_sentence("onnx"):
        raise error("as it is")
