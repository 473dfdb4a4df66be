"""A kit folder: `images/` and `labels.json`, a list of {"image", "split", "points68", ...}."""

from pathlib import Path

from keras_lotr.datasets.samples import Sample, label_key, read_json


def read(folder, split="train", scheme="ibug68"):
    """Faces of a kit folder that carry landmarks of the scheme, tagged with their `set`."""
    key = label_key(scheme)
    folder = Path(folder)
    entries = read_json(folder / "labels.json")
    if not isinstance(entries, list) or not all("image" in entry for entry in entries):
        raise ValueError(
            f'Expected a list of {{"image": ..., "{key}": ...}} in {folder / "labels.json"}.'
        )
    samples = []
    for number, entry in enumerate(entries):
        if entry.get("split", split) == split and key in entry:
            tags = (entry["set"],) if "set" in entry else ()
            image, origin = folder / "images" / entry["image"], f"labels.json, entry {number}"
            samples.append(Sample(image, entry[key], scheme, tags=tags, origin=origin))
    return samples


def is_here(folder):
    """Whether the folder is a kit."""
    return (Path(folder) / "labels.json").is_file()
