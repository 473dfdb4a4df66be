"""OpenVINO's files give the points of the model and hold the preprocessor."""

import contextlib
import json
import sys

import numpy as np
import pytest
from tiny import SHALLOW, random_crops, randomize, tiny_lotr

from keras_lotr.export import onnx as export_onnx
from keras_lotr.export.exporter import export
from keras_lotr.export.openvino import import_openvino
from keras_lotr.inference.onnx_model import FACTS

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def openvino():
    try:
        return import_openvino()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def model():
    return randomize(tiny_lotr(68, **SHALLOW))


@pytest.mark.parametrize(("batch", "count"), [(None, 3), (2, 2)])
def test_points_and_facts(model, batch, count, openvino, tmp_path):
    export(model, tmp_path / "new" / "model.xml", "openvino", batch)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["model.bin", "model.xml"]
    network = openvino.Core().read_model(tmp_path / "new" / "model.xml")
    facts = json.loads(network.get_rt_info([FACTS]).astype(str))
    assert facts == {"scheme": "ibug68", "image_size": 64, "margin": 1.3, "channels": "RGB"}
    crops = random_crops(count).astype("float32")
    run = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = run(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))[0]
    np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)


def test_wrong_file_is_not_kept(model, openvino, tmp_path, monkeypatch):
    (tmp_path / "model.xml").write_text("old")
    monkeypatch.setattr("keras_lotr.export.openvino.onnx_content", content_of_another)
    with pytest.raises(RuntimeError, match="nothing was written"):
        export(model, tmp_path / "model.xml", "openvino")
    assert [p.name for p in tmp_path.iterdir()] == ["model.xml"]
    assert (tmp_path / "model.xml").read_text() == "old"


def content_of_another(model, batch):
    return export_onnx.onnx_content(randomize(tiny_lotr(68, **SHALLOW), seed=1), batch)


def test_other_ending(model, tmp_path):
    with pytest.raises(ValueError, match=r"Expected a path that ends with \.xml .*model\.onnx"):
        export(model, tmp_path / "model.onnx", "openvino")


def test_folder_in_the_way_of_the_weights(model, tmp_path):
    (tmp_path / "model.bin").mkdir()
    with pytest.raises(ValueError, match=r"model\.bin is a folder"):
        export(model, tmp_path / "model.xml", "openvino")
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]


@pytest.mark.parametrize("before", [{}, {"openvino_telemetry": sys}])
def test_import_leaves_no_trace(before, monkeypatch):
    """The package that it hides can be imported afterwards, or is what it was."""
    monkeypatch.delitem(sys.modules, "openvino_telemetry", raising=False)
    for name, module in before.items():
        monkeypatch.setitem(sys.modules, name, module)
    with contextlib.suppress(ImportError):
        import_openvino()
    assert {k: v for k, v in sys.modules.items() if k == "openvino_telemetry"} == before


@pytest.mark.parametrize("missing", ["openvino", "onnx", "onnxruntime"])
def test_package_missing(missing, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'keras-lotr\[openvino\]'"):
        export(model, tmp_path / "model.xml", "openvino")
    assert not list(tmp_path.iterdir())
