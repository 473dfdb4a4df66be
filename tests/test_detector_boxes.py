"""Boxes of a face detector for labelled faces: to train and to measure with."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import randomize, tiny_lotr

from keras_lotr import Face, FaceDetector, FaceLandmarker
from keras_lotr.cli import main
from keras_lotr.datasets import detector_boxes as boxes_module
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.detector_boxes import (
    detector_boxes,
    landmarks_in_box,
    with_detector_boxes,
)
from keras_lotr.evaluation import evaluate
from keras_lotr.images.reading import read_image
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.training import Recipe, train

EXAMPLES = Path(__file__).parents[1] / "examples"
RENDERED, ASTRONAUT = EXAMPLES / "rendered_faces", EXAMPLES / "astronaut.jpg"


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
    for wrong in (1, "yes"):
        with pytest.raises(ValueError, match=f"Expected detector_boxes as .* Received: {wrong!r}"):
            replace(Recipe(), detector_boxes=wrong)


def mouths(split):
    """The rendered faces, of which only the mouth is labelled."""
    return [
        replace(s, points_image=s.points_image[48:], scheme="plain20", box=None, visibility=None)
        for s in read_samples(RENDERED, split, "ibug68")
    ]


def test_landmarks_of_a_part_of_the_face():
    faces = mouths("val")
    part = landmarks_in_box(faces)
    x0, y0, x1, y1 = part
    assert 0.2 < x0 < 0.4 < 0.6 < x1 < 0.8 and 0.5 < y0 < 0.7 < y1 < 0.9
    plain, moved = (detector_boxes(faces, landmarks_in_box=p) for p in (None, part))
    assert sum(box is not None for box in plain) < 0.2 * len(faces)
    assert sum(box is not None for box in moved) >= 0.8 * len(faces)


def test_nothing_is_known_of_faces_that_are_not_found(samples):
    assert landmarks_in_box(samples, Detector(samples, {})) is None


def test_a_users_own_detector_gives_the_boxes_of_the_users_landmarks(samples):
    found = detector_boxes(samples[:1], Detector(samples, {0}), landmarks_in_box=(0, 0, 0.5, 0.5))
    np.testing.assert_array_equal(found[0], samples[0].box + 4)


@pytest.mark.usefixtures("tiny_variant")
def test_a_training_of_a_part_of_the_face_says_where_it_is(tmp_path):
    """Its boxes are those of the mouth, also those that the detector finds in a photo."""
    columns = [f"{axis}{i}" for i in range(20) for axis in "xy"]
    lines = [",".join(["image", *columns, "split"])]
    for split in ("train", "val"):
        for sample in mouths(split)[:12]:
            lines.append(",".join([sample.path, *map(str, sample.points_image.ravel()), split]))
    (tmp_path / "mouths.csv").write_text("\n".join(lines))
    recipe = Recipe(scheme="plain20", epochs=1, batch_size=4, warmup_steps=1)
    preset = train(recipe, [tmp_path / "mouths.csv"], tmp_path / "run", verbose=0)
    landmarker = FaceLandmarker.from_preset(preset)
    x0, y0, x1, y1 = landmarker.preprocessor.landmarks_in_box
    (whole,) = FaceDetector.from_preset()(ASTRONAUT)
    sides = np.tile(whole.box[2:] - whole.box[:2], 2)
    expected = np.tile(whole.box[:2], 2) + np.array([x0, y0, x1, y1]) * sides
    for detector in ("builtin", FaceDetector.from_preset()):
        (face,) = FaceLandmarker(landmarker.model, detector)(ASTRONAUT)
        np.testing.assert_allclose(face.box, expected, atol=0.1)
    own = FaceLandmarker(landmarker.model, lambda image: [whole])
    np.testing.assert_array_equal(own(ASTRONAUT)[0].box, whole.box)
    np.testing.assert_array_equal(landmarker(ASTRONAUT, boxes=[whole])[0].box, whole.box)


def test_a_detector_of_a_part_can_be_pickled_and_turns_with_the_face():
    part = (0.3, 0.6, 0.7, 0.8)
    detect = pickle.loads(pickle.dumps(FaceDetector.from_preset(rotations=(0, 90)).of_part(part)))
    image = read_image(ASTRONAUT)
    (face,) = detect(image)
    (turned,) = detect(np.ascontiguousarray(np.rot90(image, -1)))  # clockwise
    assert turned.degrees == 90
    x0, y0, x1, y1 = face.box
    last = len(image) - 1
    np.testing.assert_allclose(turned.box, [last - y1, x0, last - y0, x1], atol=2)


@pytest.mark.parametrize("part", [(0, 0, 1), (0.5, 0, 0.5, 1), (0, 0, 9, 1), ("a", 0, 1, 1), 3])
def test_a_part_that_is_no_box(part):
    with pytest.raises(ValueError, match="Expected landmarks_in_box as x0, y0, x1, y1 in sides"):
        Preprocessor("ibug68", 64, landmarks_in_box=part)


def test_the_part_is_kept_in_json():
    preprocessor = Preprocessor("ibug68", 64, landmarks_in_box=[0, 0.5, 1, 1])
    entries = json.loads(json.dumps(preprocessor.to_dict()))
    assert Preprocessor.from_dict(entries) == preprocessor
    assert "landmarks_in_box" not in Preprocessor("ibug68", 64).to_dict()
