"""Benchmarks and tools that no other test runs: what they take from others is there."""

import ast
import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[1]
PROGRAMS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("tools/*.py")])
FILES = {path.stem: path for path in PROGRAMS}


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def taken(path):
    """[(module, name)] of all `from module import name`."""
    return [
        (node.module, alias.name)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]


def defined(path):
    """Names of a module's first level: functions, classes, constants and what it imports."""
    names = set()
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        else:
            stored = (n for n in ast.walk(node) if isinstance(n, ast.Name))
            names |= {n.id for n in stored if isinstance(n.ctx, ast.Store)}
    return names


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_takes_what_the_library_has(path):
    for module, name in taken(path):
        if module.split(".")[0] == "keras_lotr":
            found = importlib.import_module(module)
            if not hasattr(found, name):
                importlib.import_module(f"{module}.{name}")  # a module of the package, or an error


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_takes_what_other_programs_have(path):
    for module, name in taken(path):
        if module in FILES:
            assert name in defined(FILES[module]), f"from {module} import {name}"


def test_names_of_a_program():
    assert ("video_metrics", "nme") in taken(FILES["video"])
    assert {"matched", "_NEAR", "np", "get_scheme"} <= defined(FILES["video_metrics"])
    assert "nothing" not in defined(FILES["video_metrics"])
