"""The fine-tuning example runs, at small size, on its own CSV and on a user's."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from loading import load
from tiny import SHALLOW, draw_face, tiny_lotr

from keras_lotr import LOTR
from keras_lotr.datasets import read_samples

pytest.importorskip("matplotlib")

EXAMPLE = Path(__file__).parents[1] / "examples" / "fine_tune.py"

pytestmark = pytest.mark.usefixtures("tiny_variant")


@pytest.fixture(scope="module")
def example():
    return load(EXAMPLE)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples") / "tiny68"
    tiny_lotr(68, **SHALLOW).save_to_preset(folder)
    return folder


def few_faces(folder, count):
    """Drawn faces with 21 of their 68 points in a CSV file."""
    rng = np.random.default_rng(0)
    columns = [f"{axis}{i}" for i in range(21) for axis in "xy"]
    folder.mkdir()
    with open(folder / "faces.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *columns, "split"])
        for i in range(count):
            image, points = draw_face(rng)
            cv2.imwrite(str(folder / f"{i}.png"), image)
            writer.writerow([f"{i}.png", *points[20:41].ravel(), "val" if i % 4 == 3 else "train"])
    return folder / "faces.csv"


def test_csv_of_the_rendered_faces(example, tmp_path):
    file = example.write_csv(tmp_path / "new" / "faces.csv")
    samples = read_samples(file)
    assert (len(samples), samples[0].scheme) == (80, "plain21")
    assert len(read_samples(file, "val")) == 16


def test_fine_tuning(example, preset, tmp_path):
    data, out = few_faces(tmp_path / "mine", 12), tmp_path / "out"
    before, after = example.fine_tune(data, out, preset, epochs=2, batch_size=4)
    assert 0 < after < 1000 and before != after
    for name in ("loss", "before", "after"):
        assert min(cv2.imread(str(out / f"{name}.png")).shape[:2]) > 100
    model = LOTR.from_preset(out / "run" / "preset")
    assert model.output_shape == (None, 21, 2) and model.preprocessor.scheme == "plain21"
