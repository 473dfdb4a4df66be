"""Labels against their pictures: sizes, orientation, and landmarks outside."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from keras_lotr.cli import main
from keras_lotr.datasets import read_samples
from keras_lotr.datasets.batches import load_crops
from keras_lotr.datasets.label_check import picture_size, share_outside

pytestmark = pytest.mark.once


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
