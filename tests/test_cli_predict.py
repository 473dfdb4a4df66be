"""`keras-lotr predict`, with a tiny untrained preset."""

import errno
import importlib.util
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.cli import main, result_folder
from keras_lotr.cli.result_log import check_same_faces
from keras_lotr.datasets import read_samples
from keras_lotr.inference import formats
from keras_lotr.inference.saved_results import read_entries
from keras_lotr.lotr import LOTR


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    LOTR(MobileNetV2(image_size=64), num_landmarks=68).save_to_preset(folder)
    return str(folder)


@pytest.fixture(scope="module")
def preset_98(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny_98"
    LOTR(MobileNetV2(image_size=64), num_landmarks=98).save_to_preset(folder)
    return str(folder)


@pytest.fixture
def photos(tmp_path):
    """A folder of two photos, and boxes.json for them: two faces and none."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "b.png"):
        cv2.imwrite(str(folder / name), np.full((120, 160, 3), 99, np.uint8))
    boxes = {"a.jpg": [[20, 20, 80, 90], [60, 30, 150, 110]], "b.png": []}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    return folder


@pytest.fixture(scope="module")
def model(preset):
    return LOTR.from_preset(preset)


@pytest.fixture
def predict(preset, model, photos, monkeypatch):
    """Runs the command; the model is loaded and compiled once for all tests."""
    monkeypatch.chdir(photos.parent)
    load = LOTR.from_preset
    monkeypatch.setattr(LOTR, "from_preset", lambda p, **how: model if p == preset else load(p))

    def run(*arguments, boxes="boxes.json", input=None):
        given = ["--boxes", boxes] if boxes else []
        arguments = ["predict", "--preset", preset, *given, *map(str, arguments)]
        return CliRunner().invoke(main, arguments, input=input)

    return run


class TestOutput:
    def test_json_to_standard_output(self, predict):
        result = predict("in")
        assert result.exit_code == 0, result.stderr
        first, second = json.loads(result.stdout)
        assert list(first) == ["source", "width", "height", "faces"]
        assert (first["source"], first["width"]) == (os.path.join("in", "a.jpg"), 160)
        assert first["faces"][0]["box"] == [20, 20, 80, 90]
        assert np.shape(first["faces"][1]["points"]) == (68, 2)
        assert second["faces"] == []
        assert "No face in in/b.png" in result.stderr.replace(os.sep, "/")

    def test_folder_with_everything(self, predict, tmp_path):
        result = predict("in", "--output", "out", "--format", "json,csv,pts,coco", "--draw")
        assert result.exit_code == 0, result.stderr
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            *("a.csv", "a.jpg", "a.json", "a_0.pts", "a_1.pts", "b.csv", "b.jpg", "b.json"),
            "coco.json",
        ]
        drawn = cv2.imread(str(tmp_path / "out" / "a.jpg"))
        assert drawn.shape == (120, 160, 3)
        assert np.abs(drawn.astype(int) - 99).max() > 50
        faces = json.loads((tmp_path / "out" / "a.json").read_text())[0]["faces"]
        for file in ("a.csv", "coco.json"):
            samples = read_samples(tmp_path / "out" / file)
            points = [sample.points_image for sample in samples]
            np.testing.assert_allclose(points, [face["points"] for face in faces], atol=1e-3)

    def test_axes_of_the_heads_are_drawn(self, predict, monkeypatch):
        asked = []
        monkeypatch.setattr(result_folder, "draw", lambda i, f, **how: asked.append(how) or i)
        for more in ([], ["--pose"]):
            result = predict("in/a.jpg", "--output", "out", "--draw", *more)
            assert result.exit_code == 0, result.stderr
        assert [how["pose"] for how in asked] == [False, True]

    def test_one_file(self, predict, tmp_path):
        assert predict("in", "--output", "all.json").exit_code == 0
        assert len(json.loads((tmp_path / "all.json").read_text())) == 2
        assert predict("in", "--output", "all.csv").exit_code == 0
        assert len((tmp_path / "all.csv").read_text().splitlines()) == 3
        if importlib.util.find_spec("pyarrow"):
            assert predict("in", "--output", "all.parquet").exit_code == 0
            as_csv, as_parquet = map(read_entries, ("all.csv", "all.parquet"))
            assert as_csv == as_parquet and len(as_csv) == 1
        assert predict("in", "--output", "coco.json", "--format", "coco").exit_code == 0
        assert len(read_samples(tmp_path / "coco.json")) == 2

    def test_same_name_in_two_folders(self, predict, tmp_path):
        (tmp_path / "more").mkdir()
        os.link(tmp_path / "in" / "a.jpg", tmp_path / "more" / "a.jpg")
        boxes = dict.fromkeys(["in/a.jpg", "more/a.jpg", "b.png"], [[20, 20, 80, 90]])
        (tmp_path / "boxes.json").write_text(json.dumps(boxes))
        assert predict("in", "more", "--output", "out").exit_code == 0
        names = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert names == ["a.json", "a_2.json", "b.json"]

    def test_names_of_the_files_of_all_images_are_not_taken(self, predict, photos, tmp_path):
        (photos / "a.jpg").rename(photos / "coco.jpg")
        (tmp_path / "boxes.json").write_text(json.dumps({"coco.jpg": [[20, 20, 80, 90]]}))
        assert predict("in/coco.jpg", "--output", "out", "--format", "json,coco").exit_code == 0
        assert len(read_samples(tmp_path / "out" / "coco.json")) == 1
        assert len(json.loads((tmp_path / "out" / "coco_2.json").read_text())) == 1

    def test_odd_names_of_files(self, predict, photos, tmp_path):
        odd = os.fsdecode(b"caf\xe9.jpg")
        (photos / "a.jpg").rename(photos / odd)
        boxes = {"b.png": [[20, 20, 80, 90]], odd: [[20, 20, 80, 90]]}
        (tmp_path / "boxes.json").write_text(json.dumps(boxes))
        for output in ("all.json", "out"):
            assert predict("in", "--output", output).exit_code == 0
        entries = json.loads((tmp_path / "all.json").read_text())
        assert {entry["source"] for entry in entries} == {f"in/{odd}", "in/b.png"}
        assert len(list((tmp_path / "out").iterdir())) == 2

    def test_folder_whose_name_looks_like_a_file(self, predict, tmp_path):
        assert predict("in", "--output", "v1.txt/").exit_code == 0
        assert predict("in", "--output", "v1.txt").exit_code == 0  # it is there now
        assert predict("in", "--output", "out.2026").exit_code == 0
        assert (tmp_path / "v1.txt" / "a.json").is_file()
        assert (tmp_path / "out.2026" / "a.json").is_file()

    def test_originals_are_not_replaced(self, predict, photos):
        before = (photos / "a.jpg").read_bytes()
        result = predict("in", "--output", "in", "--draw")
        assert result.exit_code == 2
        assert "would replace a.jpg" in result.stderr
        assert (photos / "a.jpg").read_bytes() == before

    def test_no_photo_is_drawn_over(self, predict, tmp_path):
        """Of an image that is not looked at, with the name that a drawn one would have."""
        (tmp_path / "album").mkdir()
        photo = tmp_path / "album" / "b.jpg"
        cv2.imwrite(str(photo), np.full((9, 9, 3), 50, np.uint8))
        before = photo.read_bytes()
        for source in ("in", "in/b.png"):
            result = predict(source, "--output", "album", "--draw")
            assert result.exit_code == 2 and "would replace b.jpg" in result.stderr
        assert photo.read_bytes() == before
        assert os.listdir(tmp_path / "album") == ["b.jpg"]
        assert predict("in", "--output", "album", "--draw", "--resume").exit_code == 0
        assert photo.read_bytes() == before and (tmp_path / "album" / "b_2.jpg").is_file()
        for _ in range(2):  # what was drawn is drawn again
            assert predict("in", "--output", "new", "--draw").exit_code == 0

    def test_photos_in_the_folder_of_the_results(self, predict, photos):
        (photos / "holiday").mkdir()
        (photos / "b.png").rename(photos / "holiday" / "b.png")
        for _ in range(2):
            arguments = ("in", "--recursive", "--draw", "--output", "in/holiday/")
            assert "2 images, 2 faces" in predict(*arguments).stderr
        drawn = sorted(os.listdir(photos / "holiday"))
        assert drawn == ["a.jpg", "a.json", "b.png", "holiday"]

    def test_an_image_too_long_to_be_drawn_does_not_stop_the_others(self, predict, photos):
        cv2.imwrite(str(photos / "a.png"), np.zeros((40, 65_501, 3), np.uint8))
        (photos / "a.jpg").unlink()
        boxes = {"a.png": [[20, 5, 80, 35]], "b.png": [[20, 20, 80, 90]]}
        (photos.parent / "boxes.json").write_text(json.dumps(boxes))
        result = predict("in", "--output", "out", "--draw")
        assert result.exit_code == 1 and "at most 65,500 pixels a side" in result.stderr
        assert (photos.parent / "out" / "b.jpg").is_file()

    def test_boxes_as_csv_and_flip(self, predict, tmp_path):
        (tmp_path / "boxes.csv").write_text("image,x0,y0,x1,y1\na.jpg,20,20,80,90\n")
        plain = predict("in/a.jpg", boxes="boxes.csv")
        assert len(json.loads(plain.stdout)[0]["faces"]) == 1
        flipped = predict("in/a.jpg", "--flip", boxes="boxes.csv")
        assert flipped.exit_code == 0
        assert flipped.stdout != plain.stdout

    def test_boxes_of_an_earlier_prediction(self, predict, tmp_path):
        first = json.loads(predict("in", "--output", "in/faces.csv").stdout or "[]")
        assert predict("in", "--output", "faces.json").exit_code == 0
        first = json.loads((tmp_path / "faces.json").read_text())
        for boxes in ("in/faces.csv", "faces.json"):
            again = predict("in/a.jpg", boxes=boxes)
            assert json.loads(again.stdout)[0]["faces"] == first[0]["faces"]


class TestResumeWithAnotherPreset:
    @pytest.mark.parametrize(
        "output",
        [
            *(["r.csv"], ["r.json"], ["r.jsonl"], ["r.json", "--format", "coco"], ["r"]),
            *(["r", "--format", "csv,pts"], ["r", "--format", "coco"]),
        ],
    )
    @pytest.mark.parametrize("killed", [False, True])
    def test_it_is_refused_and_changes_nothing(self, output, killed, predict, preset_98):
        assert predict("in/a.jpg", "--output", *output).exit_code == 0
        if killed and output[0] != "r":
            (entry,) = read_entries(output[0])
            Path(f"{output[0]}.part").write_text(json.dumps(entry) + '\n{"source": "in/')
            os.remove(output[0])
        before = contents()
        result = predict("in", "--output", *output, "--resume", "--preset", preset_98)
        assert (result.exit_code, contents() == before) == (2, True)
        (line,) = result.stderr.splitlines()
        for part in (
            "which finds ibug68",
            "which finds wflw98",
            f"--preset {preset_98}",
            "Take the",
        ):
            assert part in line
        result = predict("in", "--output", *output, "--resume")
        assert "1 done before" in result.stderr and result.exit_code == 0

    def test_certainty_is_another_kind(self):
        found = {("ibug68", True): "all.json"}
        with pytest.raises(ValueError, match="ibug68 landmarks with their certainty.*without"):
            check_same_faces(found, "mine", "ibug68", False)
        check_same_faces(found, "mine", "ibug68", True)


def contents():
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


class TestSources:
    def test_standard_input(self, predict, photos, tmp_path, monkeypatch):
        (tmp_path / "stdin.json").write_text(json.dumps({"-": [[20, 20, 80, 90]]}))
        data = (photos / "a.jpg").read_bytes()
        result = predict("-", boxes="stdin.json", input=data)
        (entry,) = json.loads(result.stdout)
        assert (entry["source"], entry["width"], len(entry["faces"])) == ("-", 160, 1)
        arguments = ("-", "in/b.png", "--output", "out", "--draw")
        result = predict(*arguments, boxes="stdin.json", input=data)
        assert "no boxes for in/b.png" in result.stderr
        names = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert names == ["stdin.jpg", "stdin.json"]
        result = predict("-", boxes="stdin.json", input=data[:100])
        assert result.exit_code == 2
        assert "keras-lotr: standard input: Expected an image" in result.stderr

    def test_recursive(self, predict, photos, tmp_path):
        deep = photos / "more" / "still"
        deep.mkdir(parents=True)
        (photos / "a.jpg").rename(deep / "a.jpg")
        assert [e["source"] for e in json.loads(predict("in").stdout)] == ["in/b.png"]
        found = json.loads(predict("in", "--recursive").stdout)
        assert {e["source"] for e in found} == {"in/b.png", "in/more/still/a.jpg"}
        result = predict("in/more")
        assert result.exit_code == 2
        assert "There is none in in/more. Its subfolders are searched with --rec" in result.stderr
        assert len(json.loads(predict("in/more", "--recursive").stdout)) == 1
        assert predict("in/more/*", "--recursive").exit_code == 2

    def test_a_folder_as_output_gets_the_subfolders(self, predict, photos):
        """Of which it may be one: what was drawn is no image to look at."""
        for folder in ("one", "two/deep"):
            (photos / folder).mkdir(parents=True)
            (photos / folder / "a.jpg").write_bytes((photos / "a.jpg").read_bytes())
        names = ["in/a.jpg", "in/one/a.jpg", "in/two/deep/a.jpg", "b.png"]
        (photos.parent / "boxes.json").write_text(
            json.dumps(dict.fromkeys(names, [[9, 9, 80, 90]]))
        )
        expected = {
            f"{name}.{kind}"
            for name in ("a", "b", "one/a", "two/deep/a")
            for kind in ("json", "jpg")
        }
        for source, output in (("in", "out"), ("in/", "in/found"), ("./in", "in/found")):
            again = ["--resume"] * (source == "./in")
            arguments = (source, "--recursive", "--draw", "--output", output)
            result = predict(*arguments, *again)
            assert "4 images, " in result.stderr and result.exit_code == 0, result.stderr
            assert ("4 done before" in result.stderr) == bool(again)
            files = (path for path in Path(output).rglob("*") if path.is_file())
            assert {path.relative_to(output).as_posix() for path in files} == expected

    def test_engine(self, predict, preset):
        """auto takes Keras where there is no model.onnx, as here."""
        result = predict("in", "--engine", "onnxruntime")
        assert result.exit_code == 2 and "has no model.onnx" in result.stderr
        plain, keras = predict("in"), predict("in", "--engine", "keras")
        assert plain.exit_code == 0 and plain.stdout == keras.stdout


class TestBadInput:
    def test_one_bad_file_among_many(self, predict, photos):
        (photos / "c.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
        boxes = {name: [[20, 20, 80, 90]] for name in ("a.jpg", "b.png", "c.jpg")}
        (photos.parent / "more.json").write_text(json.dumps(boxes))
        result = predict("in", "in/no.jpg", boxes="more.json")
        assert result.exit_code == 1
        assert len(json.loads(result.stdout)) == 2
        first, second, last = result.stderr.splitlines()
        assert "no boxes for in/no.jpg" in first
        assert "c.jpg is cut off" in second
        said = r"keras-lotr: 4 images, 2 faces, 2 failed, written to standard output \(\d+\.\d s\)"
        assert re.fullmatch(said, last)

    def test_box_outside(self, predict, photos):
        (photos.parent / "far.json").write_text(json.dumps({"a.jpg": [[900, 900, 990, 990]]}))
        result = predict("in/a.jpg", boxes="far.json")
        assert result.exit_code == 2
        assert "in/a.jpg: Expected a box x0, y0, x1, y1 in image pixels, of which" in result.stderr
        assert "1 image, 0 faces, 1 failed, nothing was written" in result.stderr
        assert result.stdout == ""

    def test_an_image_that_cannot_be_written_does_not_stop_the_others(self, predict, tmp_path):
        (tmp_path / "out" / "a.json").mkdir(parents=True)
        result = predict("in", "--output", "out")
        assert result.exit_code == 1
        assert (
            "keras-lotr: in/a.jpg: Expected a file to write. out/a.json is a folder"
            in result.stderr
        )
        assert "2 images, 0 faces, 1 failed, written to out/" in result.stderr
        assert (tmp_path / "out" / "b.json").is_file()

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["none/*.jpg"], "There is none in none/*.jpg"),
            (["in", "--draw"], "Expected a folder as output"),
            (["in", "--draw", "--output", "a.json"], "Expected a folder as output"),
            (["in", "--ellipses", "--output", "o"], "Expected --draw with --ellipses. Received: n"),
            (["in", "--ellipses", "--pose"], "Expected --draw with --ellipses and --pose."),
            (
                ["in", "--draw", "--ellipses", "--output", "o"],
                "Expected a preset that says how sure it is with --ellipses.",
            ),
            (["in", "--format", "xml"], "Expected formats of json, jsonl, csv, parquet, pts, coco"),
            (["in", "--format", "json,csv"], "Expected a folder as output for the formats"),
            (["in", "--format", "pts"], "Expected a folder as output for the formats"),
            (["in", "--output", "a.pts"], "a .pts file holds one face"),
            (["in/a.jpg", "--output", "a.pts"], "There are 2: use a folder"),
            (["in", "--preset", "no_such"], "There is no preset 'no_such'"),
            (["in", "--boxes", "no.json"], "There is no file of boxes no.json"),
            (["in", "--threshold", "7"], "threshold"),
            (["in", "--output", "x.txt"], "Received: x.txt (x.txt/ is a folder)"),
            (["in", "--output", "x.png", "--draw"], "Received: x.png (x.png/ is a folder)"),
            (["in", "--output", ""], "Expected a file or folder as output. Received: an empty"),
            (
                ["in", "--format", "parquet"],
                "Expected a file as output for the format parquet: --out",
            ),
            (["in", "--output", "x.parquet", "--format", "csv"], "Expected a file .csv for the"),
            (["in", "--output", "x.json", "--format", "csv"], "Expected a file .csv for the form"),
            (["in", "--resume"], "Expected a file or folder that --resume goes on with"),
            (
                ["in", "--output", "in/b.png"],
                "or a file .json, .jsonl, .csv, .parquet, .pts, as output",
            ),
        ],
    )
    def test_usage(self, predict, arguments, sentence):
        result = predict(*arguments)
        assert result.exit_code == 2
        assert sentence in result.stderr
        assert "Traceback" not in result.output

    @pytest.mark.parametrize("text", ["hello", "[1]", '{"a.jpg": [[1, 2, "x", 4]]}', '{"a": 5}'])
    def test_broken_boxes(self, predict, tmp_path, text):
        (tmp_path / "broken.json").write_text(text)
        result = predict("in", boxes="broken.json")
        assert result.exit_code == 2
        assert "Expected boxes as JSON" in result.stderr

    def test_parquet_without_pyarrow(self, predict, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        result = predict("in", "--output", "x.parquet")
        assert result.exit_code == 2
        sentence = "Parquet files need pyarrow: pip install 'keras-lotr[parquet]'"
        assert result.stderr == f"keras-lotr: {sentence}\n"
        (tmp_path / "boxes.parquet").write_bytes(b"PAR1")
        assert sentence in predict("in", boxes="boxes.parquet").stderr

    def test_missing_detector(self, predict):
        result = predict("in", "--detector", "no.onnx", boxes=None)
        assert result.exit_code == 2
        assert "There is no face detector no.onnx" in result.stderr


class TestEarlyEnd:
    """Of a full disk, or Ctrl-C: no further image is looked at."""

    @pytest.fixture
    def ends(self, predict, monkeypatch):
        """Runs the command, in which the result of b.png is not written because of an error."""
        json_line = formats.json_line

        def line_or_error(error, entry):
            if entry.get("source") == "in/b.png":
                raise error
            return json_line(entry)

        def run(error, *arguments):
            with monkeypatch.context() as patch:
                patch.setattr(formats, "json_line", partial(line_or_error, error))
                return predict("in", "--output", *arguments)

        return run

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
    def test_a_full_disk_ends_a_folder(self, code, ends, photos, predict):
        for name in ("c.png", "d.png"):
            (photos / name).write_bytes((photos / "b.png").read_bytes())
        boxes = {"a.jpg": [[20, 20, 80, 90]], "b.png": [], "c.png": [], "d.png": []}
        Path("boxes.json").write_text(json.dumps(boxes))
        result = ends(OSError(code, os.strerror(code)), "out")
        assert result.exit_code == 2
        *_, last = result.stderr.splitlines()
        assert last == (
            f"keras-lotr: out/b.json cannot be written: {os.strerror(code)}. What was found so far "
            "is in out/; --resume goes on from there."
        )
        assert os.listdir("out") == ["a.json"] and "c.png" not in result.stderr
        assert "1 done before" in predict("in", "--output", "out", "--resume").stderr

    def test_other_errors_of_a_file_do_not(self, ends):
        result = ends(OSError(errno.EACCES, "No"), "out")
        assert result.exit_code == 1 and "2 images, 2 faces, 1 failed" in result.stderr

    @pytest.mark.parametrize(
        ("output", "left"),
        [
            (["out"], "What was found so far is in out/; --resume goes on from there."),
            (["out", "--format", "jsonl,csv"], "found so far is in out/; --resume goes on"),
            (["r.json"], "What was found so far is in r.json.part; --resume goes on from there."),
        ],
    )
    def test_ctrl_c(self, output, left, ends, predict):
        result = ends(KeyboardInterrupt(), *output)
        assert result.exit_code == 130
        (line,) = (x for x in result.stderr.splitlines() if "No face" not in x)
        assert line.startswith("keras-lotr: Stopped. ") and left in line
        assert predict("in", "--output", *output, "--resume").exit_code == 0


class TestCommand:
    def run(self, *arguments, **options):
        start = "from keras_lotr.cli import main; main(prog_name='keras-lotr')"
        command = [sys.executable, "-c", start, *arguments]
        options = {"capture_output": True, "text": True, **options}
        return subprocess.run(command, timeout=300, **options)

    def test_predict(self, preset, photos):
        arguments = ["predict", "in", "--preset", preset, "--boxes", "boxes.json"]
        result = self.run(*arguments, cwd=photos.parent)
        assert result.returncode == 0, result.stderr
        assert len(json.loads(result.stdout)[0]["faces"]) == 2
        first, last = result.stderr.splitlines()
        assert first == "keras-lotr: No face in in/b.png."
        assert last.startswith("keras-lotr: 2 images, 2 faces, 0 failed, written to standard out")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    @pytest.mark.parametrize("kind", ["json", "coco"])
    def test_a_full_standard_output_ends_the_run(self, kind, preset, photos):
        with open("/dev/full", "w") as full:
            arguments = ["predict", "in", "--preset", preset, "--boxes", "boxes.json"]
            result = self.run(
                *(*arguments, "--format", kind), cwd=photos.parent, capture_output=False,
                stdout=full, stderr=subprocess.PIPE,
            )  # fmt: skip
        assert result.returncode == 2
        expected = "keras-lotr: Standard output cannot be written: No space left on device."
        assert [x for x in result.stderr.splitlines() if "No face" not in x] == [expected]

    @pytest.mark.skipif(sys.platform == "win32", reason="has other pipes")
    def test_a_reader_that_goes_away_ends_the_run_quietly(self, preset, photos):
        reader, writer = os.pipe()
        os.close(reader)
        arguments = ["predict", "in", "--preset", preset, "--boxes", "boxes.json"]
        result = self.run(
            *(*arguments, "--format", "jsonl"), cwd=photos.parent, capture_output=False,
            stdout=writer, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(writer)
        assert (result.returncode, result.stderr) == (1, "")

    def test_min_face_size(self, preset):
        photo = str(Path(__file__).parents[1] / "examples" / "astronaut.jpg")
        for size, code, said in (
            ("80", 0, "1 image, 1 face, 0 failed"),
            ("-3", 2, "Expected min_face_size as pixels"),
            ("600", 2, "shorter side"),
        ):
            result = self.run("predict", photo, "--preset", preset, "--min-face-size", size)
            assert (result.returncode, said in result.stderr) == (code, True), result.stderr
            assert "Traceback" not in result.stderr

    def test_a_console_without_the_letters_of_a_name(self, preset, photos):
        """As many consoles of Windows have it."""
        name = f"{chr(0x9854)}{chr(0x1F600)}.jpg"
        (photos / "a.jpg").rename(photos / name)
        arguments = ["predict", f"in/{name}", "--preset", preset, "--boxes", "named.json"]
        (photos.parent / "named.json").write_text(json.dumps({name: [[20, 20, 80, 90]]}))
        environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
        result = self.run(*arguments, cwd=photos.parent, env=environment, text=False)
        assert result.returncode == 0, result.stderr
        (entry,) = json.loads(result.stdout.decode("cp1252"))
        assert entry["source"] == f"in/{name}" and len(entry["faces"]) == 1
