"""Which CSV files of a folder hold faces, told by their names and headers."""

import re

from keras_lotr.csv_table import read_text

# The table of faces beside the results of `keras-lotr evaluate` begins with these columns.
RESULT_COLUMNS = ("image", "tags", "nme")


def header_of(path):
    """The names in the header of a CSV file, in lower case, whatever sets them apart.

    Raises:
        ValueError: it is no text.
    """
    text = re.sub(r"\A(?:(?:sep=.|#.*)?\r?\n)+", "", read_text(path))
    first = text.lstrip().partition("\n")[0].lower()
    return [name.strip(" \"'\r") for name in re.split("[,;\t|]", first)]


def is_result(path):
    """Whether it is the table of faces that `keras-lotr evaluate` writes: errors, no landmarks."""
    try:
        header = header_of(path)
    except ValueError:
        return False
    landmarks = [name for name in header if re.fullmatch(r"[xy]\d+", name)]
    return tuple(header[: len(RESULT_COLUMNS)]) == RESULT_COLUMNS and not landmarks
