"""The reader of WFLW."""

import pytest
from written_faces import (
    WFLW_NAME,
    check_points,
    make_points,
    names,
    wflw_fields,
    write,
    write_wflw,
)

from keras_lotr.conversions import convert
from keras_lotr.datasets import NoFaces, read_samples, wflw

pytestmark = pytest.mark.once


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
