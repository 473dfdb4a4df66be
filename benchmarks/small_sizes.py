"""How long smaller networks than LOTR-M take: what LOTR-S was chosen from.

    python benchmarks/small_sizes.py

One crop, one thread, onnxruntime, all side by side in one run. Untrained networks take as long as
trained ones.
"""

import tempfile
from pathlib import Path

import click
import numpy as np
from landmark_stage import ort_session
from timing import side_by_side

from keras_lotr import LOTR
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.evaluation.macs import multiply_accumulates
from keras_lotr.export.exporter import export

# Width of the backbone, side of the crop, encoder and decoder layers.
SIZES = [(0.5, 128, 1, 1), (0.5, 128, 1, 2), (0.35, 128, 1, 1), (0.35, 160, 1, 1), (0.5, 160, 1, 1)]
SIZES += [(0.35, 192, 1, 2), (0.5, 192, 1, 2)]
SMALLER = {"num_heads": 4, "ffn_dim": 256, "head_hidden_dim": 128}


@click.command(help=__doc__)
def main():
    models = {"LOTR-M": LOTR.from_variant("lotr_m", 68)}
    for width, side, encoders, decoders in SIZES:
        layers = {"num_encoder_layers": encoders, "num_decoder_layers": decoders}
        backbone = MobileNetV2(image_size=side, width=width)
        name = f"width {width}, {side} pixels, {encoders} encoder and {decoders} decoder layers"
        models[name] = LOTR(backbone, 68, **SMALLER, **layers)
    functions = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, model) in enumerate(models.items()):
            path = Path(folder, f"{number}.onnx")
            export(model, path)
            size = model.image_size
            session, images = ort_session(path), np.zeros((1, 3, size, size), np.float32)
            functions[name] = lambda s=session, x=images: s.run(None, {"images": x})
        times = side_by_side(functions, seconds=20)
    for name, ms in times.items():
        share = multiply_accumulates(models[name])["total"]
        share /= multiply_accumulates(models["LOTR-M"])["total"]
        part = ms / times["LOTR-M"]
        print(f"{name}: {ms:.2f} ms, {part:.2f} of LOTR-M's time, {share:.2f} of its products")


if __name__ == "__main__":
    main()
