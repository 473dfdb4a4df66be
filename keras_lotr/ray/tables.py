"""What the Parquet files hold: a row for each face, and one for each image without any."""

import hashlib
import io
import json

import numpy as np
import pyarrow.dataset
import pyarrow.parquet
from pyarrow.fs import FileType, LocalFileSystem

from keras_lotr import parquet_table
from keras_lotr.inference.face_columns import CERTAINTY
from keras_lotr.inference.formats import encoded, face_columns, face_rows
from keras_lotr.presets.files import write_file
from keras_lotr.ray.storage import place_of
from keras_lotr.sentences import sentence

_SETTINGS = b"keras_lotr"  # key of a file's metadata: what its faces were found with


def schema_of(scheme, sure, settings):
    """The `pyarrow.Schema` of the files: `face_columns`, and why an image failed.

    Args:
        scheme: name of the landmark scheme.
        sure: whether the model says how sure it is.
        settings: {name: value} of what the faces are found with, for JSON.
    """
    columns = {**face_columns(scheme, CERTAINTY if sure else ()), "error": str}
    return parquet_table.schema_of(columns).with_metadata({_SETTINGS: json.dumps(settings)})


def table_of(found, schema):
    """The `pyarrow.Table` of what was found in images.

    Args:
        found: iterable of ({"source", "faces"} as of `PhotoLandmarks.to_dict`, error or None).
        schema: see `schema_of`.
    """
    rows = []
    for entry, error in found:
        without = [encoded(entry["source"]).decode(), *[None] * (len(schema) - 2), error]
        rows += [*face_rows(entry, schema.names)] or [without]
    return parquet_table.table_of(rows, schema)


def write_table(folder, table):
    """Write a file that is there as a whole or not at all, and a second time replaces itself.

    Args:
        folder: path or URI.
        table: see `table_of`.

    Returns:
        {"images", "faces", "failed"}: numbers of what is in it.
    """
    images = table["image"].unique()
    name = f"faces-{hashlib.blake2b(b''.join(digests(images)), digest_size=16).hexdigest()}.parquet"
    file_system, path = place_of(folder)
    _write(file_system, f"{path}/{name}", table)
    counted = {"faces": table["face"], "failed": table["error"]}
    counts = {key: len(column) - column.null_count for key, column in counted.items()}
    return {"images": len(images), **counts}


def _write(file_system, path, table):
    content = io.BytesIO()
    pyarrow.parquet.write_table(table, content, compression="zstd")
    if isinstance(file_system, LocalFileSystem):
        write_file(path, content.getvalue())
    else:
        with file_system.open_output_stream(path) as file:
            file.write(content.getvalue())


def done_before(folder, schema):
    """The images of the files in a folder, of an earlier run with the same settings.

    Args:
        folder: path or URI; it is made if it is missing.
        schema: see `schema_of`.

    Returns:
        Their `digests`, sorted, and the number of those that failed.

    Raises:
        ValueError: it is a file, or its files have other columns or come from other settings, or
            are no whole Parquet files.
    """
    file_system, path = place_of(folder)
    if file_system.get_file_info(path).type == FileType.File:
        raise ValueError(f"Expected a folder as output. {folder} is a file.")
    file_system.create_dir(path, recursive=True)
    found, failed = [digests([])], 0
    try:
        there = pyarrow.dataset.dataset(path, filesystem=file_system, format="parquet")
        if there.files:
            _check_schema(folder, there.schema, schema)
            for batch in there.to_batches(columns=["image", "error"]):
                found.append(digests(batch["image"].unique()))
                failed += len(batch) - batch["error"].null_count
    except pyarrow.ArrowInvalid as error:
        raise ValueError(
            f"Expected whole Parquet files in {folder}. Move away the one that is not, and its "
            f"images are looked at again: {sentence(error)}"
        ) from None
    return np.unique(np.concatenate(found)), failed


def forget_failed(folder):
    """Take the rows of images that failed out of the files of earlier runs; see `done_before`.

    A run that is stopped afterwards leaves these images without a row, so that the next one looks
    at them.

    Args:
        folder: path or URI.

    Raises:
        OSError: the files cannot be written.
    """
    file_system, path = place_of(folder)
    there = pyarrow.dataset.dataset(path, filesystem=file_system, format="parquet")
    for fragment in there.get_fragments():
        if not fragment.count_rows(filter=pyarrow.dataset.field("error").is_valid()):
            continue
        table = pyarrow.parquet.read_table(fragment.path, filesystem=file_system)
        kept = table.filter(table["error"].is_null())
        if len(kept):
            _write(file_system, fragment.path, kept)
        else:
            file_system.delete_file(fragment.path)


def _check_schema(folder, there, schema):
    before = json.loads((there.metadata or {}).get(_SETTINGS, b"null"))
    if before is None:
        raise ValueError(
            f"Expected a new folder as output, or one of an earlier run. {folder} has Parquet "
            "files of something else."
        )
    now = json.loads(schema.metadata[_SETTINGS])
    other = [
        f"{name} {before.get(name)}, not {now.get(name)}"
        for name in {**now, **before}
        if before.get(name) != now.get(name)
    ]
    if other or there.names != schema.names:
        what = ", ".join(other) or f"{len(there.names)} columns, not {len(schema.names)}"
        raise ValueError(
            f"Expected the settings of the earlier run, whose faces are in {folder}: they were "
            f"found with {what}. Take another folder as output."
        )


def digests(names):
    """16 bytes for each name of an image, (n,) of dtype S16; str, or strings of pyarrow."""
    found = [hashlib.blake2b(encoded(str(name)), digest_size=16).digest() for name in names]
    return np.array(found, "S16")


def are_in(names, known):
    """For each name, whether it is among `known`, sorted digests.

    Example:

    >>> are_in(["a", "b"], np.sort(digests(["b", "c"]))).tolist()
    [False, True]
    """
    wanted = digests(names)
    if not len(known):
        return np.zeros(len(wanted), bool)
    places = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return known[places] == wanted
