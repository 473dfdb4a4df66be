"""The documents say what the files say."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["README.md", "MODEL_CARD.md", "docs/training.md"])
def test_tables_are_those_of_the_files(name):
    tables = load(ROOT / "docs" / "make_tables.py")
    assert name in tables.PAGES
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == tables.fill(text, tables.tables())


def test_speeds_are_those_measured():
    told = list(load(ROOT / "docs" / "make_tables.py").speeds())
    assert ROOT / "presets" / "lotr_m_300w" in [folder for folder, _ in told]
    for folder, facts in told:
        assert facts == json.loads((folder / "metadata.json").read_text(encoding="utf-8"))


PAGES = ["README.md", "ARCHITECTURE.md", "MODEL_CARD.md", "docs/hub.md", "docs/training.md"]


@pytest.mark.parametrize("name", [*PAGES, "docs/fine_tuning.md", "examples/README.md"])
def test_linked_files_are_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert not [link for link in links if not ((ROOT / name).parent / link).exists()]


def test_architecture_names_every_module():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    modules = [p.stem for p in (ROOT / "keras_lotr").glob("*.py") if p.stem != "__init__"]
    assert not [name for name in modules if name not in text]


def test_ci_runs_the_readme_test_command():
    assert "&& pytest" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
