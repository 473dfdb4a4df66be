"""The container file of the demo, as far as it can be checked without building it."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", "").splitlines()


def values(instruction):
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(f"{instruction} ")]


def test_it_runs_as_nobody_and_tells_its_health():
    last = max(i for i, line in enumerate(LINES) if line.startswith("FROM "))
    users = [line.split()[1] for line in LINES[last:] if line.startswith("USER ")]
    assert users and users[-1].isdigit() and int(users[-1]) > 1000
    assert "127.0.0.1:7860" in values("HEALTHCHECK")[0]
    assert '"--port", "7860"' in values("CMD")[-1]
    assert not values("ADD")


def test_it_writes_only_where_it_may():
    environment = dict(re.findall(r"(\w+)=(\S+)", " ".join(values("ENV"))))
    assert environment["HOME"] == "/tmp"
    assert environment["GRADIO_TEMP_DIR"].startswith("/tmp/")
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_all_that_the_wheel_is_made_of_is_sent():
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    sent = [line[1:] for line in sent if line.startswith("!")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"], "README.md", "LICENSE", "pyproject.toml"]
    assert [path for path in needed if not any(fnmatch(path, pattern) for pattern in sent)] == []
