"""Presets from strangers: they run nothing, and read and allocate only what is theirs."""

import json
import math
import os
import shutil
import time

import keras
import pytest
from tiny import tiny_lotr, tiny_preset

from keras_lotr import LOTR
from keras_lotr.datasets.samples import read_json as read_labels
from keras_lotr.evaluation.tables import read_results
from keras_lotr.presets.checks import check_config, check_size, planned_weights
from keras_lotr.presets.files import read_json
from keras_lotr.presets.layout import layout_of
from keras_lotr.presets.preset import CONFIG, METADATA, PREPROCESSOR, WEIGHTS
from keras_lotr.presets.weights import count_numbers, named_weights
from keras_lotr.publishing.publish import publication, write_card
from keras_lotr.schemes import scheme_of_text
from keras_lotr.training.recipe import Recipe


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return tiny_preset(tmp_path_factory.mktemp("presets") / "tiny_68")


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def change(folder, **arguments):
    """Give the network of a preset other arguments."""
    config = json.loads((folder / CONFIG).read_text())
    config["config"] |= arguments
    (folder / CONFIG).write_text(json.dumps(config))


def layer(class_name, module="keras.layers", registered_name=None, **config):
    return {
        "class_name": class_name,
        "module": module,
        "registered_name": registered_name,
        "config": config,
    }


# === Classes ===
HOSTILE = [
    layer("system", "os"),
    layer("Popen", "subprocess"),
    layer("Dense", "keras_evil.layers"),
    layer("Lambda", function="x"),
    layer("__lambda__", value="4wEA"),
    layer("__typespec__", "tensorflow", spec_name="TensorSpec"),
    layer("TFSMLayer", filepath="model"),
    layer("TorchModuleWrapper", module="gASV"),
    layer("JaxLayer", call_fn="x"),
    layer("StringLookup", vocabulary="/etc/passwd"),
    layer("TextVectorization", vocabulary="/etc/passwd"),
    layer("BertTokenizer", "keras_hub.tokenizers", vocabulary="/etc/passwd"),
    layer("Dense", registered_name="keras_hub>BertTokenizer", vocabulary="/etc/passwd"),
    layer("ReLU", registered_name="Lambda"),
    layer("Dense", registered_name="evil>Dense"),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda entry: entry["class_name"])
@pytest.mark.parametrize("load_weights", [True, False])
def test_hostile_class(copy, hostile, load_weights):
    config = json.loads((copy / CONFIG).read_text())
    config["config"]["backbone"]["config"]["layers"].append(hostile)
    (copy / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ValueError, match="Refused to load .*copy: its config asks for"):
        LOTR.from_preset(copy, load_weights=load_weights)


def test_ordinary_classes_pass():
    check_config(layer("Dense", units=64, seed=123456789), "x")
    check_config(layer("ResNetBackbone", "keras_hub", "keras_hub>ResNetBackbone"), "x")
    check_config(layer("Functional", "keras.src.models.functional", "Functional"), "x")


def test_long_texts(copy):
    change(copy, head_hidden_dim="x" * 5000)
    with pytest.raises(ValueError, match="text of 5,000 letters as head_hidden_dim") as caught:
        LOTR.from_preset(copy)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "damage",
    [
        lambda config: config["backbone"]["config"].update(output_layers=["lotr", 0, 0]),
        lambda config: config["backbone"]["config"]["output_layers"].__setitem__(1, 10**4),
        lambda config: config["backbone"]["config"]["layers"][1].update(module="x" * 900),
    ],
)
def test_configs_that_keras_cannot_build(copy, damage):
    config = json.loads((copy / CONFIG).read_text())
    damage(config["config"])
    (copy / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config.json is not valid: |Refused to load") as caught:
        LOTR.from_preset(copy)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("scheme", [{"a": 1}, {"contours": [1], "points": []}, {}])
def test_schemes_that_are_none(copy, scheme):
    entries = json.loads((copy / PREPROCESSOR).read_text())
    (copy / PREPROCESSOR).write_text(json.dumps({**entries, "scheme": scheme}))
    with pytest.raises(ValueError, match="not valid: Expected the config of a landmark scheme"):
        LOTR.from_preset(copy)


# === Memory ===
GIGANTIC = [
    {"num_landmarks": 10**9},
    {"num_landmarks": 9_999},  # allowed, but not in the file
    {"num_encoder_layers": 10**7},
    {"num_decoder_layers": 64},
    {"ffn_dim": 10**9},
    {"ffn_dim": 65_536, "head_hidden_dim": 65_536},
    {"projection_dim": 65_536},
    {"deconv_filters": [65_536, 65_536]},
    {"deconv_filters": [16] * 8},  # 1024 x 1024 tokens
]


@pytest.mark.parametrize("arguments", GIGANTIC, ids=str)
def test_gigantic_network_is_not_allocated(copy, arguments, monkeypatch):
    monkeypatch.setattr(keras.Variable, "__init__", _only_small(keras.Variable.__init__))
    change(copy, **arguments)
    start = time.process_time()
    with pytest.raises(ValueError, match=r"Refused to load|at most|mean_shape|does not fit"):
        LOTR.from_preset(copy)
    assert time.process_time() - start < 20


def _only_small(make):
    def checked(self, initializer, shape=None, *args, **kwargs):
        make(self, initializer, shape, *args, **kwargs)
        count = math.prod(shape or ())
        assert count <= 2**23 or self._value is None, f"allocates {shape}"  # planned, not allocated

    return checked


def test_gigantic_network_without_weights(copy):
    (copy / WEIGHTS).unlink()
    change(copy, ffn_dim=65_536, head_hidden_dim=65_536)
    with pytest.raises(ValueError, match="much larger network than its weights fill"):
        LOTR.from_preset(copy, load_weights=False)


def test_gigantic_crop(copy):
    for entries in (
        {"scheme": "ibug68", "image_size": 10**6},
        {"scheme": "plain999999999999", "image_size": 64},
        {"scheme": "ibug68", "image_size": 64, "margin": 1e9},
        {"scheme": "ibug68", "image_size": 128},
        ["scheme"],
    ):
        (copy / PREPROCESSOR).write_text(json.dumps(entries))
        with pytest.raises(ValueError, match=f"{PREPROCESSOR}"):
            LOTR.from_preset(copy)


def test_header_that_lies(copy):
    path = copy / WEIGHTS
    content = path.read_bytes()
    for told, lie in ((b"[68,16]", b"[68,99]"), (b'"data_offsets":[0,', b'"data_offsets":[9,')):
        assert told in content
        path.write_bytes(content.replace(told, lie, 1))
        with pytest.raises(ValueError, match="Expected a safetensors file"):
            LOTR.from_preset(copy)
    path.write_bytes(b"\xff" * 7 + b"\x7f" + content[8:])  # a header of 2^63 bytes
    with pytest.raises(ValueError, match="Expected a safetensors file"):
        count_numbers(path)


def test_a_plan_is_not_allocated_and_leaves_nothing_behind():
    before = keras.Layer.add_weight

    def build():
        layer = keras.layers.Dense(2**16)
        layer.build((None, 2**16))  # 17 GB
        return keras.Sequential([keras.Input((2**16,)), layer], name="huge")

    assert planned_weights(build) == {"dense/kernel": (2**16, 2**16), "dense/bias": (2**16,)}
    with pytest.raises(ValueError, match=r"Refused to load x.*at most 1,000 are allowed"):
        check_size(build, 1000, "x")
    assert keras.Layer.add_weight is before
    with keras.StatelessScope():  # its end gives values to what has none yet in this thread
        pass


def test_a_plan_has_the_keys_and_shapes_of_the_network():
    shapes = {key: tuple(v.shape) for key, v in named_weights(tiny_lotr(5)).items()}
    assert planned_weights(lambda: tiny_lotr(5)) == shapes


# === JSON ===
def test_huge_or_deep_json(tmp_path):
    huge, deep = tmp_path / "huge.json", tmp_path / "deep.json"
    with open(huge, "wb") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(ValueError, match=r"at most 16 MB. Received: .*huge.json of 17 MB"):
        read_json(huge)
    deep.write_text("[" * 10**6)
    with pytest.raises(ValueError, match=r"Expected JSON in .*deep.json"):
        read_json(deep)


@pytest.mark.parametrize("read", [Recipe.load, read_results, read_labels, layout_of])
def test_every_reader_of_json_refuses_what_is_too_deep(read, tmp_path):
    deep = tmp_path / "deep.json"
    deep.write_bytes((10**6).to_bytes(8, "little") * (read is layout_of) + b"[" * 10**6)
    with pytest.raises(ValueError, match=r"Expected .*deep.json"):
        read(deep)


def test_a_scheme_that_is_too_deep():
    with pytest.raises(ValueError, match="Expected a landmark scheme as JSON"):
        scheme_of_text('{"points": ' + "[" * 10**6)


def test_a_policy_that_is_none(copy):
    config = json.loads((copy / CONFIG).read_text())
    config["config"]["backbone"]["config"]["layers"][1]["config"]["dtype"] = {}
    (copy / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ValueError):  # Keras' own
        LOTR.from_preset(copy, dtype="mixed_bfloat16")


# === Files ===
@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text('{"secret": 1}')
    return path


@pytest.mark.parametrize("name", [CONFIG, PREPROCESSOR, WEIGHTS])
def test_links_out_of_the_folder_are_not_read(copy, secret, name):
    (copy / name).unlink()
    (copy / name).symlink_to(secret)
    with pytest.raises(ValueError, match=rf"Refused to read .*{name}: it is a link out of"):
        LOTR.from_preset(copy)


@pytest.mark.parametrize("name", ["README.md", METADATA, "recipe.json", "results.csv"])
def test_links_out_of_the_folder_are_not_published(copy, secret, name):
    (copy / name).symlink_to(secret)
    with (
        pytest.raises(ValueError, match="Refused to read"),
        publication(copy, "hf://me/tiny"),
    ):
        pass


def test_links_inside_and_to_the_folder_are_fine(copy, tmp_path):
    (copy / WEIGHTS).rename(copy / "w")
    (copy / WEIGHTS).symlink_to("w")
    (tmp_path / "elsewhere").symlink_to(copy)
    assert LOTR.from_preset(tmp_path / "elsewhere").num_landmarks == 68


def test_nothing_is_written_through_a_link(copy, secret):
    model = LOTR.from_preset(copy)
    before = secret.read_bytes()
    traps = [*(CONFIG, PREPROCESSOR, WEIGHTS), *(f".{n}.{os.getpid()}" for n in (CONFIG, WEIGHTS))]
    for name in traps:
        (copy / name).unlink(missing_ok=True)
        (copy / name).symlink_to(secret)
    model.save_to_preset(copy)
    facts = dict.fromkeys(("title", "trained_on", "data_licence", "licence", "limits"), "x")
    (copy / METADATA).write_text(json.dumps(facts))
    (copy / "README.md").symlink_to(secret)
    with pytest.raises(ValueError, match="Refused to read .*README.md: it is a link out of"):
        write_card(copy)
    assert secret.read_bytes() == before


def test_names_of_files_do_not_come_from_the_preset(hub, saved):
    hub.put_folder("me/tiny", saved)
    files = hub.files("me/tiny")
    files["../../outside"] = b"x"
    files["../evil.py"] = b"raise SystemExit"
    assert LOTR.from_preset("hf://me/tiny").num_landmarks == 68
    assert not [path for _, path in hub.requests if ".." in path]


def test_the_recipe_of_a_stranger_cannot_name_files_of_this_computer(hub, copy):
    (copy / "recipe.json").write_text('{"backbone_weights": "/etc/passwd"}')
    hub.put_folder("me/tiny", copy)
    with pytest.raises(ValueError, match="Expected backbone_weights hf://"):
        Recipe.load("hf://me/tiny")
    assert Recipe.load(copy).backbone_weights == "/etc/passwd"  # one's own
