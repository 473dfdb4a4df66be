"""Presets: found by name, folder or handle; what is kept, what is refused, what is said."""

import json
import os
import shutil

import keras
import numpy as np
import pytest
from tiny import SIZE, assert_same_weights, random_crops, randomize, tiny_backbone, weights_of

from keras_lotr import LOTR, FaceDetector
from keras_lotr.layers.mean_shape import TABLES, UNTRAINED_ZERO
from keras_lotr.presets.config import FORMAT_VERSION
from keras_lotr.presets.preset import (
    CONFIG,
    METADATA,
    PREPROCESSOR,
    WEIGHTS,
    Preprocessor,
    load_preprocessor,
    local_presets,
    resolve,
)  # fmt: skip


@pytest.fixture(scope="module")
def model(tiny_lotr):
    model = randomize(tiny_lotr(68, mean_shape=np.full((68, 2), 0.4)))
    model.preprocessor = Preprocessor("ibug68", SIZE, margin=1.7)
    return model


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny_68"
    model.save_to_preset(folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def change_config(folder, **changes):
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


def add_layer(folder, layer):
    """Put a layer into the backbone of a preset."""
    config = json.loads((folder / CONFIG).read_text())
    config["config"]["backbone"]["config"]["layers"].append(layer)
    (folder / CONFIG).write_text(json.dumps(config))


# === Round trip ===
def test_round_trip(model, saved):
    again = LOTR.from_preset(saved)
    assert type(again) is LOTR
    assert again.preprocessor == model.preprocessor
    np.testing.assert_array_equal(again.mean_shape, model.mean_shape)
    assert_same_weights(weights_of(again), weights_of(model))
    crops = random_crops()
    np.testing.assert_allclose(
        again.predict(crops, verbose=0), model.predict(crops, verbose=0), atol=1e-4
    )


def test_files(saved):
    assert sorted(p.name for p in saved.iterdir()) == [CONFIG, WEIGHTS, PREPROCESSOR]
    config = json.loads((saved / CONFIG).read_text())
    assert config["registered_name"] == "keras_lotr>LOTR"
    assert config["format_version"] == FORMAT_VERSION
    assert json.loads((saved / PREPROCESSOR).read_text()) == {
        "scheme": "ibug68", "image_size": SIZE, "margin": 1.7, "channels": "RGB", "range": [0, 255],
    }  # fmt: skip


def test_config_holds_no_session(tiny_lotr, tmp_path):
    model = tiny_lotr(5)
    model.compile("adamw", "mse")
    model.save_to_preset(tmp_path)
    text = (tmp_path / CONFIG).read_text()
    assert "compile_config" not in text
    assert "build_config" not in text


def test_saving_again_replaces(tiny_lotr, copy):
    other = tiny_lotr(5)
    other.save_to_preset(copy)
    assert LOTR.from_preset(copy).num_landmarks == 5


def test_float16(model, saved, tmp_path):
    model.save_to_preset(tmp_path, dtype="float16")
    assert (tmp_path / WEIGHTS).stat().st_size < 0.75 * (saved / WEIGHTS).stat().st_size
    crops = random_crops()
    points = LOTR.from_preset(tmp_path).predict(crops, verbose=0)
    np.testing.assert_allclose(points, model.predict(crops, verbose=0), atol=0.1)


def test_dtype(saved):
    before = keras.config.dtype_policy()
    model = LOTR.from_preset(saved, dtype="mixed_bfloat16")
    assert model.get_layer("encoder1").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy() == before
    assert model.predict(random_crops(), verbose=0).dtype == np.float32


def test_without_weights(copy):
    (copy / WEIGHTS).unlink()
    assert LOTR.from_preset(copy, load_weights=False).preprocessor.margin == 1.7
    with pytest.raises(
        ValueError, match=r"no trained weights yet.*keras-lotr train.*load_weights=False"
    ):
        LOTR.from_preset(copy)


def test_load_weights_false_is_fresh(model, saved):
    fresh = weights_of(LOTR.from_preset(saved, load_weights=False))
    assert (fresh["head/hidden1/kernel"] != weights_of(model)["head/hidden1/kernel"]).any()


# === Another number of landmarks ===
def test_other_number_of_landmarks(model, saved):
    mean_shape = np.random.default_rng(0).uniform(size=(21, 2)).astype("float32")
    other = LOTR.from_preset(saved, num_landmarks=21, mean_shape=mean_shape)
    assert other.output_shape == (None, 21, 2)
    assert other.preprocessor == Preprocessor("plain21", SIZE, margin=1.7)
    np.testing.assert_allclose(other.mean_shape, mean_shape, atol=1e-4)
    old, new = weights_of(model), weights_of(other)
    assert old.keys() == new.keys()
    for key in old:
        if key not in (*TABLES, UNTRAINED_ZERO):
            np.testing.assert_array_equal(new[key], old[key], err_msg=key)
    assert new["landmark_queries/table"].shape == (21, 16)


@pytest.mark.parametrize(("count", "scheme"), [(98, "wflw98"), (106, "jd106")])
def test_other_number_has_its_usual_scheme(saved, count, scheme):
    other = LOTR.from_preset(saved, load_weights=False, num_landmarks=count)
    assert other.preprocessor == Preprocessor(scheme, SIZE, margin=1.7)


def test_same_number_of_landmarks_keeps_all(model, saved):
    same = LOTR.from_preset(saved, num_landmarks=68)
    assert_same_weights(weights_of(same), weights_of(model))


# === Finding ===
@pytest.fixture
def named(saved, tmp_path, monkeypatch):
    """Two presets in a folder of $KERAS_LOTR_PRESETS."""
    for name in ("tiny_one", "tiny_two"):
        shutil.copytree(saved, tmp_path / "mine" / name)
    (tmp_path / "mine" / "tiny_two" / METADATA).write_text('{"nme": 5}')
    monkeypatch.setenv("KERAS_LOTR_PRESETS", str(tmp_path / "mine"))
    return tmp_path / "mine"


def test_presets_of_the_environment(named):
    assert resolve("tiny_one").folder == named / "tiny_one"
    assert LOTR.from_preset("tiny_one", load_weights=False).num_landmarks == 68
    assert LOTR.presets["tiny_one"] == {}
    assert LOTR.presets["tiny_two"] == {"nme": 5}
    assert {"tiny_one", "tiny_two"} <= local_presets().keys()


def test_several_folders_the_first_counts(named, tmp_path, monkeypatch):
    shutil.copytree(named / "tiny_one", tmp_path / "more" / "tiny_one")
    shutil.copytree(named / "tiny_one", tmp_path / "more" / "tiny_three")
    monkeypatch.setenv("KERAS_LOTR_PRESETS", f"{named}{os.pathsep}{tmp_path / 'more'}")
    assert resolve("tiny_one").folder == named / "tiny_one"
    assert resolve("tiny_three").folder == tmp_path / "more" / "tiny_three"


def test_unknown_name_offers_the_nearest(named):
    with pytest.raises(ValueError, match=r"no preset 'tiny_twoo'. Nearest: tiny_two, tiny_one"):
        LOTR.from_preset("tiny_twoo")


def test_name_like_no_other_offers_all(named):
    with pytest.raises(ValueError, match=r"no preset 'qqqq'.*tiny_one, tiny_two.*hf://org/name"):
        LOTR.from_preset("qqqq")


def test_folder_without_config(tmp_path):
    with pytest.raises(ValueError, match=rf"Expected a preset folder.*has no {CONFIG}"):
        LOTR.from_preset(tmp_path)


# === Broken and hostile folders ===
def test_newer_format(copy):
    change_config(copy, format_version=FORMAT_VERSION + 1)
    with pytest.raises(ValueError, match="newer keras-lotr: update"):
        LOTR.from_preset(copy)


@pytest.mark.parametrize("version", ["1", None, [], 1.5, float("nan"), True])
def test_a_format_that_is_no_number(copy, version):
    change_config(copy, format_version=version)
    with pytest.raises(ValueError, match="its format_version is no whole number"):
        LOTR.from_preset(copy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expected JSON in .*config.json"),
        ("[]", "Expected a LOTR in"),
        ('{"registered_name": ["keras_lotr>LOTR"]}', "Expected a LOTR in"),
        ('{"registered_name": "keras_hub>ViT"}', "Expected a LOTR in"),
        ('{"registered_name": "keras_lotr>LOTR"}', "config.json is not valid"),
        (
            '{"registered_name": "keras_lotr>LOTR", "config": {"width": 3}}',
            "config.json is not valid",
        ),
    ],
)
@pytest.mark.parametrize("num_landmarks", [None, 7])
def test_broken_config(copy, text, message, num_landmarks):
    (copy / CONFIG).write_text(text)
    with pytest.raises(ValueError, match=message):
        LOTR.from_preset(copy, num_landmarks=num_landmarks)


@pytest.mark.parametrize(
    "content", ['{"scheme": "ibug68"}', '{"scheme": "ibug69", "image_size": 64}', "{"]
)
def test_broken_preprocessor(copy, content):
    (copy / PREPROCESSOR).write_text(content)
    with pytest.raises(ValueError, match=PREPROCESSOR):
        LOTR.from_preset(copy, load_weights=False)


def test_no_preprocessor(copy):
    (copy / PREPROCESSOR).unlink()
    assert load_preprocessor(resolve(copy)) is None
    assert LOTR.from_preset(copy).preprocessor == Preprocessor("ibug68", SIZE)


def test_broken_weights(copy):
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:500])
    with pytest.raises(ValueError, match="Expected a safetensors file"):
        LOTR.from_preset(copy)


HOSTILE = [
    {"module": "os", "class_name": "system", "config": "true", "registered_name": None},
    {"module": "subprocess", "class_name": "Popen", "config": {}, "registered_name": None},
    {"module": "keras_evil.layers", "class_name": "Dense", "config": {}, "registered_name": None},
    {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None},
]


@pytest.mark.parametrize("layer", HOSTILE, ids=lambda layer: layer["class_name"])
@pytest.mark.parametrize("load_weights", [True, False])
def test_hostile_config(copy, layer, load_weights):
    add_layer(copy, layer)
    with pytest.raises(ValueError, match=rf"Refused to load.*{layer['class_name']}"):
        LOTR.from_preset(copy, load_weights=load_weights)


def test_pickled_function_is_refused(copy):
    add_layer(copy, {"class_name": "__lambda__", "config": {"value": "4wEA"}, "name": "x"})
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        LOTR.from_preset(copy)


# === Hugging Face Hub, without the Hub ===
@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache, and no network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put_into_cache(cache, preset, revision="0123456789" * 4):
    repo = cache / "models--me--tiny"
    shutil.copytree(preset, repo / "snapshots" / revision)
    (repo / "refs").mkdir(exist_ok=True)
    (repo / "refs" / "main").write_text(revision)
    (repo / "refs" / "v1").write_text(revision)


@pytest.mark.parametrize("handle", ["hf://me/tiny", "hf://me/tiny@v1"])
def test_hub_preset_from_the_cache(hub_cache, saved, model, handle):
    put_into_cache(hub_cache, saved)
    again = LOTR.from_preset(handle)
    assert again.preprocessor == model.preprocessor
    assert_same_weights(weights_of(again), weights_of(model))


@pytest.mark.parametrize("handle", ["hf://me/tiny@v2", "hf://you/tiny"])
def test_hub_preset_that_is_not_cached(hub_cache, saved, handle):
    put_into_cache(hub_cache, saved)
    with pytest.raises(
        OSError, match=rf"{CONFIG} of {handle}: it is not in the local cache.*while online"
    ):
        LOTR.from_preset(handle)


def test_backbone_alone_is_no_preset(tmp_path):
    config = keras.saving.serialize_keras_object(tiny_backbone())
    (tmp_path / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ValueError, match="Expected a LOTR in"):
        LOTR.from_preset(tmp_path)


# === Subclasses, overrides, networks of others ===
class Mine(LOTR):
    """What a user writes to change training."""

    def train_step(self, *args):
        return super().train_step(*args)


def test_subclass_loads_the_presets_of_its_base(copy):
    model = Mine.from_preset(copy)
    assert type(model) is Mine
    assert_same_weights(weights_of(model), weights_of(LOTR.from_preset(copy)))


def test_subclass_that_adds_no_argument_is_saved_as_its_base(saved, tmp_path):
    model = Mine.from_preset(saved)
    model.save_to_preset(tmp_path)
    assert type(Mine.from_preset(tmp_path)) is Mine
    again = LOTR.from_preset(tmp_path)
    assert type(again) is LOTR
    assert_same_weights(weights_of(again), weights_of(model))
    assert (tmp_path / CONFIG).read_text() == (saved / CONFIG).read_text()


class MineWithMore(LOTR):
    def __init__(self, *args, weight=1.0, **others):
        super().__init__(*args, **others)
        self.weight = weight

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


def test_subclass_with_arguments_keeps_its_name(saved, tmp_path):
    MineWithMore.from_preset(saved, weight=2.0).save_to_preset(tmp_path)
    assert MineWithMore.from_preset(tmp_path).weight == 2.0
    with pytest.raises(
        ValueError, match=r"Expected a LOTR in .*Received: .*MineWithMore; load it with"
    ):
        LOTR.from_preset(tmp_path)


def test_presets_lists_what_the_class_can_load():
    assert "lotr_m_68" in LOTR.presets and "face_detector" not in LOTR.presets
    assert "lotr_m_68" in Mine.presets


def test_untrained_preset_names_trained_ones_with_its_landmarks():
    with pytest.raises(ValueError, match="Trained ones with the same landmarks: lotr_m_98, "):
        LOTR.from_preset("lotr_hr_plus_wflw")


@pytest.mark.parametrize(
    "override",
    [
        {"dropout": 0.25},
        {"name": "other"},
        {"trainable": False},
        {"preprocessor": Preprocessor("ibug68", SIZE, margin=1.9)},
    ],
    ids=str,
)
def test_overrides_that_keep_the_weights(saved, override):
    model = LOTR.from_preset(saved, **override)
    assert {name: getattr(model, name) for name in override} == override
    assert_same_weights(weights_of(model), weights_of(LOTR.from_preset(saved)))


def test_overrides_that_change_the_network(saved):
    with pytest.warns(UserWarning, match=r"start untrained: head/coordinates, head/hidden1, head/"):
        model = LOTR.from_preset(saved, head_hidden_dim=8)
    assert model.head_hidden_dim == 8
    before, after = weights_of(LOTR.from_preset(saved)), weights_of(model)
    np.testing.assert_array_equal(after["encoder1/ffn1/kernel"], before["encoder1/ffn1/kernel"])


def test_a_backbone_is_no_override(saved):
    with pytest.raises(TypeError, match=r"Expected no backbone: .* Build LOTR\(backbone, \.\.\.\)"):
        LOTR.from_preset(saved, backbone=tiny_backbone())


def test_another_mean_shape_for_the_same_number_is_applied(saved):
    shape = np.random.default_rng(0).uniform(0.2, 0.8, (68, 2)).round(4).astype(np.float32)
    model = LOTR.from_preset(saved, num_landmarks=68, mean_shape=shape)
    np.testing.assert_array_equal(model.mean_shape, shape)
    assert model.preprocessor.scheme == "ibug68"


@pytest.mark.filterwarnings("ignore::UserWarning:keras")
def test_backbone_whose_inner_layers_have_counted_names(tmp_path):
    images = keras.Input((SIZE, SIZE, 3))
    scaled = keras.layers.Rescaling(1 / 255, name="to_one")(images)
    network = keras.applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), include_preprocessing=False
    )
    small = keras.Model(
        network.inputs, network.get_layer("convnext_tiny_stage_0_block_0_identity").output
    )
    backbone = keras.Model(images, small(scaled), name="convnext")
    model = LOTR(backbone, 5, projection_dim=16, num_heads=4)
    randomize(model).save_to_preset(tmp_path)
    keras.layers.Conv2D(2, 1)  # the counters of this process go on
    again = LOTR.from_preset(tmp_path)
    assert_same_weights(weights_of(again), weights_of(model))
    assert not [key for key in weights_of(model) if key.endswith(tuple("0123456789"))]


@keras.saving.register_keras_serializable(package="keras_lotr")
class Forgetful(keras.layers.Layer):
    """A layer that does not keep its width in its config."""

    __module__ = "keras_lotr.forgetful"  # a preset may hold layers of ours only

    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(width, name="dense")

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {"name": self.name}

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.dense.units)


@pytest.mark.parametrize(
    "layer, sentence",
    [
        (lambda: Forgetful(7, name="own"), "can be loaded again.*backbone/own/dense/bias"),
        (lambda: keras.layers.Lambda(lambda x: x + 1), "Received: Lambda, in lotr"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, layer, sentence):
    images = keras.Input((SIZE, SIZE, 3))
    x = layer()(keras.layers.AveragePooling2D(16)(images))
    model = LOTR(keras.Model(images, x), 5, projection_dim=16, num_heads=4)
    with pytest.raises(ValueError, match=sentence):
        model.save_to_preset(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("preset", [None, 3])
def test_a_preset_that_is_no_name(preset):
    for load in (LOTR.from_preset, FaceDetector.from_preset):
        with pytest.raises(TypeError, match=rf"Expected a preset: a name.* Received: {preset}"):
            load(preset)


# === What presets do not hold ===
@keras.saving.register_keras_serializable(package="mine")
class Registered(keras.layers.Layer):
    def call(self, x):
        return x


class Unregistered(Registered):
    pass


@pytest.mark.parametrize(
    "layer",
    [Registered, Unregistered, lambda: keras.layers.Lambda(lambda x: x, name="own")],
    ids=["Registered", "Unregistered", "Lambda"],
)
def test_layers_that_presets_do_not_hold(layer, tmp_path, request):
    images = keras.Input((SIZE, SIZE, 3))
    features = keras.layers.Conv2D(8, 5, strides=16)(layer()(images))
    model = LOTR(keras.Model(images, features), 5, projection_dim=16, num_heads=4)
    kind = request.node.callspec.id
    with pytest.raises(ValueError, match="presets hold no others. Received: ") as caught:
        model.save_to_preset(tmp_path / "mine")
    said = str(caught.value)
    assert f"Received: {kind}, in lotr; model.save(" in said and "\n" not in said
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_file_is_no_folder_for_a_preset(model, tmp_path, inside):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="Expected a (folder to write|path in a folder).* a file"):
        model.save_to_preset(tmp_path / "file" / inside)
