"""Any data set: which reader takes it, and the kits of real faces."""

import json
import pickle

import cv2
import numpy as np
import pytest
from shared_data import FACES, HARD_FACES, needs
from written_faces import (
    check_points,
    coco_content,
    make_image,
    make_points,
    pts,
    write,
    write_300w,
    write_csv,
    write_jd,
    write_kit,
    write_pts,
    write_roboflow,
    write_shards,
    write_wflw,
)

from keras_lotr.datasets import READERS, NoFaces, read_samples, shard_writing
from keras_lotr.schemes import get_scheme

pytestmark = pytest.mark.once


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

    def test_other_splits_are_read_for_who_reads_the_message(self, tmp_path, monkeypatch):
        make_image(tmp_path / "a.jpg")
        file = write(tmp_path / "faces.csv", "image,x0,y0,x1,y1,split\na.jpg,1,2,3,4,train\n")
        asked, read = [], READERS["csv"].read

        def noted(folder, split, **options):
            asked.append(split)
            return read(folder, split, **options)

        monkeypatch.setattr(READERS["csv"], "read", noted)
        with pytest.raises(NoFaces) as caught:
            read_samples(file, "test")
        assert asked == ["test"]
        copy = pickle.loads(pickle.dumps(caught.value))
        assert str(copy) == str(caught.value)
        assert str(copy).endswith("There are 1 in 'train'.")

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
        for only in ("blur", (tag for tag in ["pose", "blur"])):
            assert [s.tags for s in read_samples(tmp_path, only=only)] == [sample.tags]
        with pytest.raises(TypeError, match=r"Expected tags as texts.* Received: \[5\]"):
            read_samples(tmp_path, only=[5])

    def test_an_iterator_of_tags_is_for_all_faces(self, tmp_path):
        write_wflw(tmp_path)
        every = read_samples(tmp_path, only=["blur", "make-up", "illumination"])
        found = read_samples(tmp_path, only=iter(["blur", "make-up", "illumination"]))
        assert [s.tags for s in found] == [s.tags for s in every]

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


@needs(FACES)
class TestRealKit:
    def test_counts(self):
        assert len(read_samples(FACES)) == 1809
        assert len(read_samples(FACES, "val")) == 200

    def test_wflw98(self):
        samples = read_samples(FACES, "train", "wflw98") + read_samples(FACES, "val", "wflw98")
        assert len(samples) == 2966
        for sample in samples[:: len(samples) // 20]:
            height, width = cv2.imread(sample.path).shape[:2]
            assert sample.points_image.shape == (get_scheme("wflw98").num_landmarks, 2)
            assert (sample.points_image > -0.5).all()
            assert (sample.points_image < [width - 0.5, height - 0.5]).all()


@needs(HARD_FACES)
class TestHardFaces:
    def test_gaps_and_sets(self):
        samples = read_samples(HARD_FACES, "val", "ibug68")
        assert {sample.tags[0] for sample in samples} == {"cfp", "aflw80"}
        profiles = [sample for sample in samples if sample.tags[0] == "cfp"]
        assert max(sample.labelled.sum() for sample in profiles) <= 21
        assert all(sample.weights is None for sample in samples)

    def test_doubt(self):
        samples = read_samples(HARD_FACES, "train", "wflw98", only=["wider"])
        weights = np.stack([sample.weights for sample in samples])
        assert (weights > 0).all() and (weights <= 1).all()
        assert 0.3 < np.median(weights) < 0.9

    def test_wflw_alone(self):
        samples = read_samples(HARD_FACES, "val", "wflw98", only=["wflw"])
        assert len(samples) == 363
        with pytest.raises(NoFaces):
            read_samples(HARD_FACES, "train", "wflw98", only=["wflw"])
