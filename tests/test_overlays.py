"""What is drawn besides landmarks, and by which presets."""

from types import SimpleNamespace

import pytest

from keras_lotr.cli.overlays import check_overlays, overlays_of

pytestmark = pytest.mark.once


def landmarker(scheme, sure):
    model, preprocessor = SimpleNamespace(has_certainty=sure), SimpleNamespace(scheme=scheme)
    return SimpleNamespace(model=model, preprocessor=preprocessor)


def test_presets_that_can():
    for scheme, sure, options in (
        ("ibug68", True, (True, True)),
        ("ibug68", False, (False, True)),
        ("plain5", True, (True, False)),
        ("plain5", False, (False, False)),
    ):
        check_overlays(landmarker(scheme, sure), "mine", overlays_of(*options))


def test_presets_that_cannot():
    with pytest.raises(ValueError, match="how sure it is with --ellipses. mine does not: train"):
        check_overlays(landmarker("ibug68", False), "mine", overlays_of(True, False))
    with pytest.raises(ValueError, match="with --pose. Received: mine, of plain5$"):
        check_overlays(landmarker("plain5", True), "mine", overlays_of(False, True))
