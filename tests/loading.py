"""Scripts as modules, by their path."""

import importlib.util


def load(path):
    """A new module from a Python file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
