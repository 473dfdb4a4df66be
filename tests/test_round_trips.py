"""What is written is read again, whatever the numbers and names are."""

import csv
import importlib.util
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from keras_lotr.csv_table import read_table
from keras_lotr.datasets import coco, csv_points, ibug, labels_json
from keras_lotr.images.sources import bytes_of_name
from keras_lotr.inference import formats
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.inference.saved_boxes import read_boxes
from keras_lotr.inference.saved_results import read_entries
from keras_lotr.schemes import get_scheme

pytest.importorskip("hypothesis", reason="makes the numbers and names")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.once
settings.register_profile(
    "ours", deadline=None, max_examples=60, suppress_health_check=list(HealthCheck)
)
settings.load_profile("ours")

NUMBERS = st.floats(-1e4, 1e4).map(lambda value: round(value, 3))
SCHEMES = st.sampled_from(["ibug68", "wflw98", "plain1", "plain2", "plain5", "jd106"])
# Everything but separators of folders, and bytes that are no UTF-8 as Python has them in names.
LETTERS = st.one_of(
    st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]),
    st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]),
)
NAMES = st.text(LETTERS, min_size=1, max_size=12).map(lambda name: f"{name}.jpg")


@st.composite
def faces(draw, scheme, least=0, most=3):
    count = get_scheme(scheme).num_landmarks
    found = []
    for _ in range(draw(st.integers(least, most))):
        points = draw(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=count, max_size=count))
        x, y, w, h = draw(st.tuples(NUMBERS, NUMBERS, st.floats(1, 1e3), st.floats(1, 1e3)))
        box = [x, y, round(x + w, 3), round(y + h, 3)]
        score = draw(st.none() | st.floats(0, 1).map(lambda value: round(value, 4)))
        points = [list(point) for point in points]
        found.append({"points": points, "box": box, "score": score, "scheme": scheme})
    return found


@st.composite
def entries(draw, names=NAMES):
    scheme = draw(SCHEMES)
    return [
        {"source": name, "width": 640, "height": 480, "faces": draw(faces(scheme))}
        for name in draw(st.lists(names, min_size=1, max_size=4, unique=True))
    ]


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def near(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-6)


# The tables: they know of faces only.
TABLES = ["csv", *["parquet"] * bool(importlib.util.find_spec("pyarrow"))]


@given(content=entries(), kind=st.sampled_from(["json", "jsonl", "coco", *TABLES]))
def test_results(content, kind, folder):
    path = folder / f"all.{'json' if kind == 'coco' else kind}"
    formats.write_entries(path, kind, content)
    expected = content if kind not in TABLES else [entry for entry in content if entry["faces"]]
    found, boxes = read_entries(path), read_boxes(path)
    assert [e["source"] for e in found] == [e["source"] for e in expected]
    for entry, here in zip(expected, found, strict=True):
        for face, again in zip(entry["faces"], here["faces"], strict=True):
            near(again["points"], face["points"])
            near(again["box"], face["box"])
            assert (again["score"], again["scheme"]) == (face["score"], face["scheme"])
        given = [face.box for face in boxes[entry["source"]]]
        near(given, [face["box"] for face in entry["faces"]])


def with_labels(content):
    """Entries whose faces can be labels: two landmarks apart, none at (-1, -1), which is a gap."""
    for entry in content:
        entry["faces"] = [
            face
            for face in entry["faces"]
            if len(face["points"]) > 1
            and (np.ptp(face["points"], axis=0) > 0.1).all()
            and not (np.array(face["points"]) == -1).all(-1).any()
        ]
    return [(e["source"], face) for e in content for face in e["faces"]]


@given(content=entries(), kind=st.sampled_from(["coco", *TABLES]))
def test_results_as_labels(content, kind, folder):
    expected = with_labels(content)
    path = folder / ("labels.json" if kind == "coco" else f"labels.{kind}")
    formats.write_entries(path, kind, content)
    if kind in TABLES and not expected:
        return  # no landmarks, no columns
    found = (coco if kind == "coco" else csv_points).read(path)
    unique = {(name, np.float32(face["points"]).tobytes()): face for name, face in expected}
    if kind in TABLES:
        assert len(found) == len(expected)
    else:  # a face twice is once in a data set
        expected = [(name, face) for (name, _), face in unique.items()]
    for sample, (name, face) in zip(found, expected, strict=True):
        assert sample.path == str(folder / name)
        near(sample.points_image, face["points"])


@given(content=st.sampled_from(["ibug68", "wflw98"]).flatmap(lambda s: faces(s, 1, 1)))
def test_pts(content, folder):
    if not with_labels([{"source": "a.jpg", "faces": content}]):
        return  # no box
    place = folder / "pts"
    place.mkdir(exist_ok=True)
    (place / "a.pts").write_text(formats.to_pts(content[0]))
    (sample,) = ibug.read(place)
    near(sample.points_image, content[0]["points"])


@given(
    st.data(),
    st.sampled_from(["ibug68", "wflw98", "jd106"]),
    st.sampled_from(["train", "val", "test"]),
)
def test_labels_json(folder, data, scheme, split):
    key = f"points{get_scheme(scheme).num_landmarks}"
    content = [{"source": "a.jpg", "faces": data.draw(faces(scheme))}]
    expected = with_labels(content)
    gaps = data.draw(st.lists(st.integers(0, 60), max_size=5, unique=True))
    labels = []
    for name, face in expected:
        points = [None if i in gaps else point for i, point in enumerate(face["points"])]
        labels.append({"image": name, "split": split, key: points})
    (folder / "labels.json").write_text(json.dumps(labels))
    samples = labels_json.read(folder, split, scheme)
    assert len(samples) == len(expected)
    for sample, (_, face) in zip(samples, expected, strict=True):
        points = np.array(face["points"])
        points[gaps] = np.nan
        near(sample.points_image, points)


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)


@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_tables(rows, separator, quoting, newline, encoding, folder):
    header = ["Image", "x0", "y0"]
    with open(folder / "table.csv", "w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=newline)
        writer.writerows([header, *rows])
    table = read_table(folder / "table.csv")
    assert table.header == ["image", "x0", "y0"]
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    found = [[cell.replace(",", ".").lstrip() for cell in row] for _, row in table.rows]
    assert found == [[cell.replace(",", ".").lstrip() for cell in row] for row in kept]


@given(text=st.text(max_size=40) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_no_label_file_ends_with_a_traceback(text, folder):
    """Any text is read or refused in a sentence, by every reader."""
    for name, reader in (("x.csv", csv_points), ("x.json", coco), ("labels.json", labels_json)):
        path = folder / name
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        for read in (reader.read, read_boxes):
            try:
                read(folder if read is labels_json.read else path)
            except (ValueError, OSError) as error:
                assert str(error)
    (folder / "x.csv").write_text(f"image,x0,y0,x1,y1\n{text}\n", errors="surrogatepass")
    try:
        csv_points.read(folder / "x.csv")
    except ValueError as error:
        assert "x.csv" in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["images", "annotations", "id", "image_id", "file_name", "keypoints", "bbox"]
                + ["image", "points68", "faces", "box", "source", "categories", "split", "tags"]
                + ["set", "doubt68", "seen68", "points", "scheme", "sigma", "score"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(content=JSON)
def test_no_json_ends_with_a_traceback(content, folder):
    path = folder / "labels.json"
    path.write_text(json.dumps(content))
    readers = (read_boxes, read_entries, coco.read, lambda p: labels_json.read(p.parent))
    for read in (*readers, lambda p: FaceLandmarks.from_dict(content)):
        try:
            read(path)
        except (ValueError, OSError) as error:
            assert len(str(error)) < 1000


@given(name=st.text(max_size=30) | st.text("abc:/%.~+ \0", max_size=20))
def test_no_name_ends_with_a_traceback(name):
    try:
        bytes_of_name(name)
    except (ValueError, OSError) as error:
        assert len(str(error)) < 600
