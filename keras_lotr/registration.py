"""Our classes are known to Keras as soon as Keras is imported, and Keras is not imported for it.

`keras.saving.load_model` finds a class only where a module that registers it was imported before.
Where a module of ours is what imports Keras, and its backend is missing, that is told in a sentence
here, once for all modules.
"""

import importlib.util
import sys
from contextlib import nullcontext
from importlib import import_module

from keras_lotr.quiet import backend_needed

# The modules that register classes or functions, and import all others that do.
_MODULES = (
    "lotr",
    "losses",
    "metrics",
    "training.mixture",
    "training.optimizers",
    "detector_training.network",
)


def register_with_keras():
    """Import the modules that register with Keras: now, or when somebody imports Keras."""
    if "keras" in sys.modules:
        _import_all()
    elif not any(isinstance(finder, _KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasFinder())


def _import_all():
    for module in _MODULES:
        import_module(f"keras_lotr.{module}")


class _KerasFinder:
    """Waits on `sys.meta_path` for the import of Keras, and leaves when it comes."""

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is not None:
            spec.loader.exec_module = self._executed(spec.loader.exec_module, _importing_ours())
        return spec

    def _executed(self, execute, for_ours):
        def execute_keras(module):
            try:
                with backend_needed() if for_ours else nullcontext():
                    execute(module)
            except BaseException:
                sys.meta_path.insert(0, self)  # waits for the next attempt
                raise
            if not for_ours:
                _import_all()

        return execute_keras


def _importing_ours():
    """Whether a module of ours is what imports Keras; it cannot be imported within itself."""
    return any(
        name.startswith("keras_lotr.") and getattr(module.__spec__, "_initializing", False)
        for name, module in list(sys.modules.items())
        if module is not None
    )
