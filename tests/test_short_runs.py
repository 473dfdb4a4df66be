"""Short trainings side by side (benchmarks/short_runs.py)."""

import json

import keras
import numpy as np
import pytest
import short_runs
from click.testing import CliRunner
from safetensors.numpy import load_file
from tiny import SIZE, random_crops, write_faces

from keras_lotr.training.recipe import Recipe

SPLITS = ["train", "train", "train", "val"]
RECIPE = Recipe(
    image_size=SIZE, batch_size=2, epochs=2, samples_per_epoch=4, warmup_steps=1, ema=0.5,
    backbone_weights="none",
)  # fmt: skip

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("tiny_variant")]


def test_a_plain_regressor_begins_at_the_mean_landmarks():
    mean_points = np.linspace(0, SIZE, 136, dtype=np.float32).reshape(68, 2)
    model = short_runs.regressor(RECIPE, mean_points)
    found = model.predict_on_batch(random_crops(3))
    np.testing.assert_allclose(found, np.stack([mean_points] * 3), atol=1e-3)
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert norms and not any(norm.trainable for norm in norms)


def test_a_plain_regressor_leaves_the_weights_of_its_backbone(tmp_path):
    faces = write_faces(tmp_path / "faces", SPLITS)
    path = short_runs.plain_regressor(RECIPE, faces, tmp_path / "run")
    learned = load_file(path)
    keras.utils.set_random_seed(RECIPE.seed)
    start = short_runs.regressor(RECIPE, np.zeros((68, 2), np.float32)).backbone
    assert learned.keys() == {f"backbone/{v.path.removeprefix('tiny/')}" for v in start.weights}
    kernel = next(v for v in start.weights if v.path.endswith("conv1/kernel"))
    assert np.abs(learned["backbone/conv1/kernel"] - keras.ops.convert_to_numpy(kernel)).max() > 0


def test_runs_are_written_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(short_runs, "RECIPE", RECIPE)
    faces, output = write_faces(tmp_path / "faces", SPLITS), tmp_path / "short_runs.json"
    arguments = ["--data", faces, "--rendered", faces, "--backbone-weights", "none"]
    for name in ("as it is", "rendered faces first"):
        result = CliRunner().invoke(
            short_runs.main,
            [str(x) for x in [*arguments, "--output", output, "--only", name]],
            catch_exceptions=False,
        )
        assert name in result.output
    rows = json.loads(output.read_text())
    assert [(name, row["crops"]) for name, row in rows.items()] == [
        ("as it is", 8), ("rendered faces first", 16),
    ]  # fmt: skip
    assert all(row["val_nme"] > 0 and row["loss"] > 0 for row in rows.values())
