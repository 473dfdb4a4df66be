"""Which presets the demo offers, and what it says about each."""

from keras_lotr.presets.files import (
    METADATA,
    ONNX,
    PREPROCESSOR,
    WEIGHTS,
    local_presets,
    resolve,
)
from keras_lotr.schemes import get_scheme


def choices(engine, own=None):
    """The landmark presets that can be loaded.

    Args:
        engine: "keras" or "onnxruntime".
        own: another one to have among them: a folder, or "hf://org/name[@revision]".

    Returns:
        {name: what it says about itself}.

    Raises:
        ValueError: there is no such preset, or it is a face detector's.
        OSError: the Hub cannot be asked.

    Example:

    >>> choices("onnxruntime")["lotr_m_98"]
    'lotr_m_98 (98 points; research use)'
    """
    needed = WEIGHTS if engine == "keras" else ONNX
    found = {}
    for name, folder in local_presets().items():
        said = _about(name, resolve(folder)) if (folder / needed).is_file() else None
        if said:
            found[name] = said
    if own is not None and own not in found:
        found[own] = _about(own, resolve(own))
        if found[own] is None:
            raise ValueError(
                "Expected a preset of landmarks, whose preprocessor.json says their scheme. "
                f"Received: {own}"
            )
    return found


def _about(name, files):
    """What a preset says about itself; None for one that finds no landmarks."""
    scheme = (files.json_object(PREPROCESSOR) or {}).get("scheme")
    if not scheme:
        return None
    licence = (files.json_object(METADATA) or {}).get("licence", "licence not stated")
    return f"{name} ({get_scheme(scheme).num_landmarks} points; {licence})"
