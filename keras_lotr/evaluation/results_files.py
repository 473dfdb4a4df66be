"""The files of `keras-lotr evaluate --output`, and which files may be replaced by results."""

import csv
import io
from pathlib import Path

from keras_lotr.datasets import csv_folder
from keras_lotr.evaluation.tables import read_results
from keras_lotr.inference.formats import write_text
from keras_lotr.presets.files import read_json, write_json
from keras_lotr.writing import check_replaced


def check_results_target(path, data=None):
    """Refuse a `results.json`, or the CSV beside it, that would replace something else.

    Args:
        path: the JSON file.
        data: the data set that is measured, which is never replaced; None: it is not known.

    Raises:
        ValueError: one of the two files is there and is not of `keras-lotr evaluate`, it is the
            data set, or it is a folder.

    Example:

    >>> import tempfile
    >>> labels = Path(tempfile.mkdtemp(), "faces.csv")
    >>> size = labels.write_text("image,x0,y0")
    >>> check_results_target(labels.with_name("new.json"), labels)
    >>> check_results_target(labels.with_name("faces.json"), labels)
    Traceback (most recent call last):
    ValueError: Expected a new file to write, or one of `keras-lotr evaluate`, which is replaced.
    Received: .../faces.csv, which is the data set; name another output
    """
    for target, is_result in (
        (Path(path), _is_results),
        (table_beside(path), csv_folder.is_result),
    ):
        check_replaced(target, is_result, "evaluate", () if data is None else (data,))


def check_certainty_target(path, data):
    """Refuse a file of `report certainty` that would replace something else, likewise.

    Args:
        path: the JSON file.
        data: list of the data sets that are measured.

    Raises:
        ValueError: as of `check_results_target`.
    """
    check_replaced(path, _is_certainty, "report certainty", data)


def _is_results(path):
    try:
        read_results(path)
    except ValueError:
        return False
    return True


def _is_certainty(path):
    try:
        content = read_json(path)
    except ValueError:
        return False
    return isinstance(content, dict) and {"preset", "scheme", "sets", "pose"} <= content.keys()


def table_beside(path):
    """The CSV of the faces, beside the JSON file of results."""
    return Path(path).with_suffix(".csv")


def write_results(results, faces, path):
    """Write `results.json`, and the faces as a CSV of the same name beside it, each file whole.

    Args:
        results, faces: of `evaluate`.
        path: the JSON file; its folder is made if it is missing.

    Raises:
        ValueError: see `check_results_target`.
        OSError: it cannot be written there.
    """
    check_results_target(path)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(faces[0]))
    writer.writeheader()
    writer.writerows(faces)
    write_text(table_beside(path), text.getvalue())
    write_json(path, results)
