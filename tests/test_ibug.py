"""The reader of trees of .pts files."""

from pathlib import Path

import numpy as np
import pytest
from written_faces import check_points, make_image, make_points, names, write, write_300w, write_pts

from keras_lotr.datasets import ibug, read_samples

pytestmark = pytest.mark.once


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
