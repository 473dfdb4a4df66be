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


def test_three_steps_are_those_of_the_formulas():
    """AdamW with clipped gradients, decay and a moving average, in NumPy."""
    model = randomize(tiny_lotr(5, num_encoder_layers=0, num_decoder_layers=1))
    recipe = Recipe(
        learning_rate=3e-3, backbone_rate=0.5, clipnorm=2.0, schedule="steps", warmup_steps=0,
        weight_decay=0.1, ema=0.9,
    )  # fmt: skip
    variables = model.trainable_variables
    optimizer = recipe.optimizer_for(model, steps=100)
    backbone = {v.path for v in model.backbone.trainable_variables}
    weights = [ops.convert_to_numpy(v).astype(float) for v in variables]
    means, squares, averages = ([np.zeros_like(w) for w in weights] for _ in range(3))
    rng = np.random.default_rng(0)
    for step in range(1, 4):
        gradients = [rng.standard_normal(w.shape).astype("float32") for w in weights]
        optimizer.apply([ops.convert_to_tensor(g) for g in gradients], variables)
        for i, (g, variable) in enumerate(zip(gradients, variables, strict=True)):
            g = g * min(1, 2 / np.linalg.norm(g))
            means[i] = 0.9 * means[i] + 0.1 * g
            squares[i] = 0.999 * squares[i] + 0.001 * g**2
            no_decay = any(name in variable.name for name in ("bias", "beta", "gamma", "table"))
            weights[i] *= 1 if no_decay else 1 - 3e-3 * 0.1
            rate = 3e-3 * (0.5 if variable.path in backbone else 1)
            rate *= np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            weights[i] -= rate * means[i] / (np.sqrt(squares[i]) + 1e-7)
            share = 0 if step == 1 else 0.9
            averages[i] = share * averages[i] + (1 - share) * weights[i]
    found = optimizer._model_variables_moving_average
    for expected, average, variable, moved in zip(weights, averages, variables, found, strict=True):
        value = ops.convert_to_numpy(variable)
        np.testing.assert_allclose(value, expected, atol=3e-5, err_msg=variable.path)
        np.testing.assert_allclose(ops.convert_to_numpy(moved), average, atol=3e-5)


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
