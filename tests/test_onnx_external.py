"""A preset's ONNX files read their float weights from its model.safetensors, in int8 too."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import random_crops, randomize, tiny_lotr

from keras_lotr import LOTR
from keras_lotr.cli import main
from keras_lotr.export.check import ExportDiffers
from keras_lotr.export.int8 import export_int8
from keras_lotr.export.onnx_external import with_external_weights
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.presets.files import ONNX, ONNX_INT8, WEIGHTS, resolve

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

GROUP = str(Path(__file__).parents[1] / "examples/group.jpg")


@pytest.fixture(scope="module", params=[None, "float16"])
def preset(request, tmp_path_factory):
    """A model, its folder, and its int8 file that needs no other."""
    folder = tmp_path_factory.mktemp("preset")
    randomize(tiny_lotr(68, certainty_dim=8)).save_to_preset(folder, request.param)
    model = LOTR.from_preset(folder)
    export_int8(model, folder / "whole.onnx", random_crops(4))
    export_int8(model, folder / ONNX_INT8, random_crops(4), weights=folder / WEIGHTS)
    return model, folder


# The mean landmarks and what centres landmarks, which are no weights.
FEW = 2_000


def floats_in(path):
    """How many float32 numbers an ONNX file holds that are no scales of its 8-bit numbers."""
    graph = onnx.load(path, load_external_data=False).graph
    kept = [c for c in graph.initializer if not c.external_data and not c.name.endswith("_scale")]
    return sum(np.prod(c.dims) for c in kept if c.data_type == onnx.TensorProto.FLOAT)


def test_numbers_are_those_of_the_whole_file(preset):
    _, folder = preset
    crops = random_crops(5)
    expected = OnnxModel(folder / "whole.onnx").predict_certainty(crops)
    beside = OnnxModel(folder / ONNX_INT8)
    for found in (beside, OnnxModel.from_preset(folder, precision="int8")):
        found = pickle.loads(pickle.dumps(found))
        assert found.precision == "int8"
        for array, whole in zip(found.predict_certainty(crops), expected, strict=True):
            np.testing.assert_allclose(array, whole, rtol=0, atol=2e-5)


def test_each_file_is_read_once(preset, monkeypatch):
    read, original = [], Path.read_bytes

    def read_bytes(path):
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    OnnxModel.from_preset(preset[1], precision="int8")
    assert sorted(read) == [WEIGHTS, ONNX_INT8]


def test_float_weights_are_not_in_it(preset):
    _, folder = preset
    assert floats_in(folder / "whole.onnx") > 10_000
    assert floats_in(folder / ONNX_INT8) < FEW
    kept = {}
    for name in ("whole.onnx", ONNX_INT8):
        graph = onnx.load(folder / name, load_external_data=False).graph
        kept[name] = [c.name for c in graph.initializer if c.data_type == onnx.TensorProto.INT8]
    assert kept[ONNX_INT8] == kept["whole.onnx"] != []


def test_a_file_that_is_there_can_be_rewritten(preset):
    model, folder = preset
    content = with_external_weights((folder / "whole.onnx").read_bytes(), model, folder / WEIGHTS)
    assert content == (folder / ONNX_INT8).read_bytes()


def test_other_numbers_in_the_same_places_are_refused(preset, tmp_path):
    """The 8-bit kernels would be of one network and the Transformer of another."""
    model, folder = preset
    in_16_bits = (folder / WEIGHTS).stat().st_size < 3 * model.count_params()
    other = randomize(LOTR.from_preset(folder), seed=1)
    other.save_to_preset(tmp_path, "float16" if in_16_bits else None)
    assert (tmp_path / WEIGHTS).stat().st_size == (folder / WEIGHTS).stat().st_size
    shutil.copy(folder / ONNX_INT8, tmp_path)
    with pytest.raises(ValueError, match="Expected the weights that .*model_int8.onnx was written"):
        OnnxModel(tmp_path / ONNX_INT8)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(ValueError, match=r"Expected model\.safetensors beside .*model_int8\.onnx"):
        OnnxModel(tmp_path / ONNX_INT8)


def test_weights_of_another_network_are_not_written(preset, tmp_path):
    _, folder = preset
    other = randomize(LOTR.from_preset(folder), seed=1)
    with pytest.raises(ExportDiffers):
        export_int8(other, tmp_path / ONNX_INT8, random_crops(2), weights=folder / WEIGHTS)
    assert not list(tmp_path.iterdir())


class TestCommand:
    @pytest.fixture
    def folder(self, preset, tmp_path):
        for name in ("config.json", "preprocessor.json", WEIGHTS):
            (tmp_path / "mine").mkdir(exist_ok=True)
            shutil.copy(preset[1] / name, tmp_path / "mine")
        return tmp_path / "mine"

    def export(self, folder, output, *options):
        arguments = ["export", folder, "--output", output, *options]
        run = CliRunner().invoke(main, [*map(str, arguments)])
        assert run.exit_code == 0, run.output
        return output

    @pytest.mark.parametrize(
        ("name", "options"), [(ONNX, []), (ONNX_INT8, ["--int8", "--calibration", GROUP])]
    )
    def test_only_the_files_of_the_preset_read_its_weights(self, folder, name, options):
        own = self.export(folder, folder / name, *options)
        assert floats_in(own) < FEW
        for path in (folder.parent / name, folder / "another.onnx"):
            whole = self.export(folder, path, *options)
            assert floats_in(whole) > 10_000
            found, expected = (OnnxModel(p).predict_points(random_crops(2)) for p in (own, whole))
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)

    def test_weights_of_16_bits_are_in_the_file(self, folder):
        """They are others than those of the preset, which may have 32."""
        assert floats_in(self.export(folder, folder / ONNX, "--float16")) < 100_000
        (folder / WEIGHTS).rename(folder / "gone")
        assert OnnxModel(folder / ONNX).num_landmarks == 68


@pytest.mark.parametrize("name", ["lotr_m_68", "lotr_m_98", "lotr_s_68", "lotr_s_98"])
def test_shipped_files_have_no_float_weights(name):
    assert floats_in(resolve(name).path(ONNX_INT8)) < FEW
