"""tools/mean_weights.py: the mean of what several stages of a training have learned."""

import mean_weights
import numpy as np
import pytest
from click.testing import CliRunner
from tiny import randomize, tiny_lotr, weights_of

from keras_lotr import LOTR
from keras_lotr.presets.files import WEIGHTS

pytestmark = pytest.mark.once


def test_mean_of_presets(tmp_path):
    models = [randomize(tiny_lotr(5), seed=seed) for seed in (0, 1)]
    for name, model in zip("ab", models, strict=True):
        model.save_to_preset(tmp_path / name)
    (tmp_path / "a" / "model.onnx").write_bytes(b"with the weights of a")
    shares = [f"{tmp_path / 'a'}=1", f"{tmp_path / 'b'}=3"]
    run = CliRunner().invoke(mean_weights.main, [*shares, "--output", str(tmp_path / "mean")])
    assert run.exit_code == 0, run.output
    first, second, mean = map(weights_of, (*models, LOTR.from_preset(tmp_path / "mean")))
    for key, array in mean.items():
        np.testing.assert_allclose(array, 0.25 * first[key] + 0.75 * second[key], atol=1e-6)
    assert not (tmp_path / "mean" / "model.onnx").exists()


def test_presets_of_two_networks_have_none(tmp_path):
    files = []
    for count in (5, 6):
        tiny_lotr(count).save_to_preset(tmp_path / str(count))
        files.append((tmp_path / str(count) / WEIGHTS, 1.0))
    with pytest.raises(ValueError, match="Expected presets of one network"):
        mean_weights.mean_of(files)
    with pytest.raises(ValueError, match=r"Expected shares of 0 and more. Received: \[1.0, -1.0\]"):
        mean_weights.mean_of([files[0], (files[0][0], -1.0)])
