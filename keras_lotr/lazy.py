"""Names of a package that are imported when they are first used (PEP 562)."""

import sys
from importlib import import_module


def lazy_names(package, modules, and_then=None):
    """The functions `__getattr__` and `__dir__` of a package whose names are imported late.

    Args:
        package: its `__name__`.
        modules: {module in the package: names that the package has from it}.
        and_then: called after a module was imported.

    Example:

    >>> __getattr__, __dir__ = lazy_names("keras_lotr", {"losses": ("wing",)})
    >>> "wing" in __dir__()
    True
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name):
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        if and_then is not None:
            and_then()
        return value

    def names():
        return sorted({*vars(sys.modules[package]), *module_of})

    return get, names
