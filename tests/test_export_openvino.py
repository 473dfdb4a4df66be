"""OpenVINO's files give the points of the model and hold the crop contract."""

import json
import sys

import numpy as np
import pytest
from tiny import random_crops, randomize, tiny_lotr

from keras_lotr import export_onnx
from keras_lotr.export import export
from keras_lotr.onnx_model import FACTS

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def openvino(monkeypatch):
    # As in the export: an import is not to be reported to anybody.
    monkeypatch.setitem(sys.modules, "openvino_telemetry", None)
    return pytest.importorskip("openvino")


@pytest.mark.parametrize(("batch", "count"), [(None, 1), (None, 3), (2, 2)])
def test_points_and_facts(batch, count, openvino, tmp_path):
    model = randomize(tiny_lotr(68))
    export(model, tmp_path / "new" / "model.xml", "openvino", batch)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["model.bin", "model.xml"]
    network = openvino.Core().read_model(tmp_path / "new" / "model.xml")
    facts = json.loads(network.get_rt_info([FACTS]).astype(str))
    assert facts == {"scheme": "ibug68", "image_size": 64, "margin": 1.3, "channels": "RGB"}
    crops = random_crops(count).astype("float32")
    run = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = run(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))[0]
    np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)


def test_wrong_file_is_not_kept(openvino, tmp_path, monkeypatch):
    (tmp_path / "model.xml").write_text("old")
    monkeypatch.setattr("keras_lotr.export_openvino.onnx_content", content_of_another)
    with pytest.raises(RuntimeError, match="nothing was written"):
        export(randomize(tiny_lotr(5)), tmp_path / "model.xml", "openvino")
    assert [p.name for p in tmp_path.iterdir()] == ["model.xml"]
    assert (tmp_path / "model.xml").read_text() == "old"


def content_of_another(model, batch):
    return export_onnx.onnx_content(randomize(tiny_lotr(5), seed=1), batch)


def test_other_ending(tmp_path):
    with pytest.raises(ValueError, match=r"Expected a path that ends in \.xml .*model\.onnx"):
        export(tiny_lotr(5), tmp_path / "model.onnx", "openvino")


def test_package_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-lotr\[openvino\]'"):
        export(tiny_lotr(5), tmp_path / "model.xml", "openvino")
    assert not list(tmp_path.iterdir())
