"""`keras-lotr presets`: what the local presets are, without Keras."""

from keras_lotr.presets.files import CONFIG, METADATA, PIN, WEIGHTS, local_presets, resolve

_HEAD = ("name", "points", "weights", "NME %", "licence", "data")


def preset_table():
    """A line for each local preset: name, landmarks, size, NME, licence, data.

    Example:

    >>> print(preset_table().splitlines()[0])
    name                  points    weights   NME %                     licence       data
    """
    rows = [_HEAD, *(_row(name, folder) for name, folder in sorted(local_presets().items()))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(name, folder):
    files = resolve(folder)
    facts, config = files.json_object(METADATA) or {}, files.json(CONFIG)
    weights = folder / WEIGHTS
    size = f"{weights.stat().st_size / 1e6:.1f} MB" if weights.exists() else "none yet"
    if not weights.exists() and files.json(PIN):
        size = "Hub"
    settings = config.get("config") if isinstance(config, dict) else None
    points = str(settings.get("num_landmarks", "5, boxes")) if isinstance(settings, dict) else "-"
    nme = f"{facts['nme']:.2f} ({facts['nme_on']})" if "nme_on" in facts else "-"
    return name, points, size, nme, facts.get("licence", "-"), facts.get("trained_on", "-")
