"""What all subcommands have in common: help, mistakes, and what a user sees beside the answer."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import cv2
import pytest
from click.testing import CliRunner

from keras_lotr import __version__, datasets
from keras_lotr.cli import errors as cli_errors
from keras_lotr.cli import main
from keras_lotr.cli.errors import Commands
from keras_lotr.cli.options import BOXES, READERS
from keras_lotr.cli.predict import FORMATS
from keras_lotr.evaluation import evaluation
from keras_lotr.inference import formats

ROOT = Path(__file__).parents[1]


def commands(group=main, path=()):
    """(words, command) of all subcommands."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = list(commands())
each = pytest.mark.parametrize(
    ("words", "command"), COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS]
)


# === Help ===
@each
def test_two_examples_that_the_command_takes(words, command):
    lines = command.epilog.splitlines()
    assert lines[:2] == ["\b", "Examples:"] and len(lines) == 4
    for line in lines[2:]:
        program, *arguments = line.split("   (")[0].replace("> faces.json", "").split()
        assert program == "keras-lotr"
        context, rest = main, arguments
        while isinstance(context, click.Group):
            name, context, rest = context.resolve_command(click.Context(context), rest)
        assert command in (context, main.commands[words[0]])
        if "--help" not in rest:
            context.make_context(name, rest)  # which refuses what it does not know


@each
def test_options_are_described_by_more_than_a_fragment(words, command):
    for option in (p for p in command.params if isinstance(p, click.Option)):
        said = option.help or ""
        assert len(said.split()) >= 3, option.name
        assert said[0].isupper() or said.startswith("8"), option.name
        assert said.endswith((".", "].")), option.name


def test_choices_are_those_of_the_library():
    assert list(READERS) == list(datasets.READERS)
    assert FORMATS == formats.FORMATS
    assert BOXES == evaluation.BOXES


def test_version():
    run = CliRunner().invoke(main, ["--version"])
    assert run.stdout.split()[-1] == __version__ == "0.1.0"


def test_python_runs_the_package_as_the_command():
    run = in_a_process("-m", "keras_lotr", "--help")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Usage: keras-lotr ")


def test_what_the_list_of_commands_says_of_each_tells_what_it_does():
    """A full stop ends the line that click shows: `Fig. 2: ...` was shown as `Fig.`"""
    assert [words for words, command in COMMANDS if len(command.get_short_help_str()) < 20] == []


@pytest.mark.parametrize("arguments", [["--to=~/b", "~/a"], ["--to", "~/b", "~/a"]])
def test_the_home_folder_is_meant_where_the_shell_left_its_sign(arguments, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    group = Commands("program")

    @group.command()
    @click.argument("name")
    @click.option("--to")
    def copy(name, to):
        click.echo(f"{name} {to}")

    run = CliRunner().invoke(group, ["copy", *arguments])
    assert run.stdout.replace(os.sep, "/").split() == [
        (tmp_path / name).as_posix() for name in ("a", "b")
    ]


def test_the_home_folder_of_a_data_set_with_a_name(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    run = CliRunner().invoke(main, ["train", "lotr_m_68", "--data=faces=~/none"])
    assert run.exit_code == 2
    assert run.stderr == f"keras-lotr: There is no data set {os.path.join(tmp_path, 'none')}.\n"


def test_a_recipe_of_another_format_is_no_preset(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("epochs: 3")
    run = CliRunner().invoke(main, ["train", str(path), "--data", str(tmp_path)])
    assert run.exit_code == 2
    expected = f"Expected a preset or a recipe in a .json file. Received: {path}"
    assert run.stderr == f"keras-lotr: {expected}\n"


# === Errors ===
class OfOpenCV(Exception):
    """As `cv2.error`: no ValueError, but what a library says of a bad file."""

    __module__ = "cv2"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Bad\n  input."), FileNotFoundError("There is no x."), ImportError("pip"),
        OfOpenCV("Bad data."), cv2.error("Bad data."), PermissionError(13, "Not allowed", "a.json"),
    ],
)  # fmt: skip
def test_errors_of_the_input_are_one_sentence(error):
    run = fail_with(error)
    assert run.exit_code == 2
    assert run.stderr == f"keras-lotr: {cli_errors.sentence(error)}\n"


@pytest.mark.parametrize("error", [KeyError("a"), TypeError("b"), AssertionError("c")])
def test_faults_of_the_library_stay_visible(error):
    assert fail_with(error).exception is error


def test_a_pipe_that_ends_early_is_no_error():
    run = fail_with(BrokenPipeError(32, "Broken pipe"))
    assert (run.exit_code, run.stderr) == (1, "")


def test_ctrl_c_has_an_exit_code_of_its_own():
    run = fail_with(KeyboardInterrupt())
    assert (run.exit_code, run.stderr) == (130, "keras-lotr: Stopped.\n")


STOPPED_BY = """
import os, signal, sys, time
from keras_lotr.cli.errors import Commands, when_stopped
group = Commands("program")

@group.command()
def fail():
    with when_stopped(lambda: "What was found is in x."):
        if sys.argv[1] == "SIGTERM":
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells do in the background
        os.kill(os.getpid(), signal.Signals[sys.argv[1]])
        time.sleep(60)

group(["fail"])
"""


WARNED = """
import sys, warnings
from keras_lotr.cli.errors import Commands
from keras_lotr.datasets.labels_json import read
group = Commands("program")

@group.command()
def warn():
    read(sys.argv[1])
    warnings.warn("This is of another library.")

group(["warn"])
"""


def test_warnings_of_the_library_are_lines(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps([{"image": "a.jpg", "points68": [None] * 68}]))
    ours, others, *_ = in_a_process("-c", WARNED, path).stderr.splitlines()
    assert ours.startswith(f"keras-lotr: 1 of 1 faces of {path} left out")
    assert others.endswith("UserWarning: This is of another library.")


@pytest.mark.skipif(sys.platform == "win32", reason="has other signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_command_with_what_is_left(name):
    run = in_a_process("-c", f"import signal; {RESET}\n{STOPPED_BY}", name)
    assert (run.returncode, run.stdout) == (130, "")
    assert run.stderr == "keras-lotr: Stopped. What was found is in x.\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="has other signals")
def test_a_signal_that_is_ignored_stays_so():
    """As nohup has it."""
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    run = in_a_process("-c", f"{ignored}\n{STOPPED_BY.replace('60', '0')}", "SIGHUP")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("checkpoint", [False, True])
def test_ctrl_c_in_a_training_says_how_to_go_on(checkpoint, rendered_faces, tmp_path, monkeypatch):
    def stopped(devices, settings, data, out, **how):
        out.mkdir()
        if checkpoint:
            (out / "checkpoint.safetensors").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_lotr.training.devices.train_on_devices", stopped)
    arguments = ("train", "lotr_m_68", "--data", rendered_faces, "--output", tmp_path / "run")
    run = CliRunner().invoke(main, [*map(str, arguments)])
    left = f"The last whole checkpoint is in {tmp_path / 'run'}; --resume goes on from there."
    left = left if checkpoint else "There is no checkpoint yet: start again."
    assert (run.exit_code, run.stderr) == (130, f"keras-lotr: Stopped. {left}\n")


# Whatever started the tests: a shell in the background ignores Ctrl-C, nohup a closed terminal.
RESET = """
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["--help", "presets", "predict --help", "--version"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_device_as_standard_output_is_one_sentence(words, unbuffered):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"PYTHONUNBUFFERED": unbuffered}
    options = {"env": environment, "capture_output": False, "stderr": subprocess.PIPE}
    with open("/dev/full", "w") as full:
        run = in_a_process("-m", "keras_lotr", *words.split(), stdout=full, **options)
    said = "keras-lotr: Standard output cannot be written: No space left on device.\n"
    assert (run.returncode, run.stderr) == (2, said)


def fail_with(error):
    group = Commands("program")

    @group.command()
    def fail():
        raise error

    return CliRunner().invoke(group, ["fail"])


# === Mistakes are told before a backend is started ===
MISTAKES = {
    "predict none.jpg --preset nope": "Available: lotr_m_68, lotr_m_98, lotr_m_synthetic_106",
    "predict none.jpg --preset lotr_m_jd": "has no trained weights yet. Train them with",
    "predict none.jpg --preset face_detector": "is a face detector's. Available: lotr_m_68,",
    "predict none.jpg --detector retina --engine keras": "Expected a face detector: ",
    "predict none.jpg --detector no.onnx --engine keras": "There is no face detector no.onnx",
    "predict none.jpg --format xml": "Expected formats of json, jsonl, csv, parquet, pts, coco",
    "predict none.jpg --output x.txt": "Expected a folder, or a file .json, .jsonl, .csv,",
    "predict none.jpg --boxes none.json": "There is no file of boxes none.json",
    "predict none.jpg --draw": "Expected a folder as output",
    "predict none.jpg --threshold 2": "Invalid value for '--threshold'",
    "predict none.jpg --min-face-size 0": "Expected min_face_size as pixels of the image",
    "predict none.jpg --min-face-size -3": "Received: -3",
    "predict none.jpg --min-face-size small": "'small' is not a valid float",
    "predict empty": "There is none in empty. Its subfolders are searched with --recursive.",
    "video none.mp4 out.webm --engine keras": "There is no video none.mp4",
    "video text.txt out.gif --engine keras": "Expected a .mp4, .m4v, .mov, .mkv, .webm file",
    "video text.txt out.webm --engine keras": "Expected a video (MP4, WebM",
    "evaluate lotr_m_68 --data empty --split dev": "'dev' is not one of 'train', 'val', 'test'",
    "evaluate lotr_m_68 --data none": "There is no data set none",
    "evaluate lotr_m_68 --data empty --reader x": "'x' is not one of 'labels_json', 'facesynth'",
    "evaluate nope --data empty": "Available: lotr_m_68",
    "evaluate none.onnx --data empty": "There is no file none.onnx",
    "evaluate empty --data empty": "Expected a preset folder. empty has no config.json",
    "export lotr_m_68 --int8": "Expected --int8 and --calibration together",
    "export lotr_m_68 --int8 --calibration none/*.jpg": "There is none in none/*.jpg",
    "export lotr_m_68 --format litert --float16": "Expected --format onnx for",
    "export lotr_m_68 --output a.tflite --format onnx": ".tflite stands for litert. Received: a.tf",
    "export lotr_m_68 --output a.xml --float16": "Expected --format onnx for --int8 or --float16",
    "export lotr_m_68 --output face": "Expected a path that ends with .onnx for the format onnx.",
    "export lotr_m_68 --output a.bin --format litert": ".bin stands for none. Received: a.bin",
    "export lotr_m_68 --output empty": "Expected a file as --output. empty is a folder",
    "export nope": "Available: lotr_hr_plus_wflw, lotr_m_68",
    "train none.json --data empty": "There is no recipe none.json",
    "train list.json --data empty": "Expected an object, {name: value}, as the recipe list.json",
    "train text.json --data empty": "Expected JSON in text.json",
    "train nope --data empty": "Available: lotr_hr_plus_wflw",
    "train lotr_m_68 --data none": "There is no data set none",
    "train lotr_m_68 --data faces=none": "There is no data set none",
    "train lotr_m_68 --data empty --init nope": "Available: lotr_m_68",
    "train lotr_m_68 --data empty --init a.safetensors": "There is no file of weights a.saf",
    "train lotr_m_68 --data empty --backbone-weights b": "There is no file of weights b",
    "train lotr_m_68 --data empty --backbone-weights none --init lotr_m_68": "not both: the",
    "train lotr_m_68 --data empty --output empty --resume": "There is nothing to resume in",
    "train-detector --photos none --held-out empty --teacher a": "There is no folder or list of",
    "train-detector --photos empty --held-out empty --teacher a": "There is no file of a face det",
    "report table none.json": "There is no none.json",
    "report table text.txt": "Expected JSON in text.txt",
    "report table list.json": "Expected results of `keras-lotr evaluate --output` in list.json",
    "report ced none.json": "There is no none.json",
    "report samples lotr_m_68 --data empty --band 6 --band 5": "Expected rising borders",
    "demo --preset nope": "Available: lotr_m_68",
    "prepare none made": "Expected the folder of a training. There is no none/preset",
    "card none": "There is no preset folder none",
    "publish": "Expected PRESET and hf://org/name",
    "publish none hf://me/none": "There is no preset 'none'",
    "publish lotr_m_68 me/none": "Expected a handle hf://org/name",
    "publish-space none hf://me/none": "README.md",
}
MAKE_THEM = """
import json, sys
from click.testing import CliRunner
from keras_lotr.cli import main
said = {}
for line in json.load(sys.stdin):
    run = CliRunner().invoke(main, line.split())
    said[line] = (run.exit_code, run.stderr, repr(run.exception), "keras" in sys.modules)
print(json.dumps(said))
"""


def in_a_process(*command, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, *map(str, command)],
        **{"capture_output": True, "text": True, "timeout": 600, "env": environment, **options},
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the command says to each of `MISTAKES`."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty").mkdir()
    for name in ("text.txt", "text.json"):
        (folder / name).write_text("text")
    (folder / "list.json").write_text("[1]")
    run = in_a_process("-c", MAKE_THEM, input=json.dumps(list(MISTAKES)), cwd=folder)
    assert run.returncode == 0, run.stderr
    assert sorted(p.name for p in folder.iterdir()) == [
        *("empty", "list.json", "text.json", "text.txt")
    ]
    return json.loads(run.stdout)


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_start_no_backend(line, told):
    exit_code, stderr, exception, keras_started = told[line]
    assert exit_code == 2, exception
    assert MISTAKES[line] in " ".join(stderr.split())
    assert not keras_started


def test_commands_without_a_model_start_no_backend():
    code = """
import sys
from click.testing import CliRunner
from keras_lotr.cli import main
for line in ("--help", "presets", "predict --help", "train --help"):
    assert CliRunner().invoke(main, line.split()).exit_code == 0, line
    assert "keras" not in sys.modules, line
    if "help" in line:
        assert "numpy" not in sys.modules, line
"""
    run = in_a_process("-c", code, cwd=ROOT)
    assert run.returncode == 0, run.stderr


# === A user sees what the command says, and nothing of what backends say ===
COMMAND = "from keras_lotr.cli import main; main(prog_name='keras-lotr')"
EVALUATE = ("evaluate", "lotr_m_68", "--data", "examples/rendered_faces", "--split", "val")


def test_nothing_of_the_backend_is_seen():
    run = in_a_process("-c", COMMAND, *EVALUATE, cwd=ROOT)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("lotr_m_68 on rendered_faces (val, 16 faces")


def test_nothing_of_the_backend_is_seen_in_training(rendered_faces, tmp_path):
    recipe = {"scheme": "ibug68", "epochs": 1, "batch_size": 4, "warmup_steps": 1}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    start = "from keras_lotr.quiet import start_keras; start_keras(to_train=True)"
    code = f"{start}; import tiny; tiny.use_tiny_variant(); {COMMAND}"
    arguments = ("train", "recipe.json", "--data", rendered_faces, "--output", "run")
    run = in_a_process("-c", code, *arguments, cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    *header, epoch, last = run.stdout.splitlines()  # no bar, as this is no terminal
    assert len(header) == 5 and header[0].startswith("Training faces: ")
    assert epoch.startswith("Epoch 1 of 1: loss ") and last == "Best weights: run/preset"


def test_predict_takes_onnxruntime_by_default(tmp_path):
    pytest.importorskip("onnxruntime")
    code = COMMAND.replace("; main(", "; import sys, atexit; atexit.register("
                           "lambda: print('keras' in sys.modules)); main(")  # fmt: skip
    run = in_a_process("-c", code, "predict", "examples/astronaut.jpg", cwd=ROOT)
    assert run.stderr.startswith("keras-lotr: 1 image, 1 face, 0 failed, written to standard out")
    assert run.stderr.count("\n") == 1
    assert run.stdout.splitlines()[-1] == "False"


def test_a_backend_that_is_missing_is_named():
    code = "import sys; sys.modules['jax'] = None; " + COMMAND
    environment = {
        **os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(sys.path)
    }  # fmt: skip
    run = in_a_process("-c", code, *EVALUATE, cwd=ROOT, env=environment)
    assert run.returncode == 2
    assert run.stderr.startswith("keras-lotr: Keras' backend jax is not installed: pip install")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "lotr_m_300w", "--data", ".", "--output", "x.csv"],
        ["report", "table", "x.json", "--output", "x.png"],
        ["report", "losses", "--output", "x.doc"],
        ["video", "a.mp4", "b.webm", "--points", "x.txt"],
    ],
)
def test_files_of_unknown_endings_are_not_written(arguments):
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 2 and f"Received: {arguments[-1]}" in run.output


REAL_ERROR = """
import os
from keras_lotr.quiet import quiet_stderr
with quiet_stderr():
    os.write(2, b"a note\\n")
try:
    with quiet_stderr():
        os.write(2, b"the reason\\n")
        raise RuntimeError
except RuntimeError:
    os.write(2, b"the end\\n")
"""


def test_notes_are_shown_if_they_come_with_an_error():
    run = in_a_process("-c", REAL_ERROR)
    assert run.stderr == "the reason\nthe end\n"


# === Completion by the shell, and numbers ===
def completed(arguments, incomplete):
    from click.shell_completion import ShellComplete

    shell = ShellComplete(main, {}, "keras-lotr", "_KERAS_LOTR_COMPLETE")
    return [(item.value, item.type) for item in shell.get_completions(arguments, incomplete)]


@pytest.mark.parametrize(
    "arguments",
    [["predict"], ["video"], ["predict", "--output"], ["evaluate", "lotr_m_68", "--data"],
     ["train", "recipe.json", "--data"], ["export", "lotr_m_68", "--output"]],
)  # fmt: skip
def test_the_shell_completes_names_of_files(arguments):
    (found,) = completed(arguments, "ph")
    assert found == ("ph", "file")


@pytest.mark.parametrize("arguments", [["export"], ["evaluate"], ["predict", "--preset"]])
def test_the_shell_completes_names_of_presets(arguments):
    found = completed(arguments, "lotr_s_6")
    assert found == [("lotr_s_68", "plain"), ("lotr_s_6", "file")]


@pytest.mark.parametrize(
    "arguments",
    [["predict", "examples/astronaut.jpg", "--min-quality", "nan"],
     ["predict", "examples/astronaut.jpg", "--threshold", "nan"],
     ["report", "ced", "results/rendered_faces.json", "--limit", "nan"],
     ["report", "samples", "lotr_m_68", "--data", "examples/rendered_faces", "--band", "nan"]],
)  # fmt: skip
def test_nan_is_no_limit(arguments):
    run = CliRunner().invoke(main, arguments)
    assert run.exit_code == 2 and "Expected a number. Received: nan" in run.output
