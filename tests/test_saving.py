"""A preset is written as a whole; what cannot be written leaves the one that was there."""

import numpy as np
import pytest
from tiny import assert_same_weights, largest_file, randomize, tiny_lotr, weights_of

from keras_lotr import LOTR
from keras_lotr.detector_training.network import DetectorNetwork
from keras_lotr.presets.weights import named_weights


def tiny_detector(width=4):
    return DetectorNetwork(widths=(width,) * 5, depths=(0, 0, 0, 0), pyramid_width=4)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["LOTR", "DetectorNetwork"])
def pair(request, tmp_path):
    """A saved preset with an .onnx file, and another model of its class."""
    if request.param == "LOTR":
        old, new = randomize(tiny_lotr(5)), randomize(tiny_lotr(5, num_heads=2), seed=1)
    else:
        old, new = tiny_detector(), tiny_detector(width=6)
    old.save_to_preset(tmp_path / "mine")
    (tmp_path / "mine" / "model.onnx").write_bytes(b"of these weights")
    return tmp_path / "mine", new


@pytest.mark.parametrize("size", [10, 5000])  # not even the config fits; the weights do not
def test_a_full_disk_leaves_the_old_preset(pair, size):
    folder, model = pair
    before = contents(folder)
    with largest_file(size), pytest.raises(OSError, match="cannot be written: .*too large"):
        model.save_to_preset(folder)
    assert contents(folder) == before


def test_saving_replaces_the_preset_and_removes_onnx_files_of_other_weights(pair):
    folder, model = pair
    model.save_to_preset(folder)
    assert not (folder / "model.onnx").exists()
    assert_same_weights(weights_of(type(model).from_preset(folder)), weights_of(model))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "float17", "", 5, ["float16"]])
def test_weights_are_saved_as_floats_only(pair, dtype):
    folder, model = pair
    before = contents(folder)
    with pytest.raises(ValueError, match="Expected dtype as None or one of 'float16', 'bfloat16'"):
        model.save_to_preset(folder, dtype)
    assert contents(folder) == before


@pytest.mark.parametrize("dtype", ["float16", np.float16, "bfloat16", "float32"])
def test_weights_of_each_dtype_load(dtype, tmp_path):
    model = randomize(tiny_lotr(5))
    model.save_to_preset(tmp_path, dtype)
    found, expected = weights_of(LOTR.from_preset(tmp_path)), weights_of(model)
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=0.01, atol=1e-6, err_msg=key)


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, None), (-np.inf, None), (1e5, "float16")])
def test_weights_that_could_not_be_loaded_are_not_saved(pair, value, dtype):
    folder, model = pair
    before = contents(folder)
    key, variable = next((k, v) for k, v in named_weights(model).items() if k.endswith("kernel"))
    array = weights_of(model)[key]
    array.flat[3] = value
    variable.assign(array)
    with pytest.raises(ValueError, match=f"Expected finite weights. {key} of .* as float"):
        model.save_to_preset(folder, dtype)
    assert contents(folder) == before


def test_large_weights_fit_into_other_dtypes(tmp_path):
    model = randomize(tiny_lotr(5))
    model.get_layer("reduce").bias.assign(np.full(16, 1e5))
    model.save_to_preset(tmp_path, "bfloat16")
    found = weights_of(LOTR.from_preset(tmp_path))["reduce/bias"]
    np.testing.assert_allclose(found, 1e5, rtol=0.01)


def test_folders_are_made(tmp_path):
    tiny_lotr(5).save_to_preset(str(tmp_path / "new" / "deep"))
    assert LOTR.from_preset(tmp_path / "new" / "deep").num_landmarks == 5
