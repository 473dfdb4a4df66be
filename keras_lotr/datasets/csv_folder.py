"""Which CSV files of a folder hold faces, told by their names and headers."""

import re
import warnings

from keras_lotr.csv_table import read_header
from keras_lotr.datasets.samples import name_some, split_of

# The table of faces beside the results of `keras-lotr evaluate` begins with these columns.
RESULT_COLUMNS = ("image", "tags", "nme")


def is_result(path):
    """Whether it is the table of faces that `keras-lotr evaluate` writes: errors, no landmarks."""
    try:
        header = read_header(path)
    except ValueError:
        return False
    landmarks = [name for name in header if re.fullmatch(r"[xy]\d+", name)]
    return tuple(header[: len(RESULT_COLUMNS)]) == RESULT_COLUMNS and not landmarks


def files_of(folder):
    """The CSV files of a folder that hold its faces: a single one, or several named by splits.

    Results of `keras-lotr evaluate` do not count. Of several files, one whose name tells no split
    is left out with a warning.

    Args:
        folder: `Path` of the folder.

    Returns:
        Non-empty list of (path, split that its name tells); (path, None) of a single file, whose
        faces serve any split unless a column tells it.

    Raises:
        ValueError: there is none, or there are several and no name tells a split.
    """
    files = [path for path in _tables(folder) if not is_result(path)]
    if len(files) == 1:
        return [(files[0], None)]
    told = [(file, split) for file in files if (split := split_of(file.stem))]
    if not told:
        raise ValueError(
            f"Expected one CSV file in {folder}, or several whose names tell the split, such as "
            f"train.csv and val.csv, or the file itself. Received: {[file.name for file in files]}"
        )
    lost = [file for file in files if split_of(file.stem) is None]
    if lost:
        warnings.warn(
            f"{name_some(lost)} left out: the name tells no split, as those of others do. Read it "
            "alone, or rename it.",
            stacklevel=2,
        )
    return told


def _tables(folder):
    """All tables as text, without what macOS adds to archives (`._x.csv`)."""
    found = {path for ending in ("csv", "CSV", "tsv") for path in folder.glob(f"*.{ending}")}
    return sorted(path for path in found if not path.name.startswith("."))
