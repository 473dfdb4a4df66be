"""Damaged presets: each JSON file, and the weights."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tiny import SHALLOW, randomize, tiny_lotr

from fuzz.mutations import damaged, odd_json
from keras_lotr import LOTR
from keras_lotr.presets.files import CONFIG, METADATA, PREPROCESSOR, WEIGHTS, write_json

DOCUMENTED = (ValueError, TypeError)
MEGABYTES = 300


@contextmanager
def prepared():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        randomize(tiny_lotr(5, **SHALLOW)).save_to_preset(folder)
        write_json(folder / METADATA, {"license": "CC0", "description": "x"})
        names = (CONFIG, CONFIG, PREPROCESSOR, METADATA, WEIGHTS)
        files = {name: (folder / name).read_bytes() for name in names}
        crops = np.zeros((1, 64, 64, 3), np.uint8)
        LOTR.from_preset(folder).predict_points(crops)

        def make(rng):
            name = names[rng.integers(len(names))]
            odd = name != WEIGHTS and rng.integers(3)
            data = odd_json(files[name], rng) if odd else damaged(files[name], rng)

            def call():
                (folder / name).write_bytes(data)
                try:
                    model = LOTR.from_preset(folder)
                    if model.image_size == 64:
                        model.predict_points(crops)
                finally:
                    (folder / name).write_bytes(files[name])

            return call

        yield make
