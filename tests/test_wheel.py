"""What people get who install the package: the wheel, run in folders that are not the checkout."""

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import cv2
import pytest
from docs_code import arguments, steps
from tiny import running_demo

pytest.importorskip("hatchling", reason="builds the wheel")
pytest.importorskip("pip", reason="installs it")
pytest.importorskip("onnxruntime", reason="the commands predict with it")

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
README = [step.code for step in steps((ROOT / "README.md").read_text()) if step.kind == "command"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.iterdir()
    return wheel


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder that the wheel alone is installed in; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", folder, wheel], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def bundled(installed):
    """The folder of the images that come with the package."""
    return installed / "keras_lotr" / "demo" / "examples"


@pytest.fixture
def run(installed, tmp_path, monkeypatch):
    """Runs a program in an empty folder, which has become the working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    environment = {**os.environ, "PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"}

    def run(*words):
        done = subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done

    return run


@pytest.fixture
def command(run, installed):
    """Runs a command line that begins with `keras-lotr`, by the script that pip has installed."""
    (script,) = (path for path in (installed / "bin").iterdir() if path.stem == "keras-lotr")
    return lambda line, *more: run(script, *arguments(line), *more)


def test_content(wheel):
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"keras_lotr", next(name for name in top if name.endswith(".dist-info"))}
    for file in (
        "py.typed",
        "preset_files/lotr_m_68/model.safetensors",
        "evaluation/published.json",
    ):
        assert f"keras_lotr/{file}" in names
    assert not [name for name in names if name.endswith((".pyc", ".part")) or "/." in name]


PRESETS = """
import sys
import keras_lotr
from keras_lotr.presets.files import ONNX, local_presets

print(keras_lotr.__file__)
for name, folder in local_presets().items():
    if (folder / ONNX).is_file() and name != "face_detector":
        landmarker = keras_lotr.FaceLandmarker.from_preset(name, engine="onnxruntime")
        print(name, len(landmarker(sys.argv[1])))
"""


def test_presets(run, bundled, installed):
    file, *found = run("-c", PRESETS, bundled / "astronaut.jpg").stdout.splitlines()
    assert Path(file).parent == installed / "keras_lotr"
    assert "lotr_m_68 1" in found and "lotr_m_synthetic_106 1" in found
    assert all(line.endswith(" 1") for line in found)


def test_the_first_command_of_the_readme(command, bundled):
    Path("examples").symlink_to(bundled)
    assert README[0] == "keras-lotr predict examples/group.jpg --draw --output out"
    done = command(README[0])
    assert done.stderr.startswith("keras-lotr: 1 image, ")
    (entry,) = json.loads(Path("out", "group.json").read_text())
    assert len(entry["faces"]) > 3
    assert cv2.imread("out/group.jpg").shape == (480, 640, 3)


IS_QUICK = tuple(f"keras-lotr {name}" for name in ("predict", "presets"))


@pytest.mark.parametrize("line", README[1:])
def test_other_commands_of_the_readme(line, command, bundled):
    """As they are if they are quick; otherwise their help, which refuses options unknown to it."""
    Path("photo.jpg").symlink_to(bundled / "astronaut.jpg")
    Path("photos").symlink_to(bundled)
    is_quick = line.startswith(IS_QUICK) and "s3://" not in line
    done = command(line, *([] if is_quick else ["--help"]))
    assert done.stdout or "written to" in done.stderr


def test_the_help_refuses_unknown_options(command):
    with pytest.raises(AssertionError, match="No such option.*--presett"):
        command("keras-lotr predict photo.jpg --presett x", "--help")


def test_the_demo_answers(installed, bundled):
    """To an image, and to a click on an example: Gradio hands out the package's own files."""
    pytest.importorskip("gradio", reason="the demo is made of it")
    from gradio_client import Client, handle_file

    with running_demo(python_path=[installed]) as url:
        client = Client(url, verbose=False)
        answer = client.predict(handle_file(bundled / "group.jpg"), api_name="/annotate")
        with urllib.request.urlopen(f"{url}/gradio_api/file={bundled / 'rendered1.jpg'}") as file:
            assert file.read() == (bundled / "rendered1.jpg").read_bytes()
    assert len(answer[3][0]["faces"]) > 3
