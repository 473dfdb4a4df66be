"""Readers of data sets, on tiny data sets written here, and on the kit of real faces."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from keras_lotr.cli import main
from keras_lotr.conversions import convert
from keras_lotr.datasets import (
    READERS,
    NoFaces,
    Sample,
    ibug,
    jd106,
    read_samples,
    shard_writing,
    wflw,
)
from keras_lotr.datasets.batches import load_crops
from keras_lotr.datasets.label_check import picture_size, share_outside
from keras_lotr.datasets.samples import scheme_of, split_of
from keras_lotr.evaluation import results_files
from keras_lotr.images.names import natural_key
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once

KIT = Path(__file__).resolve().parents[2] / "shared" / "data" / "faces"


def make_points(num_landmarks, seed=0):
    return np.random.default_rng(seed).integers(2, 60, (num_landmarks, 2)) + 0.25


def make_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((64, 64, 3), 90, np.uint8))


def write(path, text, newline="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", newline).encode())
    return path


def names(samples):
    return [Path(sample.path).name for sample in samples]


def check_points(sample, points, scheme):
    assert sample.scheme == scheme
    assert sample.points_image.dtype == np.float32
    np.testing.assert_allclose(sample.points_image, points, atol=1e-4)
    np.testing.assert_allclose(sample.box, [*points.min(0), *points.max(0)], atol=1e-4)


class TestReadSamples:
    def test_missing_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no .*nowhere"):
            read_samples(tmp_path / "nowhere")

    def test_unknown_kind(self, tmp_path):
        with pytest.raises(ValueError, match="no data set of a known kind.*'labels_json'.*'ibug'"):
            read_samples(tmp_path)

    def test_unknown_reader(self, tmp_path):
        with pytest.raises(ValueError, match="Expected a reader.*Received: 'foo'"):
            read_samples(tmp_path, reader="foo")

    def test_unknown_split(self, tmp_path):
        with pytest.raises(ValueError, match=r"one of \['train', 'val', 'test'\].*'all'"):
            read_samples(tmp_path, "all")

    def test_no_face(self, tmp_path):
        write_kit(tmp_path)
        with pytest.raises(ValueError, match=r"'test' with jd106 landmarks in .*'\)\.$"):
            read_samples(tmp_path, "test", "jd106")

    def test_no_face_in_this_split(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        rows = "a.jpg,1,2,3,4,train\na.jpg,1,2,3,5,train\na.jpg,1,2,3,4,val\n"
        file = write(tmp_path / "faces.csv", f"image,x0,y0,x1,y1,split\n{rows}")
        with pytest.raises(NoFaces, match=r"'test' in .* There are 2 in 'train' and 1 in 'val'\.$"):
            read_samples(file, "test")

    def test_missing_images_are_named_once(self, tmp_path):
        for i in range(5):
            write(tmp_path / f"{i}.pts", pts(make_points(5)))
        with pytest.raises(FileNotFoundError, match=r"lacks 5 of .*0.jpg \(.*0.pts\), .* and 2"):
            read_samples(tmp_path)

    def test_two_schemes(self, tmp_path):
        write_pts(tmp_path / "front.jpg", make_points(68))
        write_pts(tmp_path / "side.jpg", make_points(39))
        with pytest.raises(ValueError, match="one landmark scheme.*ibug68 in .*plain39 in .*side"):
            read_samples(tmp_path)

    def test_landmarks_of_another_picture(self, tmp_path):
        write_pts(tmp_path / "a.jpg", make_points(5) + 100)
        with pytest.raises(ValueError, match=r"inside the image, .* 64 x 64 .*a.jpg \(.*a.pts\)"):
            read_samples(tmp_path)

    def test_a_face_that_the_edge_of_the_picture_cuts(self, tmp_path):
        points = np.array([[-9.0, 20], [-4, 30], [5, 20], [30, 30], [63.4, 40]])
        write_pts(tmp_path / "a.jpg", points)
        check_points(read_samples(tmp_path)[0], points, "plain5")

    def test_only_some_tags(self, tmp_path):
        write_wflw(tmp_path)
        (sample,) = read_samples(tmp_path, "train", only=("pose", "blur", "occlusion"))
        assert sample.tags == ("pose", "make-up", "blur")
        with pytest.raises(NoFaces, match=r"tag of \['wflw'\] in .*2 faces .* have \['blur', 'ma"):
            read_samples(tmp_path, "train", only=["wflw"])

    def test_every_reader_sees_only_its_own(self, tmp_path):
        folders = {name: tmp_path / name for name in READERS}
        write_kit(folders["labels_json"])
        shard_writing.write_shards(folders["labels_json"], folders["shards"])
        write_shards(folders["facesynth"])
        write_wflw(folders["wflw"])
        write_jd(folders["jd106"])
        write_roboflow(folders["coco"])
        write_csv(folders["csv"])
        write_300w(folders["ibug"])
        for name, folder in folders.items():
            assert next(n for n, reader in READERS.items() if reader.is_here(folder)) == name
            assert read_samples(folder)

    @pytest.mark.parametrize(
        ("reader", "message"),
        [
            ("coco", r"Expected COCO files .* or the JSON file itself. Received: .*my.json"),
            ("ibug", "Expected .pts files in or under the folder .*. There is none"),
            ("jd106", "Expected pairs of folders, picture and landmark .*. There is none"),
            ("facesynth", "Expected folders shard-00000 and so on, .*. There is none"),
            ("wflw", "Expected list_98pt_rect_attr_train.txt in or under"),
            ("csv", r"Expected one CSV file .*Received: \[\]"),
            ("labels_json", "lacks .*labels.json"),
            ("shards", "shards.json"),
        ],
    )
    def test_a_format_of_which_nothing_is_there(self, tmp_path, reader, message):
        write(tmp_path / "my.json", '{"nme": 3}')
        with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
            read_samples(tmp_path, reader=reader)
        assert not isinstance(caught.value, NoFaces)

    @pytest.mark.parametrize("kind", ["csv", "coco", "labels_json"])
    @pytest.mark.parametrize("name", ["photos\\f0.jpg", "photos/f0.jpg ", " photos\\f0.jpg"])
    def test_paths_of_windows_and_with_spaces(self, tmp_path, kind, name):
        folder = tmp_path / "images" if kind == "labels_json" else tmp_path
        make_image(folder / "photos" / "f0.jpg")
        points = make_points(68)
        numbers = ",".join(map(str, points.ravel()))
        header = ",".join(f"x{i},y{i}" for i in range(68))
        text = {
            "csv": f'image,{header}\n"{name}",{numbers}\n',
            "coco": json.dumps(coco_content((name, points, 2))),
            "labels_json": json.dumps([{"image": name, "points68": points.tolist()}]),
        }[kind]
        file = {"csv": "faces.csv", "coco": "annotations/a.json"}.get(kind, "labels.json")
        write(tmp_path / file, text)
        (sample,) = read_samples(tmp_path)
        assert sample.path == str(folder / "photos" / "f0.jpg")


class TestSample:
    def test_wrong_points(self):
        with pytest.raises(ValueError, match=r"Expected \(68, 2\) finite.*a.jpg.*\(5, 2\)"):
            Sample("a.jpg", np.zeros((5, 2)), "ibug68")
        with pytest.raises(ValueError, match="finite.*a.jpg.*infinite: True"):
            Sample("a.jpg", np.full((68, 2), np.inf), "ibug68")

    def test_gaps(self):
        points = make_points(5)
        points[1, 0] = points[3] = np.nan
        sample = Sample("a.jpg", points, "plain5")
        assert sample.labelled.tolist() == [True, False, True, False, True]
        assert np.isnan(sample.points_image).all(-1).tolist() == (~sample.labelled).tolist()
        labelled = points[[0, 2, 4]]
        assert sample.box.tolist() == [*labelled.min(0), *labelled.max(0)]
        assert sample.weights is None
        assert sample.label_weights.tolist() == [1, 0, 1, 0, 1]

    def test_nothing_labelled(self):
        with pytest.raises(ValueError, match="at least one landmark with a label for a.jpg"):
            Sample("a.jpg", np.full((68, 2), np.nan), "ibug68")

    def test_one_labelled_landmark_makes_no_box(self):
        points = np.full((5, 2), np.nan)
        points[2] = 30
        with pytest.raises(ValueError, match="Expected a box.*a.jpg"):
            Sample("a.jpg", points, "plain5")
        assert Sample("a.jpg", points, "plain5", box=(20, 20, 40, 40)).labelled.sum() == 1

    def test_labelled_landmarks_on_a_line(self):
        points = np.full((5, 2), np.nan)
        points[:2] = [[20, 30], [40, 30]]
        assert Sample("a.jpg", points, "plain5").box.tolist() == [20, 29.5, 40, 30.5]

    def test_weights(self):
        points = make_points(3)
        points[1] = np.nan
        sample = Sample("a.jpg", points, "plain3", weights=[0.5, 2, 0.25])
        assert sample.weights.tolist() == sample.label_weights.tolist() == [0.5, 0, 0.25]
        assert sample.weights.dtype == np.float32

    @pytest.mark.parametrize("weights", [[1, 1], [1, 1, -1], [1, np.nan, 1]])
    def test_bad_weights(self, weights):
        with pytest.raises(ValueError, match="Expected a weight of at least 0.*of a.jpg"):
            Sample("a.jpg", make_points(3), "plain3", weights=weights)

    def test_empty_box(self):
        with pytest.raises(ValueError, match="Expected a box.*a.jpg.*Received"):
            Sample("a.jpg", np.zeros((68, 2)), "ibug68")

    def test_origin_is_told(self):
        with pytest.raises(ValueError, match=r"Expected a box.*for a.jpg \(list.txt, line 3\)"):
            Sample("a.jpg", np.ones((68, 2)), "ibug68", origin="list.txt, line 3")

    def test_own_box(self):
        sample = Sample("a.jpg", make_points(68), "ibug68", box=(1, 2, 3, 4))
        assert sample.box.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("trainset", "train"),
        ("Training_data", "train"),
        ("person_keypoints_train2017", "train"),
        ("valid", "val"),
        ("Validation", "val"),
        ("Test_data1", "test"),
        ("testset", "test"),
        ("trainval", None),
        ("latest", None),
        ("values", None),
        ("afw", None),
    ],
)
def test_split_of(name, split):
    assert split_of(name) == split


def test_natural_order():
    assert sorted(["a10.jpg", "a9.jpg", "b1.jpg"], key=natural_key) == [
        "a9.jpg",
        "a10.jpg",
        "b1.jpg",
    ]


def test_scheme_of():
    assert scheme_of(106) == scheme_of(106, "ibug68") == "jd106"
    assert scheme_of(106, "insightface106") == "insightface106"
    assert scheme_of(7) == "plain7"


@pytest.mark.parametrize(("ending", "size"), [("jpg", (64, 48)), ("png", (64, 48))])
def test_picture_size(tmp_path, ending, size):
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), np.zeros((48, 64, 3), np.uint8))
    assert picture_size(path) == size


def test_picture_size_behind_long_metadata(tmp_path):
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), np.zeros((48, 64, 3), np.uint8))
    data = path.read_bytes()
    comment = b"\xff\xfe" + (60000).to_bytes(2, "big") + bytes(59998)
    path.write_bytes(data[:2] + comment + data[2:])
    assert picture_size(path) == (64, 48)


def test_unknown_kind_of_picture_has_no_size(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 1 1 255\n" + bytes(3))
    assert picture_size(tmp_path / "a.ppm") is None


class TestOrientation:
    """Labels are meant in the upright image, as annotation tools show it."""

    @pytest.fixture(params=["JPEG", "PNG", "WEBP", "TIFF"])
    def turned(self, tmp_path, request):
        """A data set of one image of 64 x 32 pixels that EXIF turns upright, with that label."""
        Image = pytest.importorskip("PIL.Image", reason="writes EXIF")

        def write(row, orientation=6):
            path = tmp_path / f"a.{request.param.lower()}"
            upright = np.zeros((64, 32, 3), np.uint8)
            upright[40:, :16] = 250  # what the labels of these tests are about
            stored = np.rot90(upright, 1) if orientation == 6 else upright.transpose(1, 0, 2)
            exif = Image.Exif()
            exif[274] = orientation
            Image.fromarray(stored.copy()).save(path, request.param, exif=exif.tobytes())
            columns = [f"{axis}{i}" for i in range(row.count(",") // 2 + 1) for axis in "xy"]
            table = f"image,{','.join(columns)}\n{path.name},{row}\n"
            (tmp_path / "faces.csv").write_text(table)
            return tmp_path / "faces.csv"

        return write

    def test_labels_are_those_of_the_upright_image(self, turned):
        samples = read_samples(turned("0,40,15,40,15,63"))
        crops, points = load_crops(samples, 64, 1.0)
        x, y = points[0].round().astype(int).clip(1, 62).T
        inside = crops[0, y.min() : y.max(), x.min() : x.max()]
        assert inside.mean() > 200 and crops[0].mean() < 240

    def test_labels_from_before_the_turning_are_told(self, turned):
        file = turned("40,4,60,4,60,20")
        with pytest.raises(ValueError) as error:
            read_samples(file)
        message = str(error.value).replace(str(file.parent), "D")
        name = next(path.name for path in file.parent.glob("a.*"))
        assert message == (
            "Expected landmarks in pixels of the upright image, which has 32 x 64 pixels after its "
            f"EXIF orientation is applied, for D/{name} (D/faces.csv, line 2). Received: landmarks "
            "in x 40.0 .. 60.0, y 4.0 .. 20.0, inside of the image as stored: turn the labels, or "
            "remove the orientation from the file"
        )

    def test_the_commands_say_so(self, turned):
        file = turned(",".join(f"{40 + i % 9},{4 + i / 5}" for i in range(68)))
        run = str(file.parent / "run")
        for words in (["train", "lotr_m_68", "--output", run], ["evaluate", "lotr_m_68"]):
            run = CliRunner().invoke(main, [*words, "--data", str(file)])
            assert run.exit_code == 2
            assert "after its EXIF orientation is applied" in run.stderr, run.stderr

    def test_an_image_that_was_turned_later(self, turned):
        """The labels fit the image turned, and nothing turns it: EXIF was removed, or never was."""
        file = turned("10,60,20,50,20,60", orientation=1)
        with pytest.raises(ValueError, match="64 x 32 .*which would be inside if it were turned"):
            read_samples(file)

    def test_labels_outside_in_both_ways(self, turned):
        with pytest.raises(ValueError, match="inside the image, .*y 100.0 .. 120.0$"):
            read_samples(turned("99,120,99,100,120,120"))

    def test_long_metadata(self, turned):
        """EXIF further back than the first bytes that are read."""
        file = turned("40,4,60,4,60,20")
        (path,) = file.parent.glob("a.*")
        data = path.read_bytes()
        if path.suffix != ".jpeg":
            pytest.skip("about JPEG")
        path.write_bytes(data[:2] + b"\xff\xfe" + (9000).to_bytes(2) + bytes(8998) + data[2:])
        with pytest.raises(ValueError, match="after its EXIF orientation is applied"):
            read_samples(file)


def test_share_outside_leaves_gaps_out():
    assert share_outside([[np.nan, np.nan], [10, 10], [99, 10]], (64, 64)) == 0.5


# Kit folders.


def write_kit(folder):
    entries = [
        {"image": "a.jpg", "split": "train", "set": "helen", "points68": make_points(68).tolist()},
        {"image": "b.jpg", "split": "val", "points98": make_points(98).tolist()},
        {"image": "c.jpg", "points68": make_points(68, 1).tolist()},
    ]
    write_entries(folder, entries)


def write_entries(folder, entries):
    for entry in entries:
        make_image(folder / "images" / entry["image"])
    write(folder / "labels.json", json.dumps(entries))


class TestKit:
    def test_read(self, tmp_path):
        write_kit(tmp_path)
        first, second = read_samples(tmp_path)
        check_points(first, make_points(68), "ibug68")
        assert first.tags == ("helen",) and second.tags == ()
        assert names([first, second]) == ["a.jpg", "c.jpg"]
        assert names(read_samples(tmp_path, "val", "wflw98")) == ["b.jpg"]

    def test_the_file_stands_for_its_folder(self, tmp_path):
        write_kit(tmp_path)
        assert names(read_samples(tmp_path / "labels.json")) == ["a.jpg", "c.jpg"]
        assert names(read_samples(tmp_path / "labels.json", reader="kit")) == ["a.jpg", "c.jpg"]

    def test_unknown_scheme(self, tmp_path):
        write_kit(tmp_path)
        with pytest.raises(ValueError, match="one of the schemes.*Received: 'plain5'"):
            read_samples(tmp_path, scheme="plain5")

    @pytest.mark.parametrize("text", ["{", "{}", '[{"points68": []}]'])
    def test_broken_labels(self, tmp_path, text):
        write(tmp_path / "labels.json", text)
        with pytest.raises(ValueError, match="Expected .* in .*labels.json"):
            read_samples(tmp_path)

    @pytest.mark.parametrize("key", ["landmarks", "points"])
    def test_landmarks_of_another_name(self, tmp_path, key):
        write_entries(tmp_path, [{"image": "a.jpg", key: make_points(68).tolist()}])
        told = rf'"points68": .*points106.*labels.json. Received entries with: image, {key}'
        with pytest.raises(NoFaces, match=told):
            read_samples(tmp_path, "val")

    def test_names_of_splits(self, tmp_path):
        entry = {"image": "a.jpg", "points68": make_points(68).tolist()}
        splits = ["valid", "Train", "testing", None]
        write_entries(tmp_path, [{**entry, "set": str(s), "split": s} for s in splits])
        for split, sets in (("train", "Train"), ("val", "valid"), ("test", "testing")):
            tags = {tag for sample in read_samples(tmp_path, split) for tag in sample.tags}
            assert tags == {sets, "None"}

    @pytest.mark.parametrize("split", ["held out", "", 3, ["train"], {}])
    def test_unknown_split_is_refused(self, tmp_path, split):
        entry = {"image": "a.jpg", "points98": make_points(98).tolist()}
        write_entries(tmp_path, [entry, {**entry, "split": split}])
        with pytest.raises(ValueError, match="Expected train, val or test.*labels.json, entry 1"):
            read_samples(tmp_path, "train", "wflw98")

    @pytest.mark.parametrize(
        "more",
        [
            *({"set": 3}, {"set": ["a"]}, {"tags": [{"a": 1}]}, {"tags": "a"}, {"tags": [3]}),
            *({"doubt68": "x"}, {"doubt68": 1}, {"doubt68": []}, {"doubt68": [[0]] * 68}),
            *({"doubt68": {"0": 1}}, {"seen68": "x"}, {"seen68": [[1]] * 68}, {"seen68": []}),
        ],
    )
    def test_odd_entries_are_refused_with_file_and_number(self, tmp_path, more):
        entry = {"image": "a.jpg", "points68": make_points(68).tolist()}
        write_entries(tmp_path, [entry, {**entry, **more}])
        with pytest.raises(ValueError, match=r"Expected .*labels.json, entry 1.*Received: "):
            read_samples(tmp_path)

    def test_null_is_as_if_it_were_not_there(self, tmp_path):
        entry = {"image": "a.jpg", "points68": make_points(68).tolist()}
        nothing = dict.fromkeys(("split", "set", "tags", "doubt68", "seen68", "points98"))
        write_entries(tmp_path, [{**entry, **nothing}])
        (sample,) = read_samples(tmp_path)
        assert (sample.tags, sample.weights, sample.visibility) == ((), None, None)

    def test_gaps_tags_and_doubt(self, tmp_path):
        points = make_points(98).tolist()
        points[7] = None
        doubt = [0.0] * 98
        doubt[3], doubt[5], doubt[7] = 0.02, None, None  # null is no doubt, and 7 is a gap
        entry = {"image": "a.png", "set": "wider", "tags": ["blur"], "points98": points}
        write_entries(tmp_path, [{**entry, "doubt98": doubt}, {**entry, "set": "wflw"}])
        doubtful, sure = read_samples(tmp_path, "train", "wflw98")
        assert doubtful.tags == ("wider", "blur") and sure.tags == ("wflw", "blur")
        assert np.flatnonzero(~doubtful.labelled).tolist() == [7]
        assert np.flatnonzero(doubtful.weights != 1).tolist() == [3, 7]
        assert doubtful.weights[[3, 7]].tolist() == [0.5, 0]
        assert sure.weights is None


# Rendered shards.


def write_shards(folder, numbers=(0, 19)):
    for number in numbers:
        shard = folder / f"shard-{number:05d}"
        for index in (1000 * number, 1000 * number + 1):
            make_image(shard / f"{index:08d}.jpg")
        points = {f"points{n}": np.stack([make_points(n)] * 2) for n in (68, 98, 106)}
        np.savez(shard / "labels.npz", index=[1000 * number, 1000 * number + 1], **points)


class TestFacesynth:
    def test_read(self, tmp_path):
        write_shards(tmp_path)
        train = read_samples(tmp_path, scheme="jd106")
        check_points(train[0], make_points(106), "jd106")
        assert names(train) == ["00000000.jpg", "00000001.jpg"]
        assert names(read_samples(tmp_path, "val")) == ["00019000.jpg", "00019001.jpg"]

    def test_unfinished_shard(self, tmp_path):
        write_shards(tmp_path)
        (tmp_path / "shard-00001").mkdir()
        with pytest.raises(FileNotFoundError, match="lacks .*shard-00001.*labels.npz"):
            read_samples(tmp_path)


# WFLW.

WFLW_NAME = "0--Parade/0_Parade_marchingband_1_{}.jpg"


def wflw_fields(i):
    return " ".join(str(value) for value in make_points(98, i).ravel())


def write_wflw(folder, newline="\n"):
    lists = folder / "WFLW_annotations"
    flagged = lists / "list_98pt_rect_attr_train_test"
    for i in range(4):
        make_image(folder / "WFLW_images" / WFLW_NAME.format(i))
    rows = [f"{wflw_fields(i)} 1 2 50 60 {{}} {WFLW_NAME.format(i)}\n" for i in range(4)]
    train = rows[0].format("0 0 0 0 0 0") + rows[1].format("1 0 0 1 0 1")
    test = rows[2].format("0 1 1 0 1 0") + rows[3].format("0 0 0 0 0 0")
    write(flagged / "list_98pt_rect_attr_train.txt", train, newline)
    write(flagged / "list_98pt_rect_attr_test.txt", test, newline)
    plain = [f"{wflw_fields(i)} {WFLW_NAME.format(i)}\n" for i in (2, 3)]
    write(lists / "list_98pt_test" / "list_98pt_test.txt", "".join(plain), newline)
    for name in ("largepose", "expression", "illumination", "makeup", "occlusion", "blur"):
        members = plain[:1] if name in ("expression", "makeup") else []
        write(lists / "list_98pt_test" / f"list_98pt_test_{name}.txt", "".join(members), newline)
    return flagged


class TestWflw:
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_read(self, tmp_path, newline):
        write_wflw(tmp_path, newline)
        first, second = read_samples(tmp_path)
        check_points(first, make_points(98), "wflw98")
        assert first.tags == ()
        assert second.tags == ("pose", "make-up", "blur")
        assert read_samples(tmp_path, "test")[0].tags == (
            "expression",
            "illumination",
            "occlusion",
        )

    def test_any_folder_of_the_download(self, tmp_path):
        flagged = write_wflw(tmp_path)
        expected = names(read_samples(tmp_path))
        assert names(read_samples(flagged)) == names(read_samples(flagged.parent)) == expected

    def test_list_beside_images(self, tmp_path):
        flagged = write_wflw(tmp_path)
        (flagged / "list_98pt_rect_attr_test.txt").rename(tmp_path / "list_98pt_rect_attr_test.txt")
        assert len(read_samples(tmp_path, "test")) == 2

    def test_lists_without_flags(self, tmp_path):
        flagged = write_wflw(tmp_path)
        (flagged / "list_98pt_rect_attr_test.txt").unlink()
        first, second = read_samples(tmp_path, "test")
        check_points(first, make_points(98, 2), "wflw98")
        assert first.tags == ("expression", "make-up") and second.tags == ()

    def test_as_68(self, tmp_path):
        write_wflw(tmp_path)
        sample = read_samples(tmp_path, scheme="ibug68")[0]
        check_points(sample, convert(make_points(98), "wflw98", "ibug68"), "ibug68")

    def test_no_val(self, tmp_path):
        write_wflw(tmp_path)
        with pytest.raises(ValueError, match="'train' and 'test' only: hold some.*'val'"):
            read_samples(tmp_path, "val")

    def test_missing_list(self, tmp_path):
        flagged = write_wflw(tmp_path)
        (flagged / "list_98pt_rect_attr_train.txt").unlink()
        with pytest.raises(FileNotFoundError, match="Expected list_98pt_rect_attr_train.txt"):
            read_samples(tmp_path)

    def test_empty_list(self, tmp_path):
        write(write_wflw(tmp_path) / "list_98pt_rect_attr_train.txt", "\n")
        with pytest.raises(NoFaces, match="No face of split 'train' in .*reader 'wflw'"):
            read_samples(tmp_path)

    def test_missing_image(self, tmp_path):
        write_wflw(tmp_path)
        (tmp_path / "WFLW_images" / WFLW_NAME.format(1)).unlink()
        with pytest.raises(FileNotFoundError, match=r"lacks 1 of .*_1.jpg \(.*train.txt, line 2\)"):
            read_samples(tmp_path)

    def test_landmarks_of_another_picture(self, tmp_path):
        path = write_wflw(tmp_path) / "list_98pt_rect_attr_train.txt"
        far = " ".join(str(value + 500) for value in make_points(98).ravel())
        write(path, path.read_text() + f"{far} 1 2 3 4 0 0 0 0 0 0 {WFLW_NAME.format(0)}\n")
        with pytest.raises(ValueError, match=r"64 x 64 pixels.*line 3\). Received: .* x 50[0-9]"):
            read_samples(tmp_path)

    def test_missing_images(self, tmp_path):
        write_wflw(tmp_path)
        (tmp_path / "WFLW_images").rename(tmp_path / "elsewhere")
        for folder in (tmp_path, tmp_path / "WFLW_annotations"):
            with pytest.raises(FileNotFoundError) as caught:
                read_samples(folder)
            assert str(caught.value) == f"The data set lacks {folder / 'WFLW_images'}."

    def test_missing_images_of_a_list_in_the_folder(self, tmp_path):
        flagged = write_wflw(tmp_path)
        alone = tmp_path / "a" / "b" / "D"
        alone.mkdir(parents=True)
        (flagged / "list_98pt_rect_attr_train.txt").rename(alone / "list_98pt_rect_attr_train.txt")
        with pytest.raises(FileNotFoundError, match=r"lacks .*a.b.D.WFLW_images\.$"):
            read_samples(alone)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("1 2 3", "Expected 207 fields .*line 2. Received: 3"),
            (" ".join(["x"] * 207), "Expected 98 points of x in .*line 2: could not convert"),
            (wflw_fields(0) + " 1" * 10 + " a.jpg b", "Expected 207 .*line 2. Received: 208"),
            ("inf " * 196 + "1 " * 10 + "a.jpg", r"finite landmarks .*train.txt, line 2\)"),
            ("5 " * 196 + "1 " * 10 + "a.jpg", r"Expected a box .*train.txt, line 2\)"),
        ],
    )
    def test_malformed_line(self, tmp_path, line, message):
        path = write_wflw(tmp_path) / "list_98pt_rect_attr_train.txt"
        write(path, path.read_text().splitlines()[0] + "\n" + line)
        with pytest.raises(ValueError, match=message):
            wflw.read(tmp_path)


# JD-landmark and LaPa.


def landmark_text(points):
    return "\n".join([str(len(points)), *(f"{x} {y}" for x, y in points)]) + "\n"


def write_jd(folder):
    faces = [
        ("Training_data/AFW", "AFW_10_1.jpg"),
        ("Training_data/AFW", "AFW_9_1.jpg"),
        ("Training_data/LFPW", "LFPW_image_test_0001_1.jpg"),
        ("Test_data", "2.jpg"),
    ]
    for seed, (place, name) in enumerate(faces):
        make_image(folder / place / "picture" / name)
        text = landmark_text(make_points(106, seed))
        write(folder / place / "landmark" / f"{name}.txt", text, "\r\n")


class TestJd106:
    def test_read(self, tmp_path):
        write_jd(tmp_path)
        train = read_samples(tmp_path)
        assert names(train) == ["AFW_9_1.jpg", "AFW_10_1.jpg", "LFPW_image_test_0001_1.jpg"]
        check_points(train[0], make_points(106, 1), "jd106")
        assert [sample.tags for sample in train] == [("AFW",), ("AFW",), ("LFPW",)]
        (test,) = read_samples(tmp_path, "test")
        check_points(test, make_points(106, 3), "jd106")
        assert test.tags == ()

    def test_one_part_serves_any_split(self, tmp_path):
        write_jd(tmp_path)
        assert len(read_samples(tmp_path / "Training_data", "val")) == 3

    def test_lapa(self, tmp_path):
        for part in ("train", "val", "test"):
            make_image(tmp_path / part / "images" / "1_0.jpg")
            write(tmp_path / part / "landmarks" / "1_0.txt", landmark_text(make_points(106)))
        (sample,) = read_samples(tmp_path, "val")
        assert Path(sample.path).parts[-3:] == ("val", "images", "1_0.jpg")

    def test_two_images_of_one_label_file(self, tmp_path):
        write_jd(tmp_path)
        place = tmp_path / "Test_data"
        make_image(place / "picture" / "2.png")
        assert names(read_samples(tmp_path, "test")) == ["2.jpg"]  # 2.jpg.txt names it
        (place / "landmark" / "2.jpg.txt").rename(place / "landmark" / "2.txt")
        with pytest.raises(ValueError, match="one image .*2.txt: .* 2.jpg and 2.png$"):
            read_samples(tmp_path, "test")

    def test_insightface_order(self, tmp_path):
        write_jd(tmp_path)
        sample = read_samples(tmp_path, "test", "insightface106")[0]
        expected = convert(make_points(106, 3), "jd106", "insightface106")
        check_points(sample, expected, "insightface106")

    def test_missing_picture(self, tmp_path):
        write_jd(tmp_path)
        (tmp_path / "Test_data" / "picture" / "2.jpg").unlink()
        with pytest.raises(FileNotFoundError, match="lacks 1 of its image files: .*2.jpg"):
            read_samples(tmp_path, "test")

    @pytest.mark.parametrize("text", ["", "105\n1 2\n", "106\n1 2\n", "106\n" + "x y\n" * 106])
    def test_malformed_file(self, tmp_path, text):
        write_jd(tmp_path)
        write(tmp_path / "Test_data" / "landmark" / "2.jpg.txt", text)
        with pytest.raises(ValueError, match="106 lines 'x y' in .*2.jpg.txt. Received: "):
            jd106.read(tmp_path, "test")


# Trees of .pts files.


def pts(points):
    lines = [f"{x} {y}" for x, y in np.asarray(points) + 1]
    return "\n".join(["version: 1", f"n_points:  {len(points)}", "{", *lines, "}", ""])


def write_pts(image, points, newline="\n"):
    make_image(image)
    write(image.with_suffix(".pts"), pts(points), newline)


def write_300w(folder):
    places = ["afw", "helen/trainset", "helen/testset", "lfpw/testset", "ibug", "300W/01_Indoor"]
    for seed, place in enumerate(places):
        write_pts(folder / place / "image_10_train.png", make_points(68, seed), "\r\n")
    write_pts(folder / "afw" / "image_9_mirror.jpg", make_points(68))


class TestIbug:
    def test_points_are_one_based_in_the_file(self, tmp_path):
        points = np.array([[0.0, 0.0], [63.0, 2.5], [4.0, 40.0]])
        write_pts(tmp_path / "a.jpeg", points)
        assert "{\n1.0 1.0\n64.0 3.5\n" in (tmp_path / "a.pts").read_text()
        (sample,) = read_samples(tmp_path)
        check_points(sample, points, "plain3")

    def test_300w_protocol(self, tmp_path):
        write_300w(tmp_path)
        train, test = read_samples(tmp_path), read_samples(tmp_path, "test")
        check_points(train[0], make_points(68, 0), "ibug68")
        assert [s.tags for s in train] == [("afw",), ("helen",)]
        assert [s.tags for s in test] == [("300W", "01_Indoor"), ("helen",), ("ibug",), ("lfpw",)]

    def test_protocol_within_a_folder_of_that_name(self, tmp_path):
        write_300w(tmp_path / "300w")
        assert [s.tags for s in read_samples(tmp_path)] == [("300w", "afw"), ("300w", "helen")]

    def test_two_images_of_one_label_file(self, tmp_path):
        write_pts(tmp_path / "f0.jpg", make_points(5))
        make_image(tmp_path / "f0.png")
        with pytest.raises(ValueError, match="one image .*f0.pts: .* f0.jpg and f0.png$"):
            read_samples(tmp_path)
        (tmp_path / "f0.pts").rename(tmp_path / "f0_1.pts")  # of several faces in it
        with pytest.raises(ValueError, match="one image .*f0_1.pts: .* f0.jpg and f0.png$"):
            read_samples(tmp_path)

    def test_one_set_serves_any_split(self, tmp_path):
        write_300w(tmp_path)
        for split in ("train", "val", "test"):
            (sample,) = read_samples(tmp_path / "helen" / "trainset", split)
            assert sample.tags == ("helen",)

    def test_folders_that_tell_no_split(self, tmp_path):
        for place in ("train", "val", "other"):
            write_pts(tmp_path / place / "a.jpg", make_points(5))
        with pytest.warns(UserWarning, match="other left out: not in a folder named train"):
            (sample,) = read_samples(tmp_path, "val")
        assert Path(sample.path).parent.name == "val"

    def test_natural_order(self, tmp_path):
        for name in ("10.jpg", "9.bmp", "._9.jpg"):
            write_pts(tmp_path / name, make_points(5))
        assert names(read_samples(tmp_path)) == ["9.bmp", "10.jpg"]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "version: 1\nn_points: 3\n{\n1 2\n}\n",
            "version: 1\nn_points: 1\n{\nx y\n}\n",
            "version: 1\nn_points: 1\n{\n1 2 3\n}\n",
            "1 2\n3 4\n",
        ],
    )
    def test_malformed_file(self, tmp_path, text):
        write(tmp_path / "a.pts", text)
        with pytest.raises(ValueError, match="Expected 'n_points: N' and .*a.pts. Received: "):
            ibug.read(tmp_path)

    def test_not_text(self, tmp_path):
        (tmp_path / "a.pts").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match=r"Expected text \(UTF-8\) in .*a.pts"):
            read_samples(tmp_path)


# COCO.


def coco_content(*faces):
    """One image per face, which is (file name, points, visibility of the first point)."""
    images, annotations = [], []
    for i, (name, points, visible) in enumerate(faces):
        keypoints = np.column_stack([points, np.full(len(points), 2.0)])
        keypoints[0, 2] = visible
        images.append({"id": i, "file_name": name})
        annotations.append({"id": i, "image_id": i, "keypoints": keypoints.ravel().tolist()})
    annotations.append({"id": 99, "image_id": 0, "bbox": [1, 2, 3, 4]})
    return {"images": images, "annotations": annotations}


def write_roboflow(folder):
    for part in ("train", "valid"):
        make_image(folder / part / f"{part}.jpg")
        content = coco_content((f"{part}.jpg", make_points(5), 2))
        write(folder / part / "_annotations.coco.json", "\ufeff" + json.dumps(content))


class TestCoco:
    def test_roboflow(self, tmp_path):
        write_roboflow(tmp_path)
        (sample,) = read_samples(tmp_path, "val")
        check_points(sample, make_points(5), "plain5")
        assert names([sample]) == ["valid.jpg"]

    @pytest.mark.parametrize(
        "images", ["", "images", "train2017", "images/train2017", "annotations"]
    )
    def test_places_of_images(self, tmp_path, images):
        if images == "annotations":
            images, file = "", tmp_path / "person_keypoints_train2017.json"
        else:
            file = tmp_path / "annotations" / "person_keypoints_train2017.json"
        make_image(tmp_path / images / "sub" / "a.jpg")
        write(file, json.dumps(coco_content(("sub/a.jpg", make_points(68), 1))))
        folder = file if file.parent == tmp_path else tmp_path
        (sample,) = read_samples(folder)
        check_points(sample, make_points(68), "ibug68")

    def test_a_file_serves_any_split(self, tmp_path):
        write_roboflow(tmp_path)
        file = tmp_path / "train" / "_annotations.coco.json"
        assert names(read_samples(file, "test")) == ["train.jpg"]

    def test_subset_files_repeat_faces(self, tmp_path):
        make_image(tmp_path / "images" / "a.jpg")
        text = json.dumps(coco_content(("a.jpg", make_points(98), 1)))
        write(tmp_path / "annotations" / "face_landmarks_wflw_test.json", text)
        write(tmp_path / "annotations" / "face_landmarks_wflw_test_blur.json", text)
        assert len(read_samples(tmp_path, "test", "wflw98")) == 1
        assert read_samples(tmp_path, "test", "ibug68")[0].scheme == "ibug68"

    def test_order_of_106_landmarks(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        content = coco_content(("a.jpg", make_points(106), 1))
        file = write(tmp_path / "faces.json", json.dumps(content))
        assert read_samples(file)[0].scheme == "jd106"
        check_points(
            read_samples(file, scheme="insightface106")[0], make_points(106), "insightface106"
        )

    def test_other_categories(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        content = coco_content(*[("a.jpg", make_points(n, n), 2) for n in (17, 68, 68)])
        content["annotations"][2]["keypoints"][0] += 1  # not the same face twice
        for annotation, category in zip(content["annotations"], (1, 2, 2, 2), strict=True):
            annotation["category_id"] = category
        file = write(tmp_path / "faces.json", json.dumps(content))
        for scheme, kept in (("ibug68", 2), ("plain17", 1)):
            with pytest.warns(UserWarning, match=f"{3 - kept} annotations of .*no {scheme} landma"):
                assert len(read_samples(file, scheme=scheme)) == kept
        with pytest.raises(ValueError, match="Expected plain5 .*annotation 0.*Received: plain17"):
            read_samples(file, scheme="plain5")
        content["annotations"][0]["category_id"] = 2  # a wrong label of the same category
        file = write(tmp_path / "faces.json", json.dumps(content))
        with pytest.raises(ValueError, match="Expected ibug68 .*annotation 0.*Received: plain17"):
            read_samples(file, scheme="ibug68")

    def test_unlabelled_keypoint(self, tmp_path):
        faces = [(f"{i}.jpg", make_points(5, i), i) for i in (0, 1, 2)]
        for name, _, _ in faces:
            make_image(tmp_path / name)
        file = write(tmp_path / "faces.json", json.dumps(coco_content(*faces)))
        assert [s.labelled.sum() for s in read_samples(file)] == [4, 5, 5]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ([], 'Expected a COCO file, {"images", "annotations"}, in .*faces.json'),
            ({"images": [], "annotations": [{"image_id": 1, "keypoints": [1, 2, 2]}]}, "image of"),
            (
                {"images": [], "annotations": [{"id": 7, "keypoints": [1, 2]}]},
                r"Expected keypoints \[x, y, v, ...\] in annotation 7 of .*faces.json",
            ),
        ],
    )
    def test_malformed_file(self, tmp_path, content, message):
        file = write(tmp_path / "faces.json", json.dumps(content))
        with pytest.raises(ValueError, match=message):
            read_samples(file)


# CSV.


def write_csv(folder, newline="\n"):
    rows = ["image,x0,y0,x1,y1,split,note"]
    for i, split in enumerate(["train", "valid", "test"]):
        make_image(folder / "photos" / f"{i}.jpg")
        rows.append(f"photos/{i}.jpg,{i}.5,2,30,40.25,{split},")
    return write(folder / "faces.csv", "\ufeff" + "\n".join(rows) + "\n\n", newline)


class TestCsv:
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_read(self, tmp_path, newline):
        file = write_csv(tmp_path, newline)
        for source in (tmp_path, file):
            (sample,) = read_samples(source, "val")
            check_points(sample, np.array([[1.5, 2], [30, 40.25]]), "plain2")
            assert names([sample]) == ["1.jpg"]

    def test_without_split(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        write(tmp_path / "faces.csv", "image, x0, y0, x1, y1\na.jpg, 1, 2, 3, 4\na.jpg,1,2,5,6\n")
        for split in ("train", "val", "test"):
            assert len(read_samples(tmp_path, split)) == 2

    def test_box_of_no_size(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        file = write(tmp_path / "faces.csv", "image,x0,y0,x1,y1\na.jpg,1,2,3,4\na.jpg,7,7,7,7\n")
        with pytest.raises(ValueError, match=r"Expected a box.*a.jpg \(.*faces.csv, line 3\)"):
            read_samples(file)

    @pytest.mark.parametrize("name", ["a.jpg", "a.dat"])  # of a size that is known, and not
    def test_fractions_of_the_image(self, tmp_path, name):
        make_image(tmp_path / "a.jpg")
        (tmp_path / "a.dat").write_bytes(b"of no known kind")
        rows = f"image,x0,y0,x1,y1,x2,y2\n{name},0.25,0.5,0.75,0.5,0.5,0.875\n"
        file = write(tmp_path / "faces.csv", rows)
        told = r"line 2\). Received: landmarks in x 0.250 .. 0.750, .*look like fractions of the im"
        with pytest.raises(ValueError, match=told):
            read_samples(file)

    def test_named_scheme(self, tmp_path):
        file = write_csv(tmp_path)
        assert read_samples(file, scheme="plain2")[0].scheme == "plain2"
        with pytest.raises(ValueError, match="Expected ibug68 .*csv, line 2.*Received: plain2"):
            read_samples(file, scheme="ibug68")

    @pytest.mark.parametrize(
        "row",
        ["a.jpg,1,2,3", "a.jpg,1,2,3,4,train,5", "a.jpg,1,x,3,4,train", "a.jpg,1,nan,3,4,train",
         "a.jpg,1,,3,4,train", "a.jpg,1,2,3,4,", "a.jpg,1,2,3,4,all"],
    )  # fmt: skip
    def test_malformed_row(self, tmp_path, row):
        file = write(tmp_path / "faces.csv", f"image,x0,y0,x1,y1,split\na.jpg,1,2,3,4,train\n{row}")
        with pytest.raises(ValueError, match="Expected 6 fields.*faces.csv, line 3. Received: a"):
            read_samples(file)

    @pytest.mark.parametrize(
        "header",
        ["", "name,x0,y0", "image,split", "image,x0,x1,y0", "image,x0,y0,x0,y0",
         "x0,y0,image,image", "image,x0,y0,split,split", "image,x2,y2,x3,y3", "image x0 y0"],
    )  # fmt: skip
    def test_malformed_header(self, tmp_path, header):
        file = write(tmp_path / "faces.csv", header)
        with pytest.raises(ValueError, match="Expected the header image,x0,y0,.*Received: "):
            read_samples(file)

    @pytest.mark.parametrize("header", ["image;x0;x1", '"image";"x0";"y1"', "photo,x0,y0"])
    def test_malformed_header_in_a_folder(self, tmp_path, header):
        write(tmp_path / "faces.csv", header)
        with pytest.raises(
            ValueError, match="header image,x0,y0,.*each column once.*faces.csv. Received"
        ):
            read_samples(tmp_path)

    def test_quoted_header(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        write(tmp_path / "faces.csv", '"","image","x0","y0","x1","y1"\n"1","a.jpg",1,2,3,NA\n')
        with pytest.raises(ValueError, match="Expected 6 fields.*faces.csv, line 2"):
            read_samples(tmp_path)  # half a landmark
        write(tmp_path / "faces.csv", '"","image","x0","y0","x1","y1"\n"1","a.jpg",1,2,3,"4"\n')
        check_points(read_samples(tmp_path)[0], np.array([[1, 2], [3, 4]]), "plain2")

    @pytest.mark.parametrize(
        "text",
        [
            "image;x0;y0;x1;y1\na.jpg;1,5;2;3;4\n",
            "image\tx0\ty0\tx1\ty1\na.jpg\t1,5\t2\t3\t4\n",
            "Image,X0,Y0,X1,Y1\r\na.jpg,1.5,2,3,4\r\n",
            "# made by a program, today\n\nimage,x0,y0,x1,y1\na.jpg,1.5,2,3,4\n",
            "sep=;\nimage;x0;y0;x1;y1\na.jpg;1.5;2;3;4\n",
            "image,x1,y1,x2,y2\na.jpg,1.5,2,3,4\n",
            "file_name,x0,y0,x1,y1\na.jpg,1.5,2,3,4\n\nfile_name,x0,y0,x1,y1\n",
            '"image" ,"x0","y0","x1","y1"\n"a.jpg",1.5,2,3,"4"\n',
        ],
    )
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_tables_of_other_programs(self, tmp_path, text, encoding):
        make_image(tmp_path / "a.jpg")
        (tmp_path / "faces.csv").write_bytes(text.encode(encoding))
        (sample,) = read_samples(tmp_path)
        check_points(sample, np.array([[1.5, 2], [3, 4]]), "plain2")

    def test_name_in_another_encoding(self, tmp_path):
        odd = os.fsdecode(b"caf\xe9.jpg")
        cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((60, 60, 3), np.uint8))
        os.rename(tmp_path / "a.jpg", tmp_path / odd)
        write(tmp_path / "faces.csv", "image,x0,y0,x1,y1\ncaf\\udce9.jpg,1,2,3,4\n")
        assert names(read_samples(tmp_path)) == [odd]

    def test_no_table(self, tmp_path):
        file = write(tmp_path / "faces.csv", f'image,x0,y0\na.jpg,1,"{"2" * 200_000}"\n')
        with pytest.raises(ValueError, match="a table in .*faces.csv, line 2: field larger"):
            read_samples(file)
        (tmp_path / "faces.csv").write_bytes("image,x0,y0\nä.jpg,1,2".encode("latin-1"))
        with pytest.raises(ValueError, match=r"text \(UTF-8\) in .*faces.csv: save it as UTF-8"):
            read_samples(tmp_path)

    def test_other_columns_may_repeat(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        write(tmp_path / "faces.csv", "image,x0,y0,x1,y1,,\na.jpg,1,2,3,4,,\n")
        assert len(read_samples(tmp_path)) == 1

    def test_a_file_for_each_split(self, tmp_path):
        for number, name in enumerate(("train", "val", "Testing_data")):
            make_image(tmp_path / f"{number}.jpg")
            write(tmp_path / f"{name}.csv", f"image,x0,y0,x1,y1\n{number}.jpg,1,2,3,4\n")
        write(tmp_path / "._train.csv", "of macOS")
        for number, split in enumerate(("train", "val", "test")):
            assert names(read_samples(tmp_path, split)) == [f"{number}.jpg"]
        write(tmp_path / "notes.csv", "image\n")
        with pytest.warns(UserWarning, match="notes.csv left out: the name tells no split"):
            assert len(read_samples(tmp_path)) == 1

    def test_a_column_comes_before_the_name_of_the_file(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        rows = "a.jpg,1,2,3,4,train\na.jpg,1,2,3,4,val\n"
        write(tmp_path / "train.csv", f"image,x0,y0,x1,y1,split\n{rows}")
        write(tmp_path / "val.csv", "image,x0,y0,x1,y1\na.jpg,1,2,3,4\n")
        assert len(read_samples(tmp_path)) == 1 and len(read_samples(tmp_path, "val")) == 2

    def test_a_single_file_serves_any_split_whatever_its_name(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        write(tmp_path / "train.csv", "image,x0,y0,x1,y1\na.jpg,1,2,3,4\n")
        assert len(read_samples(tmp_path, "test")) == 1

    @pytest.mark.parametrize("labels", [["faces"], ["train", "val"]])
    def test_results_of_evaluate_are_no_labels(self, tmp_path, labels):
        make_image(tmp_path / "a.jpg")
        for name in labels:
            write(tmp_path / f"{name}.csv", "image,x0,y0,x1,y1\na.jpg,1,2,3,4\n")
        results_files.write_results({}, [{"image": "a.jpg", "tags": "", "nme": 3, "eyes": 2}],
                                    tmp_path / "results.json")  # fmt: skip
        assert len(read_samples(tmp_path, "val")) == 1
        for name in labels:
            (tmp_path / f"{name}.csv").unlink()
        assert not READERS["csv"].is_here(tmp_path)

    def test_several_files(self, tmp_path):
        write_csv(tmp_path)
        write(tmp_path / "more.csv", "image,x0,y0\n")
        assert not READERS["csv"].is_here(tmp_path)
        with pytest.raises(ValueError, match=r"Expected one CSV file.*\['faces.csv', 'more.csv'\]"):
            read_samples(tmp_path, reader="csv")


@pytest.mark.skipif(not KIT.is_dir(), reason="the kit of real faces is not beside the checkout")
class TestRealKit:
    def test_counts(self):
        assert len(read_samples(KIT)) == 1809
        assert len(read_samples(KIT, "val")) == 200

    def test_wflw98(self):
        samples = read_samples(KIT, "train", "wflw98") + read_samples(KIT, "val", "wflw98")
        assert len(samples) == 2966
        for sample in samples[:: len(samples) // 20]:
            height, width = cv2.imread(sample.path).shape[:2]
            assert sample.points_image.shape == (get_scheme("wflw98").num_landmarks, 2)
            assert (sample.points_image > -0.5).all()
            assert (sample.points_image < [width - 0.5, height - 0.5]).all()


HARD = KIT.with_name("faces_hard")


@pytest.mark.skipif(not HARD.is_dir(), reason="the hard faces are not beside the checkout")
class TestHardFaces:
    def test_gaps_and_sets(self):
        samples = read_samples(HARD, "val", "ibug68")
        assert {sample.tags[0] for sample in samples} == {"cfp", "aflw80"}
        profiles = [sample for sample in samples if sample.tags[0] == "cfp"]
        assert max(sample.labelled.sum() for sample in profiles) <= 21
        assert all(sample.weights is None for sample in samples)

    def test_doubt(self):
        samples = read_samples(HARD, "train", "wflw98", only=["wider"])
        weights = np.stack([sample.weights for sample in samples])
        assert (weights > 0).all() and (weights <= 1).all()
        assert 0.3 < np.median(weights) < 0.9

    def test_wflw_alone(self):
        samples = read_samples(HARD, "val", "wflw98", only=["wflw"])
        assert len(samples) == 363
        with pytest.raises(NoFaces):
            read_samples(HARD, "train", "wflw98", only=["wflw"])
