"""A preset is written as a whole; what cannot be written leaves the one that was there."""

import resource
import signal
from contextlib import contextmanager

import pytest
from tiny import assert_same_weights, randomize, tiny_lotr, weights_of

from keras_lotr import LOTR
from keras_lotr.detector_training.network import DetectorNetwork


def tiny_detector(width=4):
    return DetectorNetwork(widths=(width,) * 5, depths=(0, 0, 0, 0), pyramid_width=4)


@contextmanager
def largest_file(size):
    """No file can grow beyond that many bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


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


def test_folders_are_made(tmp_path):
    tiny_lotr(5).save_to_preset(str(tmp_path / "new" / "deep"))
    assert LOTR.from_preset(tmp_path / "new" / "deep").num_landmarks == 5
