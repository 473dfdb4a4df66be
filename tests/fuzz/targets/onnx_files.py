"""Damaged .onnx files of landmark models, with and without weights of their own."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tiny import SHALLOW, randomize, tiny_lotr

from fuzz.mutations import damaged
from keras_lotr.export.onnx import export_onnx
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.presets.files import ONNX, WEIGHTS

DOCUMENTED = (ValueError,)
MEGABYTES = 300


@contextmanager
def prepared():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model = randomize(tiny_lotr(68, **SHALLOW))
        export_onnx(model, folder / "whole.onnx")
        model.save_to_preset(folder)
        export_onnx(model, folder / ONNX, weights=folder / WEIGHTS)
        whole, without = (folder / "whole.onnx").read_bytes(), (folder / ONNX).read_bytes()
        weights = (folder / WEIGHTS).read_bytes()
        crops = np.zeros((2, 64, 64, 3), np.uint8)

        def make(rng):
            kind = rng.integers(3)
            tail = whole[-3000:]  # where the metadata are
            data = [damaged(whole, rng), whole[:-3000] + damaged(tail, rng), whole][kind]
            if kind == 2:
                (folder / ONNX).write_bytes(damaged(without, rng) if rng.integers(2) else without)
                (folder / WEIGHTS).write_bytes(damaged(weights, rng))

            def call():
                model = OnnxModel(folder / ONNX if kind == 2 else data, threads=1)
                assert model.predict_points(crops).shape == (2, model.num_landmarks, 2)

            return call

        yield make
