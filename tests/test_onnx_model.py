"""Exported files run without Keras, and give the points of the model."""

import json
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny import random_crops, randomize, tiny_lotr

from keras_lotr import LOTR, FaceLandmarker
from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.export.check import ExportDiffers
from keras_lotr.export.onnx import export_onnx
from keras_lotr.inference.onnx_model import FACTS, OnnxModel
from keras_lotr.presets.files import ONNX, WEIGHTS

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[1]
ASTRONAUT, GROUP = str(ROOT / "examples/astronaut.jpg"), str(ROOT / "examples/group.jpg")
FACES = ROOT / "examples/rendered_faces"


@pytest.fixture(scope="module")
def model():
    return randomize(tiny_lotr(68))


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / ONNX
    export_onnx(model, path)
    return path


class TestPoints:
    @pytest.mark.parametrize("flip", [False, True])
    def test_those_of_the_model(self, model, path, flip):
        crops = random_crops(5)
        found = OnnxModel(path).predict_points(crops, flip)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, model.predict_points(crops, flip), atol=1e-3)

    @pytest.mark.parametrize("batch", [None, 1, 2, 4])
    def test_any_batch(self, model, tmp_path, batch):
        export_onnx(model, tmp_path / ONNX, batch)
        crops = random_crops(5).astype("float32")
        found = OnnxModel(tmp_path / ONNX).predict_points(crops, batch_size=3)
        np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)

    @pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, None, "3"])
    def test_batch_size_that_is_none(self, model, path, batch_size):
        for predict in (OnnxModel(path).predict_points, model.predict_points):
            with pytest.raises(ValueError, match="Expected batch_size as a whole number from 1"):
                predict(random_crops(2), batch_size=batch_size)

    def test_no_crops(self, path):
        assert OnnxModel(path).predict_points(random_crops(0)).shape == (0, 68, 2)

    def test_facts(self, model, path):
        found = OnnxModel(path, threads=1)
        assert found.preprocessor == model.preprocessor
        assert (found.image_size, found.num_landmarks) == (64, 68)

    def test_shipped_files_are_of_the_same_weights(self):
        crops, _ = load_crops(read_samples(FACES, "val", "ibug68"), 192, 1.3)
        expected = LOTR.from_preset("lotr_m_68").predict_points(crops)
        found = OnnxModel.from_preset("lotr_m_68").predict_points(crops)
        np.testing.assert_allclose(found, expected, atol=1e-3)

    def test_threads_of_python(self, path):
        model, crops = OnnxModel(path, threads=2), random_crops(8)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda i: model.predict_points(crops[i % 8][None])[0], range(32)))
        np.testing.assert_allclose(found, [*model.predict_points(crops)] * 4, atol=1e-4)


@pytest.fixture(scope="module", params=[None, "float16"])
def preset(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset")
    model = randomize(tiny_lotr(5, deconv_filters=(16, 16)))
    model.save_to_preset(folder, request.param)
    model = LOTR.from_preset(folder)
    export_onnx(model, folder / ONNX, weights=folder / WEIGHTS)
    return model, folder


class TestWeightsBeside:
    """A preset's model.onnx reads its weights from model.safetensors."""

    def test_points(self, preset):
        model, folder = preset
        crops = random_crops(3)
        expected = model.predict_points(crops)
        for found in (OnnxModel(folder / ONNX), OnnxModel.from_preset(folder)):
            np.testing.assert_allclose(found.predict_points(crops), expected, atol=1e-3)
            found = pickle.loads(pickle.dumps(found))
            np.testing.assert_allclose(found.predict_points(crops), expected, atol=1e-3)

    def test_it_has_no_weights(self, preset):
        _, folder = preset
        content = onnx.load(folder / ONNX, load_external_data=False)
        assert sum(len(tensor.raw_data) for tensor in content.graph.initializer) < 2_000

    def test_without_them(self, preset, tmp_path):
        _, folder = preset
        shutil.copy(folder / ONNX, tmp_path)
        with pytest.raises(ValueError, match=r"Expected model\.safetensors beside .*model\.onnx"):
            OnnxModel(tmp_path / ONNX)

    def test_weights_of_another_network(self, preset, tmp_path):
        _, folder = preset
        tiny_lotr(7).save_to_preset(tmp_path)
        shutil.copy(folder / ONNX, tmp_path)
        with pytest.raises(ValueError, match="Expected the weights that .*model.onnx was written"):
            OnnxModel(tmp_path / ONNX)

    def test_weights_behind_a_link(self, preset, tmp_path):
        """As in the cache of the Hub."""
        model, folder = preset
        for name in (ONNX, WEIGHTS):
            (tmp_path / name).symlink_to(folder / name)
        crops = random_crops(1)
        found = OnnxModel(tmp_path / ONNX).predict_points(crops)
        np.testing.assert_allclose(found, model.predict_points(crops), atol=1e-3)

    def test_model_of_other_numbers_is_refused(self, preset, tmp_path):
        _, folder = preset
        other = randomize(LOTR.from_preset(folder), seed=1)
        with pytest.raises(ExportDiffers):
            export_onnx(other, tmp_path / ONNX, weights=folder / WEIGHTS)
        assert not (tmp_path / ONNX).exists()


def rewritten(path, target, edit):
    content = onnx.load(path)
    edit(content)
    onnx.save(content, target)
    return target


def set_facts(content, facts):
    del content.metadata_props[:]
    onnx.helper.set_model_props(content, {FACTS: facts})


class TestBadFiles:
    def test_foreign(self, path, tmp_path):
        foreign = rewritten(path, tmp_path / "a.onnx", lambda m: m.ClearField("metadata_props"))
        for load in (OnnxModel, FaceLandmarker.from_onnx):
            with pytest.raises(ValueError, match=r"`keras-lotr export`.*a\.onnx, which has no"):
                load(foreign)

    def test_detector_is_foreign(self):
        with pytest.raises(ValueError, match="face_detector is a face detector's: give it as the"):
            OnnxModel.from_preset("face_detector")

    @pytest.mark.parametrize("facts", ["", "[]", "{}", '{"scheme": "no", "image_size": 64}'])
    def test_broken_facts(self, path, tmp_path, facts):
        broken = rewritten(path, tmp_path / "a.onnx", lambda m: set_facts(m, facts))
        with pytest.raises(ValueError, match=r"metadata 'keras_lotr' of .*a\.onnx are not valid"):
            OnnxModel(broken)

    def test_metadata_that_are_no_text(self, path, tmp_path):
        broken = path.read_bytes().replace(b"ibug68", b"ib\xff\xfe68")
        with pytest.raises(ValueError, match=r"metadata 'keras_lotr' of bytes are not valid") as at:
            OnnxModel(broken)
        assert not isinstance(at.value, UnicodeDecodeError)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_weights_that_are_not_finite(self, path, tmp_path, value):
        def damage(content):
            tensor = max(content.graph.initializer, key=lambda t: len(t.raw_data))
            numbers = onnx.numpy_helper.to_array(tensor).copy()
            numbers[:] = value
            tensor.raw_data = numbers.tobytes()

        broken = rewritten(path, tmp_path / "a.onnx", damage)
        with pytest.raises(
            ValueError, match=r"Expected finite weights. The landmarks of .*a\.onnx"
        ):
            OnnxModel(broken)

    @pytest.mark.parametrize("other", [{"scheme": "wflw98"}, {"image_size": 32}])
    def test_facts_of_another_network(self, path, tmp_path, other):
        facts = json.dumps({"scheme": "ibug68", "image_size": 64, **other})
        broken = rewritten(path, tmp_path / "a.onnx", lambda m: set_facts(m, facts))
        with pytest.raises(ValueError, match=r"Expected crops \(B, 3, .*Received: "):
            OnnxModel(broken)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no file .*no.onnx"):
            OnnxModel(tmp_path / "no.onnx")

    def test_no_onnx(self, tmp_path):
        (tmp_path / "a.onnx").write_text("hello")
        with pytest.raises(ValueError, match=r"Expected an .onnx file. Received: .*a\.onnx"):
            OnnxModel(tmp_path / "a.onnx")

    def test_preset_without(self, model, tmp_path):
        model.save_to_preset(tmp_path / "tiny")
        with pytest.raises(ValueError, match=r"has no model\.onnx: .*`keras-lotr export .*tiny --"):
            FaceLandmarker.from_preset(tmp_path / "tiny", engine="onnxruntime")

    def test_runtime_missing(self, path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(ImportError, match=r"pip install 'keras-lotr\[runtime\]'"):
            OnnxModel(path)


class TestFaceLandmarker:
    PHOTO = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    BOXES = np.array([[40, 50, 140, 130], [200, 100, 330, 260]], np.float32)

    def test_both_engines_agree(self, model, tmp_path):
        model.save_to_preset(tmp_path / "tiny")
        export_onnx(model, tmp_path / "tiny" / ONNX)
        found = [
            [face.to_dict() for face in landmarker(self.PHOTO, self.BOXES)]
            for landmarker in (
                FaceLandmarker.from_preset(tmp_path / "tiny", flip=True),
                FaceLandmarker.from_preset(tmp_path / "tiny", flip=True, engine="onnxruntime"),
                FaceLandmarker.from_onnx(tmp_path / "tiny" / ONNX, flip=True, threads=1),
            )
        ]
        for other in found[1:]:
            assert len(other) == len(found[0]) == 2
            for face, expected in zip(other, found[0], strict=True):
                np.testing.assert_allclose(face["points"], expected["points"], atol=4e-3)
                assert face["box"] == expected["box"]
                assert face["scheme"] == "ibug68"

    def test_from_several_threads(self, path):
        """With the detector, which is loaded by whoever comes first."""
        landmarker = FaceLandmarker.from_onnx(path)
        expected = FaceLandmarker.from_onnx(path)(GROUP)
        with ThreadPoolExecutor(4) as pool:
            for faces in pool.map(landmarker, [GROUP] * 8):
                assert len(faces) == len(expected) > 1
                for face, other in zip(faces, expected, strict=True):
                    np.testing.assert_allclose(face.points, other.points, atol=1e-2)

    def test_wrong_engine(self):
        with pytest.raises(
            ValueError, match="Expected an engine, one of auto, keras, onnxruntime. Received"
        ):
            FaceLandmarker.from_preset("lotr_m_68", engine="tensorrt")


LOADED = """
import sys
{code}
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
UNWANTED = {"keras", "tensorflow", "jax", "torch", "onnx", "huggingface_hub", "safetensors", "h5py"}


def loaded_by(code):
    command = [sys.executable, "-c", LOADED.format(code=code)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=ROOT)
    return run.stdout.splitlines()[:-1], set(run.stdout.splitlines()[-1].split())


def test_no_keras_is_imported():
    """Whether a preset or a file is loaded; with the library's own detector, and a face found."""
    lines, loaded = loaded_by(
        """
import keras_lotr
from keras_lotr import FaceLandmarker
for landmarker in (
    FaceLandmarker.from_preset("lotr_m_68", engine="onnxruntime", flip=True),
    FaceLandmarker.from_onnx("presets/lotr_m_68/model.onnx"),
):
    print(len(landmarker("examples/astronaut.jpg")))
"""
    )
    assert lines == ["1", "1"]
    assert "onnxruntime" in loaded
    assert not loaded & UNWANTED


def test_command_imports_no_keras(tmp_path):
    lines, loaded = loaded_by(
        f"""
from keras_lotr.cli import main
main(["predict", "examples/astronaut.jpg", "--engine", "onnxruntime", "--draw", "--output",
      {str(tmp_path)!r}], standalone_mode=False)
"""
    )
    assert len(json.loads((tmp_path / "astronaut.json").read_text())[0]["faces"]) == 1
    assert not loaded & UNWANTED


class TestCommand:
    def predict(self, *arguments):
        arguments = ["predict", ASTRONAUT, *map(str, arguments)]
        return CliRunner().invoke(main, arguments)

    def test_file_as_preset(self, path):
        result = self.predict("--preset", path)
        assert result.exit_code == 0, result.stderr
        assert np.shape(json.loads(result.stdout)[0]["faces"][0]["points"]) == (68, 2)

    def test_wrong_engine(self):
        result = self.predict("--engine", "tensorrt")
        assert result.exit_code == 2
        assert "'tensorrt' is not one of" in result.stderr

    def test_preset_without_file(self):
        result = self.predict("--preset", "lotr_m_jd", "--engine", "onnxruntime")
        assert result.exit_code == 2
        assert "has no trained weights yet" in result.stderr
