"""Every Python block and every `keras-lotr` command of the documents runs to its end.

A page is run from top to bottom in a folder that has what its reader would have. The networks are
tiny: presets of the same names and landmarks stand in for the trained ones.
"""

import doctest
import shutil
from dataclasses import replace
from pathlib import Path

import click
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from docs_code import arguments, steps
from hub_server import READER
from loading import load
from tiny import SETTINGS, SHALLOW, randomize, tiny_backbone

from keras_lotr.cli import main
from keras_lotr.export.onnx import export_onnx
from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import CONFIG, ONNX, PREPROCESSOR, WEIGHTS, read_json, shipped_folder
from keras_lotr.presets.preset import Preprocessor
from keras_lotr.schemes import get_scheme
from keras_lotr.training.recipe import Recipe
from keras_lotr.variants import VARIANTS

for package in ("matplotlib", "onnx", "onnxruntime", "pyarrow", "av", "scipy"):
    pytest.importorskip(package, reason="the documents use it")

ROOT = Path(__file__).parents[1]
CARDS = sorted(f"presets/{path.parent.name}/README.md" for path in ROOT.glob("presets/*/README.md"))
PAGES = [
    *("README.md", "ARCHITECTURE.md", "MODEL_CARD.md", "examples/README.md", "demo/README.md"),
    *("web/README.md", "CHANGELOG.md", "CONTRIBUTING.md"),
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")),
    *CARDS,
]

# What stands in a document: what is run here.
REPLACED = {
    "FOLDER": "examples/rendered_faces",
    "--initial-weights PRESET": "--initial-weights lotr_m_68",
    "WFLW": "examples/rendered_faces",
    "NAME": "my_model",
    "<name>": "lotr_m_68",
    "hf://org/name": "hf://me/my_model",
    "hf_...": READER,
    # tests/test_devices.py trains on two devices.
    "--devices all": "",
    "--devices 2": "",
    "train_on_devices(2": "train_on_devices(1",
    "epochs=20": "epochs=1",
}
# What starts like this is not run, and why.
NOT_RUN = {
    "keras-lotr demo": "serves a page until Ctrl+C is pressed; tests/test_demo.py asks it",
    "keras-lotr train-certainty": "takes minutes; tests/test_train_certainty.py trains with it",
    "keras-lotr report certainty": "needs faces of several sets; tests/test_train_certainty.py",
    "keras-lotr train-detector": "needs YuNet's file; tests/test_detector.py trains with it",
    "keras-lotr predict photos --recursive --ray": "starts Ray; tests/test_ray.py predicts with it",
    "keras-lotr predict s3://": "needs a storage; tests/test_ray.py has one",
    "import keras_lotr.ray": "needs a storage; tests/test_ray.py has one",
    "import numpy as np\nimport openvino": "needs a file; tests/test_export_openvino.py runs one",
    "keras-lotr webcam": "needs a window; tests/test_cli_video.py gives it one that is none",
    "from gradio_client": "asks a Space on the Hub; tests/test_demo.py asks a demo",
}
# A training of seconds, of a network that has none of a recipe's frozen layers. The recipes' own
# numbers would be compiled anew for each.
HURRIED = {
    **{"epochs": 1, "batch_size": 4, "samples_per_epoch": 8, "warmup_steps": 1, "ema": 0.0},
    **{"frozen_layers": [], "backbone_weights": None, "init": None, "freeze_batch_norm": True},
    **{"optimizer": "adamw", "schedule": "cosine", "learning_rate": 1e-3, "weight_decay": 1e-4},
    **{"backbone_rate": 0.5, "augmentation": {}},
}


def all_steps():
    for page in PAGES:
        for step in steps((ROOT / page).read_text(encoding="utf-8")):
            yield page, step


def reason_not_to_run(step):
    return next((why for start, why in NOT_RUN.items() if step.code.startswith(start)), None)


def test_the_tables_hold_nothing_that_no_document_says():
    codes = [step.code for _, step in all_steps()]
    assert not [word for word in REPLACED if not any(word in code for code in codes)]
    assert not [s for s in NOT_RUN if not any(code.startswith(s) for code in codes)]


def test_steps_of_a_page():
    shell = "```\n(cd x && y) && keras-lotr a b > c   # d\npip e\n```\n"
    text = f"`keras-lotr presets`\n{shell}```python\n1\n```\n`keras-lotr presets`\n"
    found = [(step.kind, step.code, step.line) for step in steps(text)]
    assert found == [
        ("command", "keras-lotr presets", 1), ("command", "keras-lotr a b", 3), ("python", "1\n", 7)
    ]  # fmt: skip


# === What a reader has ===
@pytest.fixture(scope="module", autouse=True)
def _uncompiled(backend):
    """TensorFlow compiles nothing: each network runs once or twice."""
    if backend != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """A folder of presets as the library's own, but tiny."""
    folder = tmp_path_factory.mktemp("docs") / "presets"
    for source in sorted(shipped_folder().iterdir()):
        small = shutil.ignore_patterns(CONFIG, WEIGHTS, ONNX, "*.jpg", "*.png")
        is_lotr = read_json(source / CONFIG)["registered_name"] == "keras_lotr>LOTR"
        shutil.copytree(source, folder / source.name, ignore=small if is_lotr else None)
        if is_lotr:
            preprocessor = Preprocessor.from_dict(read_json(source / PREPROCESSOR))
            model = stand_in(preprocessor, 8 if source.name == "lotr_m_68" else None)
            model.save_to_preset(folder / source.name)
            if not (source / WEIGHTS).exists():
                (folder / source.name / WEIGHTS).unlink()
            elif source.name == "lotr_m_68":
                export_onnx(model, folder / source.name / ONNX)
    return folder


def stand_in(preprocessor, certainty_dim=None):
    count = get_scheme(preprocessor.scheme).num_landmarks
    settings = {**SETTINGS, **SHALLOW, "certainty_dim": certainty_dim}
    model = LOTR(tiny_backbone(preprocessor.image_size), count, **settings)
    model.preprocessor = preprocessor
    randomize(model)
    if model.has_certainty:
        model.certainty.calibration.assign(np.full((count, 1), 1.01))
    return model


@pytest.fixture
def reader(presets, video, hub, tmp_path, monkeypatch):
    """The names that a reader has; the working directory has a reader's files."""
    folder = tmp_path / "reader"
    shutil.copytree(presets, folder / "presets")
    shutil.copytree(ROOT / "results", folder / "results")
    shutil.copytree(ROOT / "demo", folder / "demo", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(ROOT / "web", folder / "web", ignore=shutil.ignore_patterns("node_modules"))
    (folder / "web" / "dist").mkdir(exist_ok=True)
    (folder / "web" / "dist" / "index.html").write_text("<p>built")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "photos").mkdir()
    shutil.copy(ROOT / "examples" / "astronaut.jpg", folder / "photos" / "anna.jpg")
    shutil.copy(ROOT / "examples" / "astronaut.jpg", folder / "photo.jpg")
    shutil.copy(presets / "lotr_m_68" / ONNX, folder)
    shutil.copytree(presets / "lotr_m_98", folder / "my_model")
    shutil.copy(video, folder / "in.mp4")
    load(ROOT / "examples" / "fine_tune.py").write_csv(folder / "faces.csv")
    hub.put_folder("me/secret", presets / "lotr_m_68", private=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())  # that a block may set
    monkeypatch.setattr("keras_lotr.presets.files.shipped_folder", lambda: folder / "presets")
    # A network that nobody has trained cannot know a face from a shirt.
    monkeypatch.setattr(
        "keras_lotr.inference.verification.is_face",
        lambda score, quality, sure: None in (score, sure) or score >= sure,
    )
    for variant in VARIANTS:
        monkeypatch.setitem(VARIANTS, variant, (tiny_backbone, 192, {**SETTINGS, **SHALLOW}))
    read = Recipe.load.__func__

    def hurry(cls, preset):
        recipe = read(cls, preset)
        if Path(preset).parts[0] == "runs":  # a run goes on as it was begun
            return recipe
        # The example's faces have no sets.
        mixture = [{**group, "only": {}, "val_only": None} for group in recipe.mixture]
        return replace(recipe, **HURRIED, mixture=mixture)

    hurried = classmethod(hurry)
    monkeypatch.setattr(Recipe, "load", hurried)
    return {"__name__": "__main__", "model": LOTR.from_preset("lotr_m_68")}


# === The pages ===
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_fu:UserWarning")
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub's own
@pytest.mark.parametrize("page", PAGES)
def test_page(page, reader):
    for step in steps((ROOT / page).read_text(encoding="utf-8")):
        if reason_not_to_run(step):
            continue
        code = step.code
        for word, here in REPLACED.items():
            code = code.replace(word, here)
        where = f"{page}:{step.line}"
        if step.kind == "command":
            run_command(code, step.in_text, where)
        elif step.kind == "json":
            Path("recipe.json").write_text(code)
        elif ">>>" in code:
            run_session(code, reader, where)
        else:
            exec(compile(code, where, "exec"), reader)


def test_the_camera_of_a_page_gives_later_and_later_times(tmp_path):
    """Of an AVI file with B-frames, too, for whose last frames OpenCV says 0."""
    av, path = pytest.importorskip("av"), tmp_path / "in.avi"
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=25, options={"bf": "2"})
        for _ in range(50):
            file.mux(video.encode(av.VideoFrame(640, 480)))
        file.mux(video.encode(None))
    page = steps((ROOT / "docs/video.md").read_text(encoding="utf-8"))
    (code,) = (step.code for step in page if "VideoCapture" in step.code)
    times = []

    class Tracker:
        def reset(self):
            times.clear()

        def __call__(self, frame, seconds):
            times.append(seconds)

    exec(code.replace("in.mp4", str(path)), {"tracker": Tracker()})
    assert len(times) == 50 and np.all(np.diff(times) > 0)


def run_command(code, in_text, where):
    words = arguments(code)
    if in_text and is_only_a_name(words):
        return
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, f"{where}: {code}\n{run.output}\n{run.exception!r}"


def is_only_a_name(words):
    """Whether a sentence names a command that needs arguments, without any."""
    command = main
    while words and isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    return not words and any(parameter.required for parameter in command.params)


def run_session(code, names, where):
    test = doctest.DocTestParser().get_doctest(code, names, where, where, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said = []
    failed = runner.run(test, out=said.append, clear_globs=False).failed
    names.update(test.globs)
    assert not failed, "".join(said)


def test_a_page_with_a_mistake_fails(reader):
    with pytest.raises(AssertionError, match="page:1: keras-lotr predict none.jpg"):
        run_command("keras-lotr predict none.jpg", True, "page:1")
    with pytest.raises(AssertionError, match="Expected:\n +3"):
        run_session(">>> 1 + 1\n3\n", reader, "page:1")
