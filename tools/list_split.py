"""The photos of one split of a kit folder, by the names that their data sets gave them.

    python tools/list_split.py FOLDER val > docs/300w_val.txt

FOLDER/labels.json is a list of faces; `set` is the data set that a face is from, and `source` ends
with the name that its photo has there.
"""

import json
from pathlib import Path, PurePosixPath

import click


def photos(folder, split):
    """Lines "set file" of the photos of a split, in the order of the data sets' names.

    Raises:
        ValueError: the labels do not say where a face of the split is from.
    """
    labels = json.loads((Path(folder) / "labels.json").read_text(encoding="utf-8"))
    lines = set()
    for entry in labels:
        if entry.get("split") == split:
            if not {"set", "source"} <= entry.keys():
                raise ValueError(f"Expected set and source of {entry['image']} in {folder}.")
            lines.add(f"{entry['set']} {PurePosixPath(entry['source']).name}")
    return sorted(lines)


@click.command(help=__doc__)
@click.argument("folder", type=Path)
@click.argument("split", type=click.Choice(["train", "val", "test"]))
def main(folder, split):
    print("\n".join(photos(folder, split)))


if __name__ == "__main__":
    main()
