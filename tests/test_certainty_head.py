"""The head that says how sure landmarks are: it changes no landmark, and is kept everywhere."""

import warnings

import keras
import numpy as np
import pytest
from tiny import assert_same_weights, random_crops, randomize, tiny_lotr, weights_of

from keras_lotr import LOTR, FaceLandmarker
from keras_lotr.export.onnx import export_onnx
from keras_lotr.inference.onnx_model import OnnxModel
from keras_lotr.layers.certainty_head import CertaintyHead
from keras_lotr.schemes import get_scheme
from keras_lotr.training.certainty_preset import with_head


@pytest.fixture(scope="module")
def model():
    model = randomize(tiny_lotr(68, certainty_dim=8))
    model.certainty.calibration.assign(np.full((68, 1), 1.5))
    return model


@pytest.fixture(scope="module")
def preset(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sure") / "sure68"
    model.save_to_preset(folder)
    return folder


def plain_weights(model):
    return {k: v for k, v in weights_of(model).items() if not k.startswith("certainty/")}


def test_the_output_stays_the_landmarks_and_their_bits(model):
    plain = tiny_lotr(68)
    for key, variable in {v.path: v for v in model.variables}.items():
        for other in plain.variables:
            if other.path == key:
                other.assign(keras.ops.convert_to_numpy(variable))
    crops = random_crops()
    assert model.output_shape == plain.output_shape == (None, 68, 2)
    np.testing.assert_array_equal(model.predict_points(crops), plain.predict_points(crops))
    points, certainty = model.predict_certainty(crops)
    np.testing.assert_allclose(points, plain.predict_points(crops), atol=1e-4)
    assert certainty.shape == (2, 68, 4)
    assert (certainty[..., [0, 2]] > 0).all()
    assert ((certainty[..., 3] > 0) & (certainty[..., 3] < 1)).all()


def test_a_config_without_the_head_does_not_name_it():
    assert "certainty_dim" not in tiny_lotr(68).get_config()
    assert tiny_lotr(68, certainty_dim=8).get_config()["certainty_dim"] == 8


def test_without_the_head_one_sentence():
    with pytest.raises(ValueError, match="how sure its landmarks are.*train-certainty"):
        tiny_lotr(5).predict_certainty(random_crops())


def test_presets_and_keras_files_keep_it(model, preset, tmp_path):
    expected = model.predict_certainty(random_crops())[1]
    loaded = LOTR.from_preset(preset)
    np.testing.assert_array_equal(loaded.predict_certainty(random_crops())[1], expected)
    assert_same_weights(weights_of(loaded), weights_of(model))
    model.save(tmp_path / "sure.keras")
    loaded = keras.saving.load_model(tmp_path / "sure.keras")
    np.testing.assert_array_equal(loaded.predict_certainty(random_crops())[1], expected)


def test_a_preset_can_be_loaded_without_it(model, preset):
    plain = LOTR.from_preset(preset, certainty_dim=None)
    assert not plain.has_certainty
    assert_same_weights(weights_of(plain), plain_weights(model))


def test_other_landmarks_have_no_head(preset):
    assert not LOTR.from_preset(preset, num_landmarks=21).has_certainty


def test_with_head_changes_nothing_else(preset, model):
    fresh = with_head(preset, 16)
    assert fresh.certainty_dim == 16
    for key, value in plain_weights(model).items():
        np.testing.assert_array_equal(plain_weights(fresh)[key], value)


def test_fit_leaves_it_as_it_is(tmp_path):
    model = randomize(tiny_lotr(5, certainty_dim=8))
    model.trainable = False
    model.trainable = True
    before = weights_of(model)
    model.compile("sgd", "mse")
    model.fit(random_crops(), np.zeros((2, 5, 2)), verbose=0)  # a warning would be an error
    after = weights_of(model)
    assert any((before[k] != after[k]).any() for k in before if k.startswith("head/"))
    for key in before:
        if key.startswith("certainty/"):
            np.testing.assert_array_equal(before[key], after[key])


def test_mirrored_crops_mirror_the_triangle(model):
    crops = random_crops()
    both, certainty = model.predict_certainty(crops, flip=True)
    _, of_mirrored = model.predict_certainty(crops[:, :, ::-1], flip=True)
    order = list(get_scheme("ibug68").flip_order)
    expected = of_mirrored[:, order] * (1, -1, 1, 1)
    np.testing.assert_allclose(certainty, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(both, model.predict_points(crops, flip=True), atol=1e-4)


def test_onnx_says_the_same(model, preset, tmp_path):
    crops = random_crops()
    points, certainty = model.predict_certainty(crops)
    export_onnx(model, tmp_path / "whole.onnx")
    export_onnx(model, preset / "model.onnx", weights=preset / "model.safetensors")
    for path in (tmp_path / "whole.onnx", preset / "model.onnx"):
        exported = OnnxModel(path)
        assert exported.has_certainty
        found = exported.predict_certainty(crops)
        np.testing.assert_allclose(found[0], points, atol=1e-3)
        np.testing.assert_allclose(found[1], certainty, rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(exported.predict_points(crops), found[0])


def test_onnx_has_few_nodes_of_it(model, tmp_path):
    """Most of its time goes into starting small nodes; it had 70."""
    onnx = pytest.importorskip("onnx")
    export_onnx(model, tmp_path / "a.onnx")
    nodes = onnx.load(tmp_path / "a.onnx").graph.node
    assert 20 < sum(node.name.startswith("certainty") for node in nodes) < 60


def test_onnx_without_it_says_so(tmp_path):
    export_onnx(tiny_lotr(5), tmp_path / "plain.onnx")
    exported = OnnxModel(tmp_path / "plain.onnx")
    assert not exported.has_certainty
    with pytest.raises(ValueError, match="train-certainty"):
        exported.predict_certainty(random_crops())


def test_calibration_scales_the_triangle_only():
    head = CertaintyHead(image_size=64, dim=16, num_heads=4, hidden_dim=8)
    landmarks, tokens = np.ones((1, 5, 16), np.float32), np.ones((1, 4, 16), np.float32)
    inputs = (landmarks, landmarks, tokens, tokens, np.ones((1, 5, 2), np.float32))
    before = keras.ops.convert_to_numpy(head(*inputs))
    head.calibration.assign(np.full((5, 1), 3.0))
    after = keras.ops.convert_to_numpy(head(*inputs))
    np.testing.assert_allclose(after, before * (3, 3, 3, 1), rtol=1e-5)


def test_the_shape_of_the_face_counts_and_not_its_place():
    head = CertaintyHead(image_size=64, dim=16, num_heads=4, hidden_dim=8)
    rng = np.random.default_rng(0)
    landmarks, tokens = np.zeros((2, 5, 16), np.float32), np.zeros((2, 4, 16), np.float32)
    wide = rng.uniform(0, 64, (5, 2))
    points = np.stack([wide, wide * (0.2, 1)]).astype(np.float32)
    inputs = [landmarks, landmarks, tokens, tokens, points]
    found = keras.ops.convert_to_numpy(head(*inputs))
    assert np.ptp(found, axis=0).max() > 0
    inputs[-1] = points + (7, -3)
    moved = keras.ops.convert_to_numpy(head(*inputs))
    np.testing.assert_allclose(moved, found, atol=1e-5)  # wherever the face is in its crop


def test_a_width_below_one_is_refused():
    with pytest.raises(ValueError, match="certainty_dim"):
        tiny_lotr(5, certainty_dim=0)


@pytest.fixture(scope="module")
def uncalibrated(tmp_path_factory):
    """A preset with a head that nobody has trained."""
    folder = tmp_path_factory.mktemp("unsure") / "unsure68"
    tiny_lotr(68, certainty_dim=8).save_to_preset(folder)
    return folder


def test_an_uncalibrated_head_is_not_asked(uncalibrated):
    model = LOTR.from_preset(uncalibrated)
    with pytest.warns(UserWarning, match="never calibrated.*train-certainty") as warned:
        warnings.simplefilter("ignore", DeprecationWarning)  # of Keras
        landmarker = FaceLandmarker(model)
    assert len(warned) == 1
    (face,) = landmarker(np.zeros((90, 90, 3), np.uint8), boxes=[[10, 10, 80, 80]])
    assert (face.sigma, face.visible, face.quality) == (None,) * 3
    assert landmarker.sure_score is None  # it verifies no proposals
    assert not model.has_certainty
    assert model.predict_certainty(random_crops())[1].shape == (2, 68, 4)


def test_an_uncalibrated_head_is_not_exported(uncalibrated, tmp_path):
    model = LOTR.from_preset(uncalibrated)
    with pytest.warns(UserWarning, match="never calibrated.*train-certainty") as warned:
        warnings.simplefilter("ignore", DeprecationWarning)  # of Keras
        export_onnx(model, tmp_path / "plain.onnx")
    assert len(warned) == 1
    assert not OnnxModel(tmp_path / "plain.onnx").has_certainty
