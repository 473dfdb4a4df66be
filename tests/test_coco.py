"""The reader of COCO files."""

import json

import pytest
from written_faces import (
    check_points,
    coco_content,
    make_image,
    make_points,
    names,
    write,
    write_roboflow,
)

from keras_lotr.datasets import read_samples

pytestmark = pytest.mark.once


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
