"""Benchmarks and tools that no other test runs: what they take from the library is there."""

import ast
import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[1]
PROGRAMS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("tools/*.py")])


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_takes_what_the_library_has(path):
    taken = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "keras_lotr"
        for alias in node.names
    ]
    for module, name in taken:
        found = importlib.import_module(module)
        if not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")  # a module of the package, or an error
