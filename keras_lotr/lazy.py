"""Names of a package that are imported when they are first used (PEP 562)."""

import sys
from importlib import import_module


def lazy_names(package, modules, and_then=None):
    """The functions `__getattr__` and `__dir__` of a package whose names are imported late.

    Args:
        package: its `__name__`.
        modules: {module in the package: names that the package has from it}.
        and_then: called after a module was imported.

    A module that cannot be imported is an ImportError of `from package import name`, and an
    AttributeError of `package.name`.

    Example:

    >>> __getattr__, __dir__ = lazy_names("keras_lotr", {"losses": ("wing",)})
    >>> "wing" in __dir__()
    True
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name):
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(f"{package}.{module_of[name]}"), name)
        except ImportError as error:
            # Python asks for a name before it imports it from a package, and would drop the
            # sentence of an AttributeError, which hasattr, inspect and pydoc expect.
            if sys._getframe(1).f_code.co_name == "_handle_fromlist":
                raise
            raise AttributeError(f"{package}.{name}: {error}") from error
        setattr(sys.modules[package], name, value)
        if and_then is not None:
            and_then()
        return value

    def names():
        return sorted({*vars(sys.modules[package]), *module_of})

    return get, names
