"""Boxes of a face detector for labelled faces: to train and to measure with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import randomize, tiny_lotr

from keras_lotr import Face
from keras_lotr.cli import main
from keras_lotr.datasets import detector_boxes as boxes_module
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.detector_boxes import detector_boxes, with_detector_boxes
from keras_lotr.evaluation import evaluate
from keras_lotr.training import Recipe, train

RENDERED = Path(__file__).parents[1] / "examples" / "rendered_faces"


class Detector:
    """Finds the faces whose numbers are given, moved by some pixels, and another beside each."""

    def __init__(self, samples, numbers, moved=4):
        self.boxes = [s.box + moved if i in numbers else None for i, s in enumerate(samples)]
        self.calls = 0

    def __call__(self, image):
        box = self.boxes[self.calls % len(self.boxes)]
        self.calls += 1
        far = Face(np.float32([0, 0, 9, 9]), np.zeros((5, 2), np.float32), 0.99)
        found = [] if box is None else [Face(box, np.zeros((5, 2), np.float32), 0.9)]
        return [far, *found]


@pytest.fixture(scope="module")
def samples(rendered_faces):
    return read_samples(rendered_faces, "train", "ibug68")


def test_it_is_the_box_that_shares_most_with_that_of_the_labels(samples):
    found = detector_boxes(samples[:4], Detector(samples[:4], {0, 2}))
    assert [box is None for box in found] == [False, True, False, True]
    np.testing.assert_array_equal(found[2], samples[2].box + 4)


def test_found_faces_come_again(samples):
    both = with_detector_boxes(samples[:3], Detector(samples[:3], {1}))
    assert both[:3] == samples[:3] and len(both) == 4
    assert both[3].path == samples[1].path
    np.testing.assert_array_equal(both[3].box, samples[1].box + 4)
    np.testing.assert_array_equal(both[3].points_image, samples[1].points_image)


def test_rendered_faces_are_found():
    faces = read_samples(RENDERED, "val", "ibug68")
    found = detector_boxes(faces)
    assert sum(box is not None for box in found) >= 0.8 * len(faces)


@pytest.fixture
def detector(samples, rendered_faces, monkeypatch):
    """Takes the place of the built-in one."""
    faces = read_samples(rendered_faces, "val", "ibug68")
    detector = Detector(faces, {0, 1, 2})
    monkeypatch.setattr(boxes_module, "load_detector", lambda _: detector)
    return faces


def test_evaluate(detector, rendered_faces, tmp_path, monkeypatch):
    randomize(tiny_lotr(68)).save_to_preset(tmp_path)
    results, rows = evaluate(tmp_path, rendered_faces, "val", boxes="detector")
    assert (results["boxes"], results["not_detected"]) == ("detector", 1)
    plain, plain_rows = evaluate(tmp_path, rendered_faces, "val")
    assert (plain["boxes"], plain["not_detected"]) == ("ground-truth", None)
    same = [a["nme"] == b["nme"] for a, b in zip(rows, plain_rows, strict=True)]
    assert same == [False, False, False, True]


def test_command(detector, rendered_faces, tmp_path):
    randomize(tiny_lotr(68)).save_to_preset(tmp_path)
    command = ["evaluate", str(tmp_path), "--data", str(rendered_faces), "--split", "val"]
    result = CliRunner().invoke(main, [*command, "--boxes", "detector"])
    assert result.exit_code == 0, result.output
    assert "by the boxes of the built-in detector, 1 that it does not find by" in result.output


def test_unknown_boxes(rendered_faces):
    with pytest.raises(ValueError, match="Expected boxes, one of .*Received: 'yunet'"):
        evaluate("lotr_m_68", rendered_faces, "val", boxes="yunet")


@pytest.mark.usefixtures("tiny_variant")
def test_training_sees_both_boxes(samples, rendered_faces, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(boxes_module, "load_detector", lambda _: Detector(samples, {3}))
    monkeypatch.setattr(
        "keras_lotr.training.parts.LandmarkBatches",
        lambda groups, *args, **kwargs: seen.extend(groups) or Batches(groups, *args, **kwargs),
    )
    from keras_lotr.datasets.batches import LandmarkBatches as Batches

    recipe = Recipe(epochs=1, batch_size=4, detector_boxes=True, warmup_steps=1)
    train(recipe, [rendered_faces], tmp_path / "run", verbose=0)
    (faces,) = seen
    assert len(faces) == len(samples) + 1
    np.testing.assert_array_equal(faces[-1].box, samples[3].box + 4)


def test_recipe():
    with pytest.raises(ValueError, match="Expected detector_boxes as true or false. Received: 1"):
        replace(Recipe(), detector_boxes=1)
