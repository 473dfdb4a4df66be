"""The reader of CSV files."""

import os

import cv2
import numpy as np
import pytest
from written_faces import check_points, make_image, names, write, write_csv

from keras_lotr.csv_table import read_header
from keras_lotr.datasets import READERS, read_samples
from keras_lotr.evaluation import results_files

pytestmark = pytest.mark.once


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

    def test_a_name_in_the_header_may_have_lines_and_separators(self, tmp_path):
        make_image(tmp_path / "a.jpg")
        text = '# of one face\n\n"note\nof; the day",image,x0,y0,x1,y1\n"two\nlines",a.jpg,1,2,3,'
        file = write(tmp_path / "faces.csv", text + "4\n")
        assert read_header(file) == ["note\nof; the day", "image", "x0", "y0", "x1", "y1"]
        assert len(read_samples(tmp_path)) == 1
        write(file, text + "no\n")
        with pytest.raises(ValueError, match="Expected 6 fields.*faces.csv, line 6"):
            read_samples(tmp_path)

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
