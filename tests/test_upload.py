"""Publishing: what is uploaded, what is refused, and that it comes back the same."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from hub_server import READER
from tiny import assert_same_weights, random_crops, randomize, tiny_lotr, weights_of

from keras_lotr import LOTR, push_to_hub
from keras_lotr.cli import main
from keras_lotr.detector_training.network import DetectorNetwork
from keras_lotr.presets.files import PIN
from keras_lotr.presets.hub import Handle
from keras_lotr.presets.preset import (
    CONFIG,
    METADATA,
    PREPROCESSOR,
    WEIGHTS,
    resolve,
    shipped_folder,
)
from keras_lotr.publishing.card_metadata import model_class
from keras_lotr.publishing.upload import upload

# huggingface_hub 2.4 uploads with an argument that its HTTP library no longer likes.
pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]

HANDLE = "hf://me/tiny"
PRESET_FILES = {CONFIG, PREPROCESSOR, WEIGHTS, METADATA, "README.md", "scheme.png"}


@pytest.fixture(scope="module")
def model():
    return randomize(tiny_lotr(68))


@pytest.fixture
def folder(model, tmp_path):
    model.save_to_preset(tmp_path / "presets" / "tiny")
    return tmp_path / "presets" / "tiny"


def commits(hub, name="me/tiny"):
    return len(hub.repos[f"models/{name}"].commits)


# === What is uploaded ===
def test_push_and_pull(hub, folder, model):
    version = push_to_hub(folder, HANDLE)
    assert version == f"{HANDLE}@{hub.repos['models/me/tiny'].refs['main']}"
    assert hub.files("me/tiny").keys() == PRESET_FILES | {".gitattributes"}
    for handle in (HANDLE, version):
        again = LOTR.from_preset(handle)
        assert again.preprocessor == model.preprocessor
        assert_same_weights(weights_of(again), weights_of(model))
    crops = random_crops()
    np.testing.assert_allclose(
        again.predict(crops, verbose=0), model.predict(crops, verbose=0), atol=1e-5
    )


def test_a_model_is_pushed_as_it_is(hub, model):
    assert_same_weights(weights_of(LOTR.from_preset(push_to_hub(model, HANDLE))), weights_of(model))


def test_only_files_of_presets_are_uploaded(hub, folder):
    for name in (".env", "notes.txt", "weights.h5", "model.pkl", PIN, ".README.md.swp"):
        (folder / name).write_text("private")
    (folder / "runs").mkdir()
    for name in ("recipe.json", "recipe_stage1.json", "model.onnx", "model.tflite"):
        (folder / name).write_text("{}")
    push_to_hub(folder, HANDLE)
    more = {"recipe.json", "recipe_stage1.json", "model.onnx", "model.tflite", ".gitattributes"}
    assert hub.files("me/tiny").keys() == PRESET_FILES | more
    (folder / "model.onnx").unlink()
    push_to_hub(folder, HANDLE)  # an export of older weights does not stay
    assert "model.onnx" not in hub.files("me/tiny")


def test_twice_is_once(hub, folder):
    first, before = push_to_hub(folder, HANDLE, tag="v1"), commits(hub)
    assert push_to_hub(folder, HANDLE, tag="v1") == first
    assert commits(hub) == before
    assert len([path for method, path in hub.requests if path.startswith("/lfs/")]) == 2


def test_tag(hub, folder, model):
    push_to_hub(folder, HANDLE, tag="v1")
    randomize(tiny_lotr(68), seed=9).save_to_preset(folder)
    with pytest.raises(ValueError, match=r"Expected a new tag: 'v1' of hf://me/tiny is the commit"):
        push_to_hub(folder, HANDLE, tag="v1")
    push_to_hub(folder, HANDLE, tag="v2")
    randomize(tiny_lotr(68), seed=10).save_to_preset(folder)
    before = commits(hub)
    with pytest.raises(ValueError, match=r"'v1' of hf://me/tiny is .* Nothing was uploaded"):
        push_to_hub(folder, HANDLE, tag="v1")
    assert commits(hub) == before
    assert_same_weights(weights_of(LOTR.from_preset(f"{HANDLE}@v1")), weights_of(model))
    newest = weights_of(LOTR.from_preset(f"{HANDLE}@v2"))
    assert (newest["head/hidden1/kernel"] != weights_of(model)["head/hidden1/kernel"]).any()


def test_branch_and_pull_request(hub, folder):
    push_to_hub(folder, HANDLE, revision="next")
    assert CONFIG in hub.files("me/tiny", "next")
    assert CONFIG not in hub.files("me/tiny")
    proposal = push_to_hub(folder, HANDLE, create_pr=True)
    assert proposal == f"{HANDLE}@refs/pr/1"
    assert CONFIG not in hub.files("me/tiny")
    assert LOTR.from_preset(proposal).num_landmarks == 68
    with pytest.raises(ValueError, match="tag or create_pr"):
        push_to_hub(folder, HANDLE, create_pr=True, tag="v1")


def test_private(hub, folder, monkeypatch):
    push_to_hub(folder, HANDLE, private=True)
    assert hub.repos["models/me/tiny"].private
    monkeypatch.delenv("HF_TOKEN")
    assert LOTR.from_preset(HANDLE, token=READER).num_landmarks == 68


def test_a_card_of_ones_own_stays(hub, folder):
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Mine\n")
    push_to_hub(folder, HANDLE)
    assert hub.files("me/tiny")["README.md"].endswith(b"# Mine\n")


def test_the_folder_stays_as_it_was(hub, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    push_to_hub(folder, HANDLE)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_face_detector(hub, tmp_path):
    network = randomize(
        DetectorNetwork(widths=(4, 4, 4, 4, 4), depths=(0, 0, 0, 0), pyramid_width=4)
    )
    network.save_to_preset(tmp_path / "face_detector")
    (tmp_path / "face_detector" / "model.onnx").write_bytes(b"onnx")
    version = push_to_hub(tmp_path / "face_detector", "hf://me/face_detector")
    found = hub.files("me/face_detector")
    assert found.keys() == {CONFIG, WEIGHTS, METADATA, "README.md", "model.onnx", ".gitattributes"}
    assert_same_weights(weights_of(DetectorNetwork.from_preset(version)), weights_of(network))


SHIPPED = sorted(path.parent.name for path in shipped_folder().glob(f"*/{CONFIG}"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_preset_goes_there_and_back(hub, name):
    folder = shipped_folder() / name
    if not (folder / WEIGHTS).exists():
        with pytest.raises(ValueError, match="no trained weights yet"):
            push_to_hub(folder, f"hf://us/{name}")
        return
    version = push_to_hub(folder, f"hf://us/{name}")
    kind = model_class(resolve(folder))
    before, after = kind.from_preset(folder), kind.from_preset(version)
    assert_same_weights(weights_of(after), weights_of(before))
    crops = random_crops(size=getattr(before, "image_size", 64))
    np.testing.assert_array_equal(after.predict(crops, verbose=0), before.predict(crops, verbose=0))


# === What is refused ===
def test_untrained_weights(hub, tmp_path):
    tiny_lotr(68).save_to_preset(tmp_path)
    with pytest.raises(ValueError, match=r"Refused to publish .* nobody has trained yet"):
        push_to_hub(tmp_path, HANDLE)
    with pytest.raises(ValueError, match=r"Refused to publish .* nobody has trained yet"):
        push_to_hub(tiny_lotr(68), HANDLE)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(ValueError, match="no trained weights yet"):
        push_to_hub(tmp_path, HANDLE)
    assert not hub.repos


def test_a_new_head_is_not_trained(hub, folder):
    with pytest.raises(ValueError, match="nobody has trained yet"):
        push_to_hub(LOTR.from_preset(folder, num_landmarks=5), HANDLE)


def test_weights_that_are_not_finite(hub, folder, model):
    broken = LOTR.from_preset(folder)
    broken.get_layer("head").hidden1.bias.assign(np.full(16, np.nan))
    with pytest.raises(ValueError, match="finite weights"):
        push_to_hub(broken, HANDLE)


def test_a_preset_that_does_not_load(hub, folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:500])
    with pytest.raises(ValueError, match="Expected a safetensors file"):
        push_to_hub(folder, HANDLE)
    assert not hub.repos


@pytest.mark.parametrize("handle", ["me/tiny", "hf://tiny", "hf://me/tiny@"])
def test_no_handle(folder, handle):
    with pytest.raises(ValueError, match="Expected a handle"):
        push_to_hub(folder, handle)


def test_a_preset_of_the_hub_is_not_published_again(hub, folder):
    push_to_hub(folder, HANDLE)
    with pytest.raises(ValueError, match="Expected a local preset"):
        push_to_hub(HANDLE, "hf://me/other")


@pytest.mark.parametrize(("token", "status"), [(None, 401), (READER, 403)])
def test_no_right_to_write(hub, folder, monkeypatch, token, status):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(OSError, match=rf"Cannot upload to {HANDLE}: .*") as caught:
        push_to_hub(folder, HANDLE, token=token)
    assert "HF_TOKEN" in str(caught.value)
    assert not hub.repos


def test_a_card_that_the_hub_refuses(hub, folder):
    (folder / "README.md").write_text("---\nlicense: my own\n---\n# Mine\n")
    with pytest.raises(ValueError, match=r'"license" must be one of'):
        push_to_hub(folder, HANDLE)


def test_an_upload_that_breaks_off(hub, folder):
    push_to_hub(folder, HANDLE)
    before = hub.repos["models/me/tiny"].refs["main"]
    randomize(tiny_lotr(68), seed=9).save_to_preset(folder)
    hub.failure = 413
    with pytest.raises(OSError, match=rf"Cannot upload to {HANDLE}: the Hub answered .* 413"):
        push_to_hub(folder, HANDLE)
    hub.failure = None
    assert hub.repos["models/me/tiny"].refs["main"] == before
    assert LOTR.from_preset(f"{HANDLE}@{before}").num_landmarks == 68


def test_offline(hub, folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE=1 allows no request. Try"):
        push_to_hub(folder, HANDLE)


# === Short names ===
def test_pinned_weights_of_a_short_name(hub, folder, model, monkeypatch):
    monkeypatch.setenv("KERAS_LOTR_PRESETS", str(folder.parent))
    run = CliRunner().invoke(main, ["publish", "tiny", HANDLE, "--pin"])
    assert run.exit_code == 0, run.output
    pinned = json.loads((folder / PIN).read_text())
    assert run.stdout.strip() == f"Published {pinned['handle']}"
    (folder / WEIGHTS).unlink()
    hub.put("me/tiny", {WEIGHTS: b"newer ones, which nobody looks at"})
    assert_same_weights(weights_of(LOTR.from_preset("tiny")), weights_of(model))
    assert "Hub" in CliRunner().invoke(main, ["presets"]).output
    pinned["sha256"][WEIGHTS] = "0" * 64
    (folder / PIN).write_text(json.dumps(pinned))
    with pytest.raises(OSError, match=r"Refused model.safetensors of hf://me/tiny@.*sha256"):
        LOTR.from_preset("tiny")


# === The command ===
@pytest.fixture
def two(folder, monkeypatch, tmp_path):
    """A library that comes with two presets, one of them without weights."""
    shutil.copytree(folder, folder.parent / "untrained", ignore=shutil.ignore_patterns(WEIGHTS))
    monkeypatch.setattr("keras_lotr.presets.files.shipped_folder", lambda: folder.parent)


def test_publish_all(hub, two):
    command = ["publish", "--all", "--org", "us", "--tag", "v1"]
    dry = CliRunner().invoke(main, [*command, "--dry-run"])
    assert dry.exit_code == 0, dry.output
    assert "Would upload hf://us/tiny: 6 files\n  README.md  " in dry.output
    assert "hf://us/untrained: skipped, no trained weights yet" in dry.output
    assert not hub.repos
    run = CliRunner().invoke(main, command)
    assert run.exit_code == 0, run.output
    assert list(hub.repos) == ["models/us/tiny"]
    assert f"Published hf://us/tiny@{hub.repos['models/us/tiny'].refs['v1']}" in run.stdout
    assert CliRunner().invoke(main, command).stdout == run.stdout


@pytest.mark.parametrize(
    "arguments",
    [[], ["tiny"], ["--all"], ["--org", "x"], ["tiny", HANDLE, "--all"], ["x", HANDLE]],
)
def test_bad_arguments(two, arguments):
    run = CliRunner().invoke(main, ["publish", *arguments])
    assert run.exit_code == 2
    assert run.output.startswith("keras-lotr: ")
    assert run.output.count("\n") == 1


def test_upload_of_a_space(hub):
    handle = Handle("me/demo")
    files = {"README.md": b"---\nsdk: gradio\n---\n", "app.py": b"print()\n"}
    upload(handle, files, ["*"], "Upload", kind="space", space_sdk="gradio")
    assert hub.files("me/demo", kind="spaces").keys() == files.keys()
