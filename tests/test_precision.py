"""In which precision onnxruntime runs a preset."""

import numpy as np
import pytest
from tiny import SIZE, random_crops, randomize, tiny_lotr

from keras_lotr import FaceLandmarker
from keras_lotr.export.exporter import export
from keras_lotr.export.int8 import export_int8
from keras_lotr.inference import precision
from keras_lotr.inference.engine import load_model
from keras_lotr.presets.files import ONNX_INT8, local_presets, resolve
from keras_lotr.publishing.publish import prepare

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "mine"
    model = randomize(tiny_lotr(68))
    model.save_to_preset(folder)
    export(model, folder / "model.onnx")
    export_int8(model, folder / ONNX_INT8, random_crops(8))
    return folder


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    """A processor with or without instructions for int8, whatever this one has."""
    has = {"instructions": True}
    monkeypatch.setattr(precision.cv2, "checkHardwareSupport", lambda number: has["instructions"])
    precision._faster.cache_clear()
    return has


def test_the_file_that_was_asked_for_runs(folder):
    crops = random_crops(4)
    float32, int8 = (load_model(folder, precision=name) for name in ("float32", "int8"))
    assert (float32.precision, int8.precision) == ("float32", "int8")
    assert "in int8" in repr(int8) and "int8" not in repr(float32).replace(ONNX_INT8, "")
    distances = np.linalg.norm(int8.predict_points(crops) - float32.predict_points(crops), axis=-1)
    assert 0 < distances.mean() < SIZE / 50
    assert load_model(folder, "onnxruntime").precision == "float32"
    assert FaceLandmarker(folder, precision="int8").model.precision == "int8"


def test_auto_takes_the_faster_one_and_measures_once(folder, monkeypatch):
    opened, slow = [], []
    original = precision.OnnxModel.from_preset

    class Slow:
        image_size = SIZE

        def predict_points(self, crop):
            return sum(range(300_000))

    def from_preset(preset, threads, providers, token, name):
        opened.append(name)
        model = original(preset, threads, providers, token, name)
        return Slow() if name in slow else model

    monkeypatch.setattr(precision.OnnxModel, "from_preset", from_preset)
    for slower, faster in (("float32", "int8"), ("int8", "float32")):
        slow[:] = [slower]
        precision._faster.cache_clear()
        opened.clear()
        assert precision.precision_for(folder, "auto") == faster
        assert precision.precision_for(folder, "auto") == faster
        assert opened == ["float32", "int8"]


def test_auto_is_float32_where_int8_cannot_be(folder, tmp_path, processor):
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert precision.precision_for(tmp_path, "auto") == "float32"  # no file for it
    assert precision.precision_for(folder, "auto", providers=["CUDAExecutionProvider"]) == "float32"
    processor["instructions"] = False
    assert precision.precision_for(folder, "auto") == "float32"


def test_a_processor_without_instructions(folder, processor):
    processor["instructions"] = False
    with pytest.warns(UserWarning, match="no instructions for int8.* less exact"):
        assert load_model(folder, precision="int8").precision == "int8"


def test_what_cannot_be(folder, tmp_path):
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(ValueError, match=r"has no model_int8.onnx: write it with .* --int8"):
        load_model(tmp_path, precision="int8")
    with pytest.raises(ValueError, match=r"one of float32, int8, auto. Received: 'int4'"):
        load_model(folder, precision="int4")
    with pytest.raises(ValueError, match=r"no threads, providers and precision with Keras"):
        load_model(folder, "keras", precision="int8")
    with pytest.raises(ValueError, match=r"an .onnx file, which has its own"):
        load_model(folder / "model.onnx", precision="int8")


def test_package_preset_writes_int8_of_these_weights_or_none(folder, tmp_path):
    run = tmp_path / "run"
    tiny = randomize(tiny_lotr(68), seed=1)
    tiny.save_to_preset(run / "preset")
    (run / "preset" / "recipe.json").write_text("{}")
    (run / "history.csv").write_text("epoch,loss\n1,1\n")
    target = tmp_path / "packed"
    prepare(run, target, calibration=["examples/astronaut.jpg"])
    crops = random_crops(4)
    found = load_model(target, precision="int8").predict_points(crops)
    assert np.linalg.norm(found - tiny.predict_points(crops), axis=-1).mean() < SIZE / 20
    prepare(run, target)
    assert not (target / ONNX_INT8).exists()


SHIPPED = [name for name, path in local_presets().items() if (path / ONNX_INT8).is_file()]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_int8_is_of_the_shipped_weights(name):
    landmarkers = [FaceLandmarker(name, precision=p) for p in ("float32", "int8")]
    image = "examples/rendered1.jpg"
    exact, rounded = (landmarker(image)[0] for landmarker in landmarkers)
    width = exact.box[2] - exact.box[0]
    assert np.linalg.norm(exact.points - rounded.points, axis=-1).mean() < 0.01 * width
    assert resolve(name).path(ONNX_INT8) is not None
