"""Boxes and results in files: our own and those of other programs."""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_lotr.cli.boxes_file import boxes_of_images
from keras_lotr.inference import formats
from keras_lotr.inference.saved_boxes import read_boxes
from keras_lotr.inference.saved_results import read_entries

pytestmark = pytest.mark.once

FACE = {"points": [[30.5, 40], [50, 60]], "box": [10, 20, 90, 110], "score": 0.5}
FACE["scheme"] = "plain2"
ENTRIES = [
    {"source": "a.jpg", "width": 200, "height": 150, "faces": [FACE, {**FACE, "score": None}]},
    {"source": "b.jpg", "width": 20, "height": 15, "faces": []},
]
BOX = [10.0, 20.0, 90.0, 110.0]


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def corners(path):
    """{image: list of [x0, y0, x1, y1]} of upright faces without scores."""
    found = read_boxes(path)
    assert all((face.score, face.degrees) == (None, 0) for here in found.values() for face in here)
    return {name: [face.box.tolist() for face in here] for name, here in found.items()}


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "coco"])
def test_what_we_write_we_read(kind, tmp_path):
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="reads and writes Parquet")
    path = tmp_path / f"all.{'json' if kind == 'coco' else kind}"
    formats.write_entries(path, kind, ENTRIES)
    boxes = corners(path)
    assert boxes["a.jpg"] == [BOX, BOX]
    assert boxes.get("b.jpg", []) == []
    entries = read_entries(path)
    if kind in ("csv", "parquet"):  # which know of faces only
        assert [entry["faces"] for entry in entries] == [ENTRIES[0]["faces"]]
    else:
        assert entries == ENTRIES


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "coco"])
def test_a_face_stays_turned(kind, tmp_path):
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="reads and writes Parquet")
    path = tmp_path / f"all.{'json' if kind == 'coco' else kind}"
    entries = [{**ENTRIES[0], "faces": [{**ENTRIES[0]["faces"][0], "degrees": 90.0}]}]
    formats.write_entries(path, kind, entries)
    ((face,),) = read_boxes(path).values()
    assert (face.degrees, face.score, face.box.tolist()) == (90, None, BOX)
    ((face,),) = (entry["faces"] for entry in read_entries(path))
    assert face["degrees"] == 90


def test_one_line_of_json_lines(tmp_path):
    formats.write_entries(tmp_path / "a.jsonl", "jsonl", ENTRIES[:1])
    assert corners(tmp_path / "a.jsonl") == {"a.jpg": [BOX, BOX]}
    assert read_entries(tmp_path / "a.jsonl") == ENTRIES[:1]


YUNET = [100, 50, 80, 100, *range(10), 0.9]


@pytest.mark.parametrize(
    "content",
    [
        {"a.jpg": [BOX]},
        [{"image": "a.jpg", "box": BOX}],
        [{"image_id": "a.jpg", "bbox": [10, 20, 80, 90], "score": 0.9, "category_id": 1}],
        {
            "images": [{"id": 7, "file_name": "a.jpg"}],
            "annotations": [{"id": 1, "image_id": 7, "bbox": [10, 20, 80, 90]}],
        },
    ],
)
def test_json_of_others(content, tmp_path):
    assert corners(written(tmp_path, "boxes.json", content)) == {"a.jpg": [BOX]}


@pytest.mark.parametrize(
    "text",
    [
        "image,x0,y0,x1,y1\na.jpg,10,20,90,110\n",
        "image,x1,y1,x2,y2,score\na.jpg,10,20,90,110,0.5\n",
        "filename;xmin;ymin;xmax;ymax\na.jpg;10,0;20;90;110\n",
        "File\tLeft\tTop\tRight\tBottom\na.jpg\t10\t20\t90\t110\n",
        '"image_id","x","y","w","h"\n"a.jpg",10,20,80,90\n',
        "file_name,x,y,width,height\r\na.jpg,10,20,80,90\r\n",
        "image_id,x_1,y_1,width,height\na.jpg,10,20,80,90\n",
        # Landmarks beside the box: x0 and y0 are the first of them.
        "image,face,score,box_x0,box_y0,box_x1,box_y1,scheme,x0,y0\na.jpg,0,1,10,20,90,110,plain1,1,2\n",
    ],
)
def test_names_of_columns_decide(text, tmp_path):
    assert corners(written(tmp_path, "boxes.csv", text)) == {"a.jpg": [BOX]}


def test_rows_of_yunet_are_boxes_with_the_forehead(tmp_path):
    ((box,),) = corners(written(tmp_path, "boxes.json", {"a.jpg": [YUNET]})).values()
    np.testing.assert_allclose(box, [99.2, 75, 180.8, 150.7], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("b.json", "hello", "Expecting value"),
        ("b.json", [{"bbox": [1, 2, 3, 4], "image_id": 5}], "the image 5, which is no name"),
        ("b.json", {"a.jpg": [[1, 2, 3]]}, "a box of 3 numbers"),
        (
            "b.json",
            {"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}]},
            "no 'image_id",
        ),
        ("b.csv", "image,x,y\na.jpg,1,2\n", "Expected the columns image,x0,y0,x1,y1 or"),
        (
            "b.csv",
            "image,x,y,w,h\na.jpg,1,2,3,4\na.jpg,1,2,x,4\n",
            "csv, line 3. Received: a",
        ),
        ("b.csv", "image,x,y,w,h\na.jpg,1,2,3\n", "Expected 5 fields, .*b.csv, line 2"),
    ],
)
def test_refused_with_the_place_and_the_reason(name, content, reason, tmp_path):
    with pytest.raises(ValueError, match=rf"b\.(json|csv).*{reason}|{reason}"):
        read_boxes(written(tmp_path, name, content))
    with pytest.raises(ValueError, match="Expected results of `keras-lotr predict` in"):
        read_entries(written(tmp_path, name, content))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of boxes"):
        read_boxes(tmp_path / "none.json")


def test_paths_of_another_machine():
    found = boxes_of_images(["here/a.jpg", "b.jpg"], {r"C:\photos\a.jpg": [BOX], "x/b.jpg": [BOX]})
    assert found == {"here/a.jpg": [BOX], "b.jpg": [BOX]}
    two = {"x/a.jpg": [BOX], "y/a.jpg": []}
    assert boxes_of_images(["here/a.jpg"], two) == {}


def test_boxes_of_another_image_of_the_same_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("x", "y"):
        Path(folder).mkdir()
        Path(folder, "a.jpg").touch()
    both = ["x/a.jpg", "y/a.jpg"]
    for name in ("x/a.jpg", str(tmp_path / "x" / "a.jpg")):
        assert boxes_of_images(both, {name: [BOX]}) == {"x/a.jpg": [BOX]}
        assert boxes_of_images(both[1:], {name: [BOX]}) == {}
    for name in ("a.jpg", "/data/a.jpg"):  # which of the two?
        assert boxes_of_images(both, {name: [BOX]}) == {}
        assert boxes_of_images(both[:1], {name: [BOX]}) == {"x/a.jpg": [BOX]}
    assert boxes_of_images([*both, "b.jpg"], {"b.jpg": [BOX]}) == {"b.jpg": [BOX]}


@pytest.mark.parametrize(
    "header",
    ["image,x0,y0,x1,y1,x2,y2", "image,x1,y1,x2,y2,x3,y3", "image,x0,y0,x1,y1,x2,y2,x3,y3"],
)
def test_landmarks_are_no_box(header, tmp_path):
    row = ",".join(["a.jpg", *map(str, range(10, 9 + len(header.split(","))))])
    with pytest.raises(ValueError, match="boxes.csv; .* are landmarks and no box. Received: image"):
        read_boxes(written(tmp_path, "boxes.csv", f"{header}\n{row}\n"))


@pytest.mark.parametrize("columns", ["x,y,w,h", "left,top,width,height"])
def test_a_box_beside_landmarks(columns, tmp_path):
    text = f"image,x0,y0,x1,y1,x2,y2,{columns}\na.jpg,1,2,3,4,5,6,10,20,30,40\n"
    assert corners(written(tmp_path, "boxes.csv", text)) == {"a.jpg": [[10, 20, 40, 60]]}
