"""What options of the command line are given on as, where no other test uses them."""

import pytest
from click.testing import CliRunner
from tiny import tiny_preset

from keras_lotr.cli import main
from keras_lotr.presets.files import CONFIG

# huggingface_hub 2.4 uploads with an argument that its HTTP library no longer likes.
pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]

HANDLE = "hf://me/tiny"


class Called(Exception):
    """The function behind a command: with these arguments."""


@pytest.fixture
def called(monkeypatch):
    """The arguments with which a command calls the function of this name: (args, kwargs)."""

    def call(function, *words):
        def stop(*args, **kwargs):
            raise Called(args, kwargs)

        monkeypatch.setattr(function, stop)
        done = CliRunner().invoke(main, list(map(str, words)))
        assert isinstance(done.exception, Called), done.output
        return done.exception.args

    return call


def run(*words):
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return tiny_preset(tmp_path_factory.mktemp("presets") / "tiny")


# === Publishing ===
def test_publish_into_a_private_repository(hub, preset):
    run("publish", preset, HANDLE, "--private")
    assert hub.repos["models/me/tiny"].private


def test_publish_on_a_branch(hub, preset):
    assert f"Published {HANDLE}@" in run("publish", preset, HANDLE, "--revision", "dev")
    assert hub.repos["models/me/tiny"].refs.keys() == {"main", "dev"}
    assert CONFIG in hub.files("me/tiny", "dev")
    assert CONFIG not in hub.files("me/tiny")


def test_publish_as_a_pull_request(hub, preset):
    assert f"Published {HANDLE}@refs/pr/1" in run("publish", preset, HANDLE, "--create-pr")
    assert CONFIG in hub.files("me/tiny", "refs/pr/1")
    assert CONFIG not in hub.files("me/tiny")


@pytest.mark.parametrize(("word", "private"), [("--private", True), ("--public", False)])
def test_visibility(called, preset, word, private):
    push, space = "keras_lotr.publishing.publish.push_to_hub", "keras_lotr.publishing.space"
    args, _ = called(push, "publish", preset, HANDLE, word)
    assert args == (str(preset), HANDLE, private)
    args, _ = called(f"{space}.publish_space", "publish-space", "demo", "hf://me/faces", word)
    assert args[1:] == ("hf://me/faces", private)


def test_a_private_space(hub):
    run("publish-space", "demo", "hf://me/faces", "--private")
    assert hub.repos["spaces/me/faces"].private


def test_examples_of_a_card(called, preset, tmp_path):
    card = "keras_lotr.publishing.publish.write_card"
    args, _ = called(card, "model-card", preset, "--examples", tmp_path)
    assert args == (preset, tmp_path)


# === Data sets ===
def test_shard(called, tmp_path):
    words = ["shard", "--data", tmp_path, "--output", tmp_path / "new"]
    write = "keras_lotr.datasets.shard_writing.write_shards"
    args, _ = called(write, *words, "--scheme", "wflw98", "--megabytes", 5, "--reader", "csv")
    assert args == (str(tmp_path), tmp_path / "new", "wflw98", "csv", 5_000_000)
    assert called(write, *words)[0][2:] == (None, None, 10**9)


def test_train_detector(called, tmp_path):
    teacher = tmp_path / "yunet.onnx"
    teacher.touch()
    words = ["train-detector", "--photos", "examples", "--held-out", "examples"]
    words += ["--teacher", teacher, "--output", tmp_path / "run"]
    more = ["--learning-rate", 0.01, "--freeze-batch-norm", "--features-weight", 0.25]
    distill = "keras_lotr.detector_training.distillation.distill"
    _, given = called(distill, *words, *more)
    wanted = {"learning_rate": 0.01, "freeze_batch_norm": True, "features_weight": 0.25}
    assert {name: given[name] for name in wanted} == wanted
    _, given = called(distill, *words)
    usual = {"learning_rate": 4e-3, "freeze_batch_norm": False, "features_weight": 1.0}
    assert {name: given[name] for name in usual} == usual


# === Faces ===
@pytest.mark.parametrize("command", ["predict", "video"])
def test_what_finds_landmarks(called, command, video, tmp_path):
    pytest.importorskip("av")
    source = {"predict": ["examples/astronaut.jpg"], "video": [video, tmp_path / "out.webm"]}
    words = [command, *source[command], "--engine", "onnxruntime"]
    make = "keras_lotr.inference.landmarker.FaceLandmarker"
    _, given = called(make, *words, "--precision", "int8", "--max-side", 320, "--any-rotation")
    assert (given["precision"], given["max_side"]) == ("int8", 320)
    assert given["rotations"] == (0, 90, 180, 270)
    _, given = called(make, *words)
    assert given["precision"] is given["max_side"] is given["rotations"] is None


@pytest.fixture
def no_landmarker(monkeypatch):
    """The commands make none, and need no window."""
    pytest.importorskip("av")
    monkeypatch.setattr("keras_lotr.cli.video.landmarker_of", lambda **how: "landmarker")
    monkeypatch.setattr("keras_lotr.cli.video.check_overlays", lambda *_: None)
    monkeypatch.setattr("keras_lotr.video.live.check_window", lambda: None)


@pytest.mark.parametrize("command", ["video", "webcam"])
def test_smooth(called, command, no_landmarker, video, tmp_path):
    words = {"video": [video, tmp_path / "out.webm"], "webcam": ["--virtual", video]}
    follow = "keras_lotr.tracking.tracker.FaceTracker"
    args, _ = called(follow, command, *words[command], "--smooth", "strong", "--every", 3)
    assert args == ("landmarker", 3, "strong")
    assert called(follow, command, *words[command])[0] == ("landmarker", 5, "light")


def test_camera(called, no_landmarker):
    camera = "keras_lotr.video.live.LiveCamera"
    assert called(camera, "webcam", "--camera", 2)[0] == (2,)
    assert called(camera, "webcam")[0] == (0,)


def test_host_of_the_demo(called, monkeypatch):
    pytest.importorskip("gradio", reason="needs gradio")
    monkeypatch.setattr("keras_lotr.demo.page.build", lambda *_: "page")
    words = ["demo", "--engine", "onnxruntime"]
    args, _ = called("keras_lotr.demo.page.launch", *words, "--host", "0.0.0.0")
    assert args == ("page", "0.0.0.0", None)
    assert called("keras_lotr.demo.page.launch", *words)[0] == ("page", "127.0.0.1", None)
