"""Tables in Parquet files: results of `keras-lotr predict`, and tables of other programs."""

import csv
import sys

import numpy as np
import pytest
from tiny import largest_file

from keras_lotr import parquet_table
from keras_lotr.csv_table import read_table
from keras_lotr.datasets import read_samples
from keras_lotr.inference import formats
from keras_lotr.inference.saved_boxes import read_boxes
from keras_lotr.inference.saved_results import read_entries

pyarrow = pytest.importorskip("pyarrow", reason="reads and writes Parquet")
from pyarrow import parquet  # noqa: E402

pytestmark = pytest.mark.once

FACE = {"points": [[30.5, 40.0], [50.0, 60.0]], "box": [10.0, 20.0, 90.0, 110.0], "score": 0.5}
FACE["scheme"] = "plain2"


def entries_of(count, faces=1):
    empty = {"width": 200, "height": 150}
    return [{"source": f"{i}.jpg", **empty, "faces": [FACE] * faces} for i in range(count)]


def written(folder, **columns):
    parquet.write_table(pyarrow.table(columns), folder / "table.parquet")
    return folder / "table.parquet"


def test_the_columns_are_those_of_the_csv(tmp_path):
    given = {**FACE, "score": None}
    entries = [*entries_of(1, faces=2), {"source": "b.jpg", "width": 9, "faces": [given]}]
    for kind in ("csv", "parquet"):
        formats.write_entries(tmp_path / f"all.{kind}", kind, entries)
    table = parquet.read_table(tmp_path / "all.parquet")
    with open(tmp_path / "all.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert table.column_names == header
    assert [[str(v) for v in row.values()] for row in table.to_pylist()] == [
        [*row[:2], row[2] or "None", *(str(float(v)) for v in row[3:7]), row[7]]
        + [str(float(v)) for v in row[8:]]
        for row in rows
    ]
    types = dict(zip(table.column_names, map(str, table.schema.types), strict=True))
    assert types.pop("image") == types.pop("scheme") == "string"
    assert types.pop("face") == "int64"
    assert set(types.values()) == {"double"}


def test_pandas_reads_the_same_table(tmp_path):
    pandas = pytest.importorskip("pandas")
    for kind in ("csv", "parquet"):
        formats.write_entries(tmp_path / f"all.{kind}", kind, entries_of(3))
    pandas.testing.assert_frame_equal(
        pandas.read_parquet(tmp_path / "all.parquet"), pandas.read_csv(tmp_path / "all.csv")
    )


def test_no_faces_are_a_table_without_rows(tmp_path):
    formats.write_entries(tmp_path / "all.parquet", "parquet", entries_of(3, faces=0))
    assert parquet.read_table(tmp_path / "all.parquet").num_rows == 0
    assert read_entries(tmp_path / "all.parquet") == []
    assert read_boxes(tmp_path / "all.parquet") == {}


def test_no_more_than_a_row_group_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_table, "GROUP_ROWS", 4)
    held = []

    class Row(list):
        def __del__(self):
            held.remove(id(self))

    def rows():
        for i in range(21):
            row = Row([i])
            held.append(id(row))
            yield row
            del row
            assert len(held) <= 4

    with open(tmp_path / "all.parquet", "wb") as file:
        parquet_table.write_rows(file, {"number": int}, rows())
    metadata = parquet.ParquetFile(tmp_path / "all.parquet").metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [
        *(4, 4, 4, 4, 4, 1)
    ]
    assert parquet_table.read_rows(tmp_path / "all.parquet")[1] == [[str(i)] for i in range(21)]


def test_names_that_are_no_utf8(tmp_path):
    name = "caf\udce9.jpg"
    formats.write_entries(
        tmp_path / "all.parquet", "parquet", [{**entries_of(1)[0], "source": name}]
    )
    assert [entry["source"] for entry in read_entries(tmp_path / "all.parquet")] == [name]
    assert list(read_boxes(tmp_path / "all.parquet")) == [name]


def test_results_are_labels(tmp_path):
    formats.write_entries(tmp_path / "all.parquet", "parquet", entries_of(2))
    with pytest.raises(FileNotFoundError, match="lacks 2 of its image files"):
        read_samples(tmp_path / "all.parquet")
    from keras_lotr.datasets import csv_points

    samples = csv_points.read(tmp_path / "all.parquet")
    np.testing.assert_array_equal(samples[1].points_image, FACE["points"])


class TestTablesOfOthers:
    def test_columns_of_any_type(self, tmp_path):
        path = written(
            tmp_path,
            File_Name=pyarrow.array(["a.jpg", "b.jpg"]).dictionary_encode(),
            Xmin=np.array([1, 2], np.uint8),
            ymin=np.array([1.5, 2], np.float32),
            xmax=[30, 40],
            ymax=[50.0, 60.0],
            more=[[1, 2], None],
        )
        boxes = {name: [face.box.tolist() for face in f] for name, f in read_boxes(path).items()}
        assert boxes == {"a.jpg": [[1, 1.5, 30, 50]], "b.jpg": [[2, 2, 40, 60]]}

    def test_missing_values(self, tmp_path):
        path = written(tmp_path, image=["a.jpg", None], x0=[float("nan"), 2.0], y0=[None, 1])
        assert read_table(path).rows == [(1, ["a.jpg", "", ""]), (2, ["", "2.0", "1"])]

    def test_other_columns(self, tmp_path):
        path = written(tmp_path, image=["a.jpg"], bbox=[[1, 2, 3, 4]])
        with pytest.raises(ValueError, match="Expected the columns image,.*Received: image,bbox"):
            read_boxes(path)
        with pytest.raises(ValueError, match="Expected results of `keras-lotr predict` in"):
            read_entries(path)

    def test_a_value_that_is_no_number(self, tmp_path):
        columns = {name: [1, 2] for name in ("x0", "y0", "x1")}
        path = written(tmp_path, image=["a.jpg"] * 2, **columns, y1=["9", "much"])
        with pytest.raises(ValueError, match="numbers for x0, .*table.parquet, line 2. Received"):
            read_boxes(path)

    @pytest.mark.parametrize("content", [b"", b"PAR1", b"image,x0,y0\n", None])
    def test_broken_files(self, content, tmp_path):
        path = tmp_path / "all.parquet"
        formats.write_entries(path, "parquet", entries_of(50))
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] if content is None else content)
        with pytest.raises(ValueError, match="Expected a Parquet file in .*all.parquet. Received"):
            read_boxes(path)
        path.write_bytes(whole[:40] + b"\xff" * 400 + whole[440:])
        with pytest.raises(ValueError):
            read_entries(path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_is_full_leaves_the_old_table(tmp_path):
    path = tmp_path / "all.parquet"
    formats.write_entries(path, "parquet", entries_of(2))
    old = path.read_bytes()
    full = pytest.raises(OSError, match="all.parquet cannot be written: File too large")
    with largest_file(1000), full:
        formats.write_entries(path, "parquet", entries_of(5000))
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["all.parquet"]


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "all.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for read in (read_boxes, read_entries, read_table):
        with pytest.raises(ImportError, match=r"need pyarrow: pip install 'keras-lotr\[parquet\]'"):
            read(tmp_path / "all.parquet")
