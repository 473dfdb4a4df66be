"""Commits that add weights say so (tools/check_weights.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

TOOL = Path(__file__).parents[1] / "tools" / "check_weights.py"
IDENTITY = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(tmp_path):
    """Commits a file of so many bytes: `repository(name, size, message)`; gives the exit code."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    def commit(name, size, message):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size) + message.encode())
        subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
        command = ["git", *IDENTITY, "commit", "-q", "-m", message]
        subprocess.run(command, cwd=tmp_path, check=True)
        command = [sys.executable, TOOL]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    commit("old.safetensors", 2_000_000, "before the rule")
    assert commit("tools/check_weights.py", 10, "the rule").returncode == 0
    return commit


def test_weights_without_a_word(repository):
    assert repository("small.onnx", 900_000, "Add a small one").returncode == 0
    assert repository("photo.jpg", 2_000_000, "Add a photo").returncode == 0
    done = repository("a.safetensors", 1_200_000, "Train on")
    assert done.returncode == 1 and "adds 1.2 MB of weights" in done.stdout


def test_moved_weights(repository, tmp_path):
    assert repository("b.safetensors", 1_200_000, "weights: b").returncode == 0
    (tmp_path / "b.safetensors").rename(tmp_path / "c.safetensors")
    assert repository("note.txt", 1, "Give b another name").returncode == 0


def test_weights_with_a_word(repository):
    message = "Train on\n\nweights: lotr_m_68, 3.4 instead of 3.6 %"
    assert repository("a.safetensors", 1_200_000, message).returncode == 0
