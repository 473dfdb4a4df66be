"""What the files of `keras_lotr.ray` hold, and which images are named where; no Ray is started."""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.inference.saved_boxes import read_boxes
from keras_lotr.inference.saved_results import read_entries

pytestmark = pytest.mark.once
pytest.importorskip("pyarrow.dataset", reason="writes Parquet")
pytest.importorskip("fsspec", reason="names storages")

from keras_lotr.ray.storage import images_at, is_uri, place_of, read_bytes  # noqa: E402
from keras_lotr.ray.tables import (  # noqa: E402
    are_in,
    digests,
    done_before,
    forget_failed,
    schema_of,
    table_of,
    write_table,
)

FACE = FaceLandmarks([[10, 20], [30, 40]], [10, 20, 30, 40], 0.9, "plain2")
SCHEMA = schema_of("plain2", False, {"preset": "a"})


def written(folder, *names, schema=SCHEMA):
    """A file: of each name no face, one, two, ..., and of the last an error."""
    found = [(PhotoLandmarks(n, [FACE] * i).to_dict(), None) for i, n in enumerate(names[:-1])]
    return write_table(folder, table_of([*found, (no_face(names[-1]), "No.")], schema))


def no_face(name):
    return {"source": name, "faces": []}


def done_in(folder):
    """The names, of one letter, of the images that are done, and how many failed."""
    done, failed = done_before(str(folder), SCHEMA)
    return "".join(letter for letter in "abcdefgh" if digests(letter)[0] in done), failed


def test_what_is_written_is_read(tmp_path):
    assert written(str(tmp_path), "a", "b", "c", "d") == {"images": 4, "faces": 3, "failed": 1}
    (path,) = tmp_path.iterdir()
    assert [(e["source"], len(e["faces"])) for e in read_entries(path)] == [
        ("a", 0), ("b", 1), ("c", 2)
    ]  # fmt: skip
    assert read_entries(path)[1]["faces"][0] == FACE.to_dict()
    assert {name: len(boxes) for name, boxes in read_boxes(path).items()} == {"b": 1, "c": 2}
    assert done_in(tmp_path) == ("abcd", 1)


def test_a_file_that_is_written_again_replaces_itself(tmp_path):
    for _ in range(2):
        written(str(tmp_path), "a", "b")
    written(f"local://{tmp_path}", "a", "c")
    assert len(list(tmp_path.iterdir())) == 2
    assert done_in(f"local://{tmp_path}") == ("abc", 2)


@pytest.mark.parametrize("start", ["", "local://"])
def test_images_that_failed_are_forgotten(start, tmp_path):
    written(str(tmp_path), "a", "b", "c")
    written(str(tmp_path), "d")
    write_table(str(tmp_path), table_of([(no_face("e"), None)], SCHEMA))
    assert done_in(tmp_path) == ("abcde", 2)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    forget_failed(f"{start}{tmp_path}")
    assert done_in(tmp_path) == ("abe", 0)
    assert [kept[path] == path.stat().st_mtime_ns for path in tmp_path.iterdir()].count(True) == 1
    assert len(list(tmp_path.iterdir())) == 2  # of "d" nothing is left


def test_nothing_is_done_in_a_new_folder(tmp_path):
    assert done_in(tmp_path / "new") == ("", 0)
    (tmp_path / "new" / ".123_0a0b0c0d.parquet").write_text("of a run that was killed")
    assert done_in(tmp_path / "new") == ("", 0)


def test_other_settings_and_columns(tmp_path):
    written(str(tmp_path), "a", "b")
    message = "Expected the settings of the earlier run, .* found with "
    with pytest.raises(ValueError, match=message + "preset a, not b. Take another folder"):
        done_before(str(tmp_path), schema_of("plain2", False, {"preset": "b"}))
    with pytest.raises(ValueError, match=message + "flip None, not True"):
        done_before(str(tmp_path), schema_of("plain2", False, {"preset": "a", "flip": "True"}))
    with pytest.raises(ValueError, match=message + "flip True, not None"):
        both = schema_of("plain2", False, {"preset": "a", "flip": "True"})
        written(str(tmp_path / "flipped"), "a", "b", schema=both)
        done_before(str(tmp_path / "flipped"), SCHEMA)
    with pytest.raises(ValueError, match=message + "14 columns, not 16"):
        done_before(str(tmp_path), schema_of("plain3", False, {"preset": "a"}))


def test_a_folder_of_something_else(tmp_path):
    from pyarrow import parquet, table

    parquet.write_table(table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="Expected a new folder as output, or one of an earlier"):
        done_before(str(tmp_path), SCHEMA)
    with pytest.raises(ValueError, match="Expected a folder as output. .*x.parquet is a file"):
        done_before(str(tmp_path / "x.parquet"), SCHEMA)


@pytest.mark.parametrize("name", ["notes.txt", "a.parquet", "z.parquet"])
@pytest.mark.parametrize("size", [4, 40])
def test_a_file_that_is_cut_or_a_stray(name, size, tmp_path):
    written(str(tmp_path), "a", "b")
    (tmp_path / name).write_bytes(b"P" * size)
    message = "Expected whole Parquet files in .*. Move away the one that is not, .*"
    with pytest.raises(ValueError, match=f"{message}{tmp_path / name}") as raised:
        done_before(str(tmp_path), SCHEMA)
    assert "\n" not in str(raised.value)


def test_digests_are_found():
    names = [f"{i}.jpg" for i in range(1000)]
    known = np.sort(digests(names[::2]))
    assert are_in(names, known).tolist() == [True, False] * 500
    assert not are_in(names, digests([])).any() and len(are_in([], known)) == 0


# === Names ===
def make(folder, *names):
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())


def test_images_of_a_storage(tmp_path):
    make(tmp_path, "10.jpg", "9.JPG", "x.txt", "in/a b%20?.png")
    root = f"local://{tmp_path}"
    assert images_at(root) == [f"{root}/9.JPG", f"{root}/10.jpg"]
    assert images_at(f"{root}/", recursive=True)[2] == f"{root}/in/a b%20?.png"
    assert images_at(f"{root}/1*") == [f"{root}/10.jpg"]
    assert images_at(f"{root}/none.jpg") == [f"{root}/none.jpg"]  # reading it tells
    assert read_bytes(f"{root}/in/a b%20?.png") == b"in/a b%20?.png"
    with pytest.raises(ValueError, match="Expected images in .*in/q.*There are none"):
        images_at(f"{root}/in/q*")
    with pytest.raises(FileNotFoundError):
        read_bytes(f"{root}/none.jpg")


def test_images_of_this_machine_have_whole_paths(tmp_path, monkeypatch):
    make(tmp_path, "in/9.jpg", "in/10.jpg")
    monkeypatch.chdir(tmp_path)
    found = [str(tmp_path / "in" / name) for name in ("9.jpg", "10.jpg")]
    assert images_at("in") == images_at(Path("in")) == images_at("in/*.jpg") == found
    assert images_at("https://example.com/a.jpg") == ["https://example.com/a.jpg"]


def test_a_source_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("nowhere", "nowhere/a.jpg", tmp_path / "a.jpg"):
        with pytest.raises(FileNotFoundError, match=f"There is no image or folder {name}"):
            images_at(name)
    Path("list.txt").write_text("a.jpg")
    assert images_at("list.txt") == [str(tmp_path / "a.jpg")]  # one among many: its row tells


def test_places():
    assert place_of("local:///a folder/x.jpg")[1] == "/a folder/x.jpg"
    assert is_uri("s3://bucket/x.jpg") and not is_uri("C:/x.jpg") and not is_uri("data:image/png,x")
    with pytest.raises(ValueError, match="Expected a storage that pyarrow or fsspec knows. .*foo:"):
        place_of("foo://a/b")


def test_settings_are_json():
    assert json.loads(SCHEMA.metadata[b"keras_lotr"]) == {"preset": "a"}
