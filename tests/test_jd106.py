"""The reader of JD-landmark and LaPa."""

from pathlib import Path

import pytest
from written_faces import (
    check_points,
    landmark_text,
    make_image,
    make_points,
    names,
    write,
    write_jd,
)

from keras_lotr.conversions import convert
from keras_lotr.datasets import jd106, read_samples

pytestmark = pytest.mark.once


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
