"""Int8 files: smaller, near the float32 points, made from images."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tiny import random_crops, randomize, tiny_lotr

from keras_lotr.cli import main
from keras_lotr.export.int8 import export_int8
from keras_lotr.inference.onnx_model import OnnxModel

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize("batch", [None, 2])
def test_points(batch, tmp_path):
    model, crops = randomize(tiny_lotr(68)), random_crops(5)
    difference = export_int8(model, tmp_path / "model.onnx", crops, batch)
    int8 = OnnxModel(tmp_path / "model.onnx")
    assert int8.preprocessor == model.preprocessor
    expected = model.predict_points(crops)
    found = int8.predict_points(crops)
    np.testing.assert_allclose(
        np.linalg.norm(found - expected, axis=-1).mean(), difference, atol=1e-3
    )
    assert 0 < difference < 1
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_first_convolution_and_transformer_stay_float(tmp_path):
    export_int8(tiny_lotr(5), tmp_path / "model.onnx", random_crops(2))
    network = onnx.load(tmp_path / "model.onnx")
    kinds = {array.name: array.data_type for array in network.graph.initializer}
    convolutions = [node for node in network.graph.node if node.op_type == "Conv"]
    quantized = {o for n in network.graph.node if n.op_type == "DequantizeLinear" for o in n.output}
    assert [{*node.input} <= quantized for node in convolutions] == [False, True, True]
    assert kinds["encoder1/ffn1/kernel"] == onnx.TensorProto.FLOAT


class TestCommand:
    def export(self, preset, *arguments):
        return CliRunner().invoke(main, ["export", str(preset), "--int8", *map(str, arguments)])

    @pytest.fixture
    def preset(self, tmp_path):
        randomize(tiny_lotr(68)).save_to_preset(tmp_path / "preset")
        return tmp_path / "preset"

    def test_cost_is_reported(self, preset, tmp_path):
        path = tmp_path / "model.onnx"
        result = self.export(preset, "--calibration", EXAMPLES / "group.jpg", "--output", path)
        assert result.exit_code == 0, result.output
        assert "crop pixels from those in float32, in the mean of" in result.output
        assert OnnxModel(path).predict_points(random_crops(1)).shape == (1, 68, 2)

    def test_pictures_without_faces(self, preset, tmp_path):
        cv2.imwrite(str(tmp_path / "black.png"), np.zeros((64, 64, 3), np.uint8))
        result = self.export(preset, "--calibration", tmp_path)
        assert result.exit_code == 2
        assert "Expected images with faces. None was found in" in result.stderr

    def test_other_format(self, preset):
        result = self.export(preset, "--format", "openvino", "--calibration", EXAMPLES)
        assert result.exit_code == 2
        assert "Expected --format onnx for --int8 or --float16, not openvino" in result.stderr
