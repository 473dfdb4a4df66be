"""Keras weights in safetensors files: exact, atomic, strict."""

import keras
import numpy as np
import pytest
from keras import layers
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file
from tiny import assert_same_weights, randomize, weights_of

from keras_lotr.presets import weights as safetensors_io
from keras_lotr.presets.saving import save_weights
from keras_lotr.presets.weights import (
    load_arrays,
    load_fitting_weights,
    load_weights,
    named_weights,
    save_arrays,
)


@pytest.fixture(scope="module")
def model(tiny_lotr):
    return randomize(tiny_lotr(5))


@pytest.fixture
def saved(model, tmp_path):
    """The weights in a file; the model has others afterwards."""
    save_weights(model, tmp_path / "model.safetensors")
    expected = weights_of(model)
    randomize(model, seed=7)
    yield tmp_path / "model.safetensors", expected
    randomize(model)


def test_round_trip(model, saved):
    path, expected = saved
    load_weights(model, path)
    assert_same_weights(weights_of(model), expected)


def test_file_says_what_it_is(saved):
    with safe_open(saved[0], framework="numpy") as file:
        assert file.metadata() == {"format": "keras", "keras": keras.__version__, "class": "LOTR"}
    assert saved[0].stat().st_mode & 0o777 == 0o644


def test_only_weights_are_saved(saved):
    assert {a.dtype for a in load_file(saved[0]).values()} == {np.dtype("float32")}
    assert not [key for key in saved[1] if "seed" in key or "optimizer" in key]
    assert {"backbone/bn1/moving_mean", "backbone/bn1/moving_variance"} <= saved[1].keys()


def test_float16_keeps_statistics_exact(model, tmp_path):
    expected = weights_of(model)
    path = tmp_path / "half.safetensors"
    save_weights(model, path, dtype="float16")
    for key, array in load_file(path).items():
        exact = key.endswith(("moving_mean", "moving_variance"))
        assert array.dtype == ("float32" if exact else "float16"), key
    load_weights(model, path)
    for key, array in weights_of(model).items():
        np.testing.assert_allclose(array, expected[key], rtol=1e-3, atol=1e-6)
    randomize(model)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10.0)[::-2],
        np.float32(3),
        np.zeros((0, 4)),
    ],
    ids=["transposed", "fortran", "strided", "scalar", "empty"],
)
def test_memory_order_does_not_matter(array, tmp_path):
    """safetensors itself writes such arrays wrongly."""
    save_arrays({"x": array}, tmp_path / "x.safetensors")
    read = load_file(tmp_path / "x.safetensors")["x"]
    assert read.shape == np.shape(array)
    np.testing.assert_array_equal(read, array)


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save_arrays({"x": np.ones(3)}, path)

    def cut(arrays, path, metadata):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(safetensors_io, "save_file", cut)
    with pytest.raises(OSError, match="disk full"):
        save_arrays({"x": np.zeros(3)}, path)
    np.testing.assert_array_equal(load_file(path)["x"], 1)


def test_two_weights_of_one_name():
    images = keras.Input((4,))
    inner = keras.Model(images, layers.Dense(4, name="same")(images))
    model = keras.Model(images, layers.Dense(2, name="same_too")(inner(images)))
    model.layers[-1].kernel._path = "same/kernel"
    with pytest.raises(ValueError, match="Two weights have the key 'same/kernel'"):
        named_weights(model)


# === Strict loading ===
def without(arrays, *keys):
    return {key: array for key, array in arrays.items() if key not in keys}


def reshaped(arrays, key):
    return {**arrays, key: np.zeros((3, 1), "float32")}


KEY = "encoder1/ffn1/kernel"
PROBLEMS = {
    "missing": (lambda a: without(a, KEY), [f"1 missing: {KEY}"]),
    "renamed": (
        lambda a: {**without(a, KEY), "encoder1/ffn_1/kernel": a[KEY]},
        [f"1 missing: {KEY} (nearest in the file: encoder1/ffn_1/kernel)", "1 unexpected"],
    ),
    "extra": (lambda a: {**a, "more": np.zeros(2)}, ["1 unexpected: more"]),
    "shape": (lambda a: reshaped(a, KEY), [f"{KEY} is (3, 1) in the file, (16, 16) in the model"]),
    "all": (
        lambda a: reshaped({**without(a, "reduce/bias"), "more": np.zeros(2)}, KEY),
        ["1 missing: reduce/bias", "1 unexpected: more", "1 of another shape"],
    ),
    "foreign": (
        lambda a: {"conv.weight": np.zeros(3)},
        [" missing: backbone/conv1/kernel, ", "1 unexpected: conv.weight"],
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_file_that_does_not_fit(model, saved, problem):
    path, arrays = saved
    change, parts = PROBLEMS[problem]
    save_file(change(arrays), path)
    before = weights_of(model)
    with pytest.raises(ValueError, match="does not fit lotr") as caught:
        load_weights(model, path)
    for part in parts:
        assert part in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert_same_weights(weights_of(model), before)


@pytest.mark.parametrize("content", [None, 0, 10, 1000, b"PK\x03\x04 an old h5 file", b""])
def test_cut_or_foreign_file(model, saved, content):
    path, _ = saved
    whole = path.read_bytes()
    if content is None:
        content = whole[:-1]
    path.write_bytes(whole[:content] if isinstance(content, int) else content)
    before = weights_of(model)
    with pytest.raises(ValueError, match=r"safetensors file in .*cut or of another kind"):
        load_weights(model, path)
    assert_same_weights(weights_of(model), before)


def test_missing_file(model, tmp_path):
    with pytest.raises(FileNotFoundError):
        load_weights(model, tmp_path / "none.safetensors")


def test_skipped_weights_stay(model, saved):
    path, arrays = saved
    save_file(reshaped(arrays, "head/hidden1/kernel"), path)
    before = weights_of(model)
    load_weights(model, path, skip=("head/",))
    for key, array in weights_of(model).items():
        expected = before if key.startswith("head/") else arrays
        np.testing.assert_array_equal(array, expected[key], err_msg=key)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_weights_that_are_not_finite(model, value, dtype, tmp_path):
    save_weights(model, tmp_path / "x", dtype)
    arrays = load_file(tmp_path / "x")
    key = "backbone/conv2/kernel"
    arrays[key].flat[7] = value
    save_arrays(arrays, tmp_path / "x")
    before = weights_of(model)
    for load in (load_weights, load_fitting_weights, lambda m, p: load_arrays(p, [key])):
        with pytest.raises(ValueError, match=f"finite weights. {key} of .*x holds NaN or inf"):
            load(model, tmp_path / "x")
    assert_same_weights(weights_of(model), before)


def test_a_disk_that_is_full(tmp_path, monkeypatch):
    def full(arrays, path, metadata=None):
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: No space left on device")

    monkeypatch.setattr(safetensors_io, "save_file", full)
    with pytest.raises(OSError, match="x cannot be written: .*No space left on device"):
        save_arrays({"a": np.zeros(3)}, tmp_path / "x")
    assert not list(tmp_path.iterdir())
