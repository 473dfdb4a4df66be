"""Damaged label files of every reader of data sets."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import written_faces

from fuzz.mutations import damaged, odd_json
from keras_lotr.datasets import read_samples
from keras_lotr.parquet_table import write_rows

DOCUMENTED = (ValueError, FileNotFoundError)
MEGABYTES = 100
_WRITERS = ("kit", "shards", "wflw", "jd", "300w", "roboflow", "csv")


@contextmanager
def prepared():
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name in _WRITERS:
            getattr(written_faces, f"write_{name}")(Path(folder, name))
            files += [(Path(folder, name), path) for path in _labels(Path(folder, name))]
        files.append(_parquet(Path(folder, "parquet")))

        def make(rng):
            place, path = files[rng.integers(len(files))]
            whole = path.read_bytes()
            is_json = path.suffix == ".json" and rng.integers(2)
            text = whole.decode("utf-8-sig") if is_json else None
            path_content = odd_json(text, rng) if is_json else damaged(whole, rng)
            split = ("train", "val", "test")[rng.integers(3)]

            def call():
                path.write_bytes(path_content)
                try:
                    samples = read_samples(place, split)
                    assert all(np.isfinite(sample.box).all() for sample in samples)
                finally:
                    path.write_bytes(whole)

            return call

        yield make


def _labels(folder):
    kinds = (".json", ".txt", ".pts", ".csv", ".npz")
    return sorted(path for path in folder.rglob("*") if path.suffix in kinds)


def _parquet(folder):
    folder.mkdir()
    written_faces.make_image(folder / "a.jpg")
    columns = {"image": str, **dict.fromkeys(("x0", "y0", "x1", "y1"), float)}
    with open(folder / "faces.parquet", "wb") as file:
        write_rows(file, columns, [["a.jpg", 1.5, 2.0, 30.0, 40.0]])
    return folder / "faces.parquet", folder / "faces.parquet"
