"""Exported files give the points of the model."""

import json
import shutil
from functools import partial

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers, ops
from tiny import SHALLOW, randomize, tiny_lotr

from keras_lotr.backbones.efficientnet_lite import EfficientNetLite
from keras_lotr.backbones.hrnet import HRNet
from keras_lotr.backbones.resnet import ResNet50
from keras_lotr.cli import main
from keras_lotr.cli.export import ENDINGS
from keras_lotr.export import check as export_check
from keras_lotr.export.exporter import _WRITERS, export, export_preset
from keras_lotr.inference.onnx_model import FACTS
from keras_lotr.presets.files import ONNX, resolve

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def run(path, crops):
    session = onnxruntime.InferenceSession(str(path))
    images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def crops_of(model, count):
    size = model.image_size
    return np.random.default_rng(1).integers(0, 256, (count, size, size, 3)).astype("float32")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_batch_size(count, tmp_path):
    model = randomize(tiny_lotr(5))
    export(model, tmp_path / "model.onnx")
    crops = crops_of(model, count)
    expected = ops.convert_to_numpy(model(crops, training=False))
    np.testing.assert_allclose(run(tmp_path / "model.onnx", crops), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("backbone", "deconv_filters"),
    [
        (partial(ResNet50, image_size=32), (16, 8)),
        (partial(HRNet, 18, image_size=32), ()),
        (partial(EfficientNetLite, image_size=64, size=0), (16,)),
    ],
    ids=["ResNet50", "HRNet", "EfficientNetLite"],
)
def test_backbones_and_deconvolutions(backbone, deconv_filters, tmp_path):
    model = tiny_lotr(5, backbone(), deconv_filters=deconv_filters, **SHALLOW)
    export(model, tmp_path / "model.onnx")  # which compares


def test_other_depths(tmp_path):
    model = randomize(tiny_lotr(5, num_encoder_layers=1, num_decoder_layers=3))
    export(model, tmp_path / "model.onnx")


def test_contract_travels(tmp_path):
    model = tiny_lotr(68)
    export(model, tmp_path / "model.onnx")
    facts = {p.key: p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert json.loads(facts[FACTS]) == {
        "scheme": "ibug68",
        "image_size": model.image_size,
        "margin": 1.3,
        "channels": "RGB",
    }


@pytest.mark.parametrize("deconv_filters", [(), (16, 8)])
def test_weights_in_16_bits(deconv_filters, tmp_path):
    model = randomize(tiny_lotr(5, deconv_filters=deconv_filters))
    export(model, tmp_path / "whole.onnx")
    export(model, tmp_path / "half.onnx", float16=True)
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.8 * sizes[0]
    crops = crops_of(model, 2)
    points = [run(tmp_path / f"{name}.onnx", crops) for name in ("whole", "half")]
    np.testing.assert_allclose(*points, atol=1.0)
    assert not np.array_equal(*points)
    half = onnx.load(tmp_path / "half.onnx")
    kinds = {array.data_type for array in half.graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds


def test_convolutions_have_no_transposes_around_them(tmp_path):
    export(tiny_lotr(5), tmp_path / "model.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    last = len(kinds) - kinds[::-1].index("Conv")
    assert "Transpose" not in kinds[:last]
    assert "BatchNormalization" not in kinds


def test_wrong_file_is_not_kept(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_text("old")
    monkeypatch.setattr(export_check, "LARGEST_DIFFERENCE", -1)
    with pytest.raises(export_check.ExportDiffers, match="nothing was written"):
        export(tiny_lotr(5), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_foreign_layer_is_named(tmp_path):
    images = keras.Input((64, 64, 3), name="images")
    x = layers.GroupNormalization(3, name="groups")(images)
    model = tiny_lotr(5, keras.Model(images, layers.AveragePooling2D(16)(x)))
    with pytest.raises(ValueError, match="groups is a GroupNormalization. The formats saved_model"):
        export(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", _WRITERS)
def test_target_of_another_kind(format, tmp_path):
    """It is found before there is any work, even before a preset is looked for."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_text("photo")
    with pytest.raises(ValueError, match=r"Expected a (file to write|new folder).*mine"):
        export_preset("no_preset", tmp_path / "mine", format)
    assert [p.name for p in tmp_path.rglob("*")] == ["mine", "photo.jpg"]


def test_file_is_replaced(tmp_path):
    (tmp_path / "model.onnx").write_text("old")
    export(tiny_lotr(5, **SHALLOW), tmp_path / "model.onnx")
    assert onnxruntime.InferenceSession(tmp_path / "model.onnx")


def test_preset(tmp_path):
    """The graph of the shipped file, which is fast: each layer is one node, if it is one at all."""
    assert export_preset("lotr_m_68", tmp_path / "model.onnx", float16=True).trained
    shipped = onnx.load(resolve("lotr_m_68").path(ONNX), load_external_data=False)
    nodes = [
        [(node.op_type, list(node.output)) for node in model.graph.node if node.op_type != "Cast"]
        for model in (onnx.load(tmp_path / "model.onnx"), shipped)
    ]
    # The shipped file begins with the arithmetic of the constants that its weights become.
    assert nodes[0] == nodes[1][-len(nodes[0]) :]
    assert "Pad" not in {kind for kind, _ in nodes[0]}


@pytest.fixture
def untrained(tmp_path):
    """A preset without weights."""
    tiny_lotr(5).save_to_preset(tmp_path / "preset")
    (tmp_path / "preset" / "model.safetensors").unlink()
    return str(tmp_path / "preset")


def test_untrained_preset(untrained, tmp_path):
    assert not export_preset(untrained, tmp_path / "model.onnx").trained


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "caffe"}, "format of onnx, litert, openvino, saved_model. Received: 'caffe'"),
        ({"batch": 0}, "batch of at least 1"),
        ({"format": "openvino", "float16": True}, "onnx for float16. Received: openvino"),
    ],
)
def test_bad_settings(settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(tiny_lotr(5), tmp_path / "model", **settings)
    assert not list(tmp_path.iterdir())


def test_the_ending_of_another_format(tmp_path):
    with pytest.raises(ValueError, match=r"with .onnx for the format onnx. .tflite stands for"):
        export(tiny_lotr(5), tmp_path / "model.tflite")
    with pytest.raises(ValueError, match=r"with .onnx for the format onnx. .pb stands for none."):
        export(tiny_lotr(5), tmp_path / "model.pb")
    assert not list(tmp_path.iterdir())


class TestCommand:
    def export(self, *arguments):
        return CliRunner().invoke(main, ["export", *map(str, arguments)])

    def test_untrained(self, untrained, tmp_path):
        path = tmp_path / "out" / "model.onnx"
        result = self.export(untrained, "--output", path, "--batch", 2)
        assert result.exit_code == 0, result.output
        assert "Its weights are untrained." in result.output
        assert onnxruntime.InferenceSession(path).get_inputs()[0].shape == [2, 3, 64, 64]

    def test_wrong_file_is_told_in_a_sentence(self, untrained, tmp_path, monkeypatch):
        monkeypatch.setattr(export_check, "LARGEST_DIFFERENCE", -1)
        result = self.export(untrained, "--output", tmp_path / "model.onnx")
        assert result.exit_code == 1
        assert result.output.startswith("keras-lotr: Expected the exported file to give")
        assert not (tmp_path / "model.onnx").exists()

    def test_layer_that_cannot_be_written(self, tmp_path):
        images = keras.Input((64, 64, 3), name="images")
        x = layers.AveragePooling2D(16, name="pool")(layers.UnitNormalization(name="unit")(images))
        tiny_lotr(5, keras.Model(images, x, name="net")).save_to_preset(tmp_path / "preset")
        result = self.export(tmp_path / "preset", "--output", tmp_path / "model.onnx")
        assert result.exit_code == 2
        assert "unit is an UnitNormalization" in result.output
        assert len(result.output.splitlines()) == 1

    def test_folder(self, tmp_path):
        (tmp_path / "folder").mkdir()
        result = self.export("lotr_m_68", "--output", tmp_path / "folder")
        assert result.exit_code == 2
        assert "Expected a file as --output" in result.output and "is a folder" in result.output
        assert [p.name for p in tmp_path.rglob("*")] == ["folder"]

    def test_name_of_the_file(self, untrained, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert self.export(untrained).exit_code == 0
        assert self.export(untrained, "--float16").exit_code == 0
        assert sorted(path.name for path in tmp_path.glob("*.onnx")) == [
            "preset.onnx", "preset_float16.onnx"
        ]  # fmt: skip

    def test_name_of_the_folder_in_which_one_is(self, untrained, tmp_path, monkeypatch):
        monkeypatch.chdir(shutil.copytree(untrained, tmp_path / "mine"))
        assert self.export(".").exit_code == 0
        assert (tmp_path / "mine" / "mine.onnx").is_file()

    def test_formats_are_those_of_the_library(self):
        assert ENDINGS.keys() == _WRITERS.keys()

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--format", "caffe"], "'caffe' is not"),
            (["--batch", "many"], "Expected dynamic or a number from 1. Received: many"),
            (["--batch", "0"], "Expected dynamic or a number from 1. Received: 0"),
            (["--int8"], "Expected --int8 and --calibration together"),
            (["--calibration", "examples"], "Expected --int8 and --calibration together"),
            (
                ["--int8", "--calibration", "examples", "--float16"],
                "Expected --int8 or --float16, not both",
            ),
        ],
    )
    def test_usage(self, arguments, sentence):
        result = self.export("lotr_m_68", *arguments)
        assert result.exit_code == 2
        assert sentence in result.output
