"""Training on several devices: the curve of one device, one writer, exact resume."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import device_runs
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from device_runs import RUN, both_runs, history_of
from safetensors.numpy import load_file
from tiny import assert_same_weights

from keras_lotr.cli import main
from keras_lotr.presets.preset import RECIPE, WEIGHTS
from keras_lotr.training import devices
from keras_lotr.training.devices import chosen_devices, spread_over_devices, train_on_devices
from keras_lotr.training.run_files import CHECKPOINT
from keras_lotr.training.torch_processes import run_in_processes

BACKEND = keras.backend.backend()
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="of JAX: devices of one process")
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch: a process for each device")
pytestmark = pytest.mark.usefixtures("tiny_variant")
CPUS = ["cpu:0", "cpu:1"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return device_runs.faces(tmp_path_factory.mktemp("faces") / "kit")


@pytest.fixture(scope="module")
def on_one(faces, tmp_path_factory, tiny_variant):
    """Both runs on one device, and what callbacks saw."""
    folder = tmp_path_factory.mktemp("one")
    return folder, both_runs(faces, folder)


@pytest.fixture(scope="module")
def on_two(faces, tmp_path_factory):
    """Both runs in two processes of PyTorch, and what callbacks saw in the first."""
    folder = tmp_path_factory.mktemp("two")
    return folder, run_in_processes(CPUS, both_runs, faces, folder)


def assert_same_run(out, whole):
    """Bit by bit."""
    assert history_of(out) == history_of(whole)
    for name in (CHECKPOINT, f"preset/{WEIGHTS}"):
        assert_same_weights(load_file(out / name), load_file(whole / name))


# === PyTorch ===
@on_torch
def test_two_processes_have_the_curve_of_one(on_one, on_two):
    np.testing.assert_allclose(
        history_of(on_two[0] / "plain"), history_of(on_one[0] / "plain"), 1e-4
    )
    for logs, of_one in zip(on_two[1], on_one[1], strict=True):
        assert logs == pytest.approx(of_one, rel=1e-4)


@on_torch
def test_two_processes_in_mixed_precision(on_one, on_two):
    one, two = (history_of(folder / "mixed") for folder, _ in (on_one, on_two))
    np.testing.assert_allclose(two, one, 0.02)  # bfloat16 has three digits
    assert two != history_of(on_two[0] / "plain")[:1]


@on_torch
def test_four_processes_of_torchrun_have_the_curve_of_one(faces, on_one, tmp_path):
    program = Path(__file__).with_name("torchrun_training.py")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node", "4", program, faces, tmp_path / "four"]
    subprocess.run([*map(str, command)], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    np.testing.assert_allclose(history_of(tmp_path / "four"), history_of(on_one[0] / "plain"), 1e-4)


@on_torch
def test_the_first_process_writes_all_files(on_one, on_two):
    one, two = (sorted(p.name for p in (f / "plain").rglob("*")) for f, _ in (on_one, on_two))
    assert two == one
    recipe = json.loads((on_two[0] / "plain" / RECIPE).read_text())
    assert recipe == asdict(RUN)


@on_torch
def test_a_killed_process_ends_all_and_the_run_goes_on(faces, on_two, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_devices", lambda: CPUS)
    monkeypatch.setattr(devices, "train", device_runs.train_killed)
    out = tmp_path / "run"
    sentence = r"process of cpu:1 was killed \(SIGKILL\).*last whole epoch \(--resume\)"
    with pytest.raises(ChildProcessError, match=sentence):
        train_on_devices(2, RUN, [faces], out)
    assert history_of(out) == history_of(on_two[0] / "plain")[:1]
    alone = shutil.copytree(out, tmp_path / "alone")
    device_runs.train_tiny(RUN, [faces], alone, resume=True)
    np.testing.assert_allclose(history_of(alone), history_of(on_two[0] / "plain"), 1e-4)
    monkeypatch.setattr(devices, "train", device_runs.train_tiny)
    arguments = ["train", out / RECIPE, "--data", faces, "--out", out, "--devices", 2, "--resume"]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    assert done.output == f"Devices: cpu:0, cpu:1\nBest weights: {out / 'preset'}\n"
    assert_same_run(out, on_two[0] / "plain")


def is_running(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@on_torch
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_processes_end_with_the_command(tmp_path):
    command = [sys.executable, device_runs.__file__, "to_be_killed", tmp_path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.1)
        process.kill()
    pids = [path.name for path in tmp_path.iterdir()]
    until = time.monotonic() + 60
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(pids) == 2 and not any(map(is_running, pids))


@on_torch
def test_an_error_in_a_process_is_the_one_that_is_raised(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no .*nowhere"):
        run_in_processes(CPUS[:1], device_runs.train_tiny, RUN, [tmp_path / "nowhere"], tmp_path)


@on_torch
def test_what_cannot_be_sent_to_processes():
    with pytest.raises(ValueError, match="callbacks and settings that can be sent"):
        run_in_processes(CPUS, print, lambda: 0)


# === JAX ===
@pytest.fixture(scope="module")
def jax_folder(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jax")
    flags = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, device_runs.__file__, "jax_runs", faces, folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@on_jax
@pytest.mark.parametrize("count", [2, 4])
def test_devices_of_jax_have_the_curve_of_one(jax_folder, count):
    one, several = (history_of(jax_folder / str(c)) for c in (1, count))
    np.testing.assert_allclose(several, one, 1e-4)


@on_jax
def test_devices_of_jax_in_mixed_precision(jax_folder):
    one, two = (history_of(jax_folder / f"mixed {count}") for count in (1, 2))
    np.testing.assert_allclose(two, one, 0.02)


@on_jax
def test_resume_on_jax(jax_folder):
    assert_same_run(jax_folder / "begun", jax_folder / "2")


@on_jax
def test_resume_on_other_devices_of_jax(jax_folder):
    one, moved = (jax_folder / name for name in ("1", "moved"))
    np.testing.assert_allclose(history_of(moved), history_of(one), 1e-4)
    shapes = [{k: v.shape for k, v in load_file(f / CHECKPOINT).items()} for f in (one, moved)]
    assert shapes[0] == shapes[1]


# === Bad input ===
def run_with(devices, faces, out, batch_size=4):
    recipe = out.with_name("recipe.json")
    recipe.write_text(json.dumps(asdict(replace(RUN, batch_size=batch_size))))
    arguments = ["train", recipe, "--data", faces, "--out", out, "--devices", devices]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 2 and not out.exists()
    return done.output


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", ""])
def test_what_is_no_number_of_devices(number, faces, tmp_path):
    output = run_with(number, faces, tmp_path / "run")
    assert "Expected a number of at least 1, or all" in output


@pytest.mark.skipif(BACKEND == "tensorflow", reason="has one device only")
@pytest.mark.parametrize(
    ("number", "batch_size", "sentence"),
    [
        (9, 9, "from 1 to 4, which this machine has (a:0, a:1, a:2, a:3), or all. Received: 9"),
        (3, 4, "a batch that 3 devices can share equally. Received: batch_size 4"),
        ("all", 2, "a batch that 4 devices can share equally. Received: batch_size 2"),
    ],
)
def test_devices_that_cannot_train(number, batch_size, sentence, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_devices", lambda: ["a:0", "a:1", "a:2", "a:3"])
    output = run_with(number, faces, tmp_path / "run", batch_size)
    assert sentence in output and len(output.splitlines()) == 1


@pytest.mark.skipif(BACKEND != "tensorflow", reason="others can")
def test_tensorflow_trains_on_one_device(faces, tmp_path):
    output = run_with(2, faces, tmp_path / "run")
    assert "Expected the JAX or PyTorch backend to train on several devices" in output
    assert len(chosen_devices(1, 4)) == 1


@pytest.mark.skipif(BACKEND == "jax", reason="can")
def test_keras_splits_batches_on_jax_only():
    with pytest.raises(ValueError, match="Expected the JAX backend to split the batches of one"):
        spread_over_devices(4)


def test_devices_of_this_machine():
    assert chosen_devices(1, 3) == devices._devices()[:1]
