"""Where weights lie in a safetensors file."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_lotr.presets.layout import layout_of

pytestmark = pytest.mark.once

ARRAYS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.ones((3,), np.float16),
}


def test_places_are_those_of_the_numbers(tmp_path):
    save_file(ARRAYS, tmp_path / "a.safetensors", metadata={"format": "keras"})
    content = (tmp_path / "a.safetensors").read_bytes()
    places = layout_of(tmp_path / "a.safetensors").places
    assert places.keys() == ARRAYS.keys()
    for key, array in ARRAYS.items():
        dtype, shape, offset, length = places[key]
        assert (dtype, tuple(shape)) == ({"a": "F16", "b": "F32"}[key], array.shape)
        assert content[offset : offset + length] == array.tobytes()


def test_digest_is_of_the_layout(tmp_path):
    def digest(arrays):
        save_file(arrays, tmp_path / "a.safetensors")
        return layout_of(tmp_path / "a.safetensors").digest

    first = digest(ARRAYS)
    assert digest({key: array + 1 for key, array in ARRAYS.items()}) == first
    assert digest({**ARRAYS, "c": np.zeros(1, np.float32)}) != first


@pytest.mark.parametrize(
    "content", [b"", b"hello, world", (9).to_bytes(8, "little") + b"[1, 2, 3]"]
)
def test_no_safetensors_file(tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="Expected a safetensors file. Received: .*a.safetensors"):
        layout_of(tmp_path / "a.safetensors")
