"""A slower rate for the backbone, which a saved model keeps."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops
from tiny import SHALLOW, random_crops, randomize, tiny_lotr, weights_of

from keras_lotr.losses import SmoothWing
from keras_lotr.training.recipe import Recipe

SETTINGS = {"weight_decay": 0.1, "ema": 0.0, "warmup_steps": 0, "schedule": "steps"}

pytestmark = pytest.mark.usefixtures("tiny_variant")


@pytest.mark.parametrize("optimizer", ["adamw", "lamb"])
def test_backbone_rate(optimizer):
    """The same gradients move the backbone half as far at half the rate."""
    moved = {}
    for rate in (1.0, 0.5):
        model = randomize(tiny_lotr(5, num_encoder_layers=0, num_decoder_layers=1))
        recipe = Recipe(
            optimizer=optimizer, backbone_rate=rate, learning_rate=3e-3,
            **{**SETTINGS, "weight_decay": 0.0},
        )  # fmt: skip
        before, variables = weights_of(model), model.trainable_variables
        rng = np.random.default_rng(0)
        gradients = [rng.standard_normal(v.shape).astype("float32") for v in variables]
        recipe.optimizer_for(model, steps=10).apply(
            [ops.convert_to_tensor(g) for g in gradients], variables
        )
        moved[rate] = {key: value - before[key] for key, value in weights_of(model).items()}
    for key, full in moved[1.0].items():
        factor = 0.5 if key.startswith("backbone/") else 1.0
        np.testing.assert_allclose(moved[0.5][key], factor * full, atol=1e-6, err_msg=key)
        assert key.endswith(("moving_mean", "moving_variance")) or np.abs(full).max() > 1e-4


LOAD = """
import sys, keras, keras_lotr
model = keras.saving.load_model(sys.argv[1])
print(type(model.optimizer).__name__, model.optimizer.backbone_rate)
"""


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("lamb", marks=pytest.mark.once)])
def test_a_saved_model_trains_on_in_the_same_way(optimizer, tmp_path):
    recipe = Recipe(optimizer=optimizer, backbone_rate=0.25, **SETTINGS)
    model = randomize(tiny_lotr(5, **SHALLOW))
    model.compile(recipe.optimizer_for(model, steps=10), SmoothWing())
    crops, points = random_crops(2), np.full((2, 5, 2), 20, np.float32)
    model.train_on_batch(crops, points)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for trained in (model, again):
        trained.train_on_batch(crops, points)
    expected, found = weights_of(model), weights_of(again)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, atol=1e-6, err_msg=key)
    run = subprocess.run(
        [sys.executable, "-c", LOAD, tmp_path / "model.keras"], capture_output=True, text=True
    )
    assert run.stdout.split()[-1:] == ["0.25"], run.stderr
