"""Results of `keras-lotr predict` on the disk: whole or not at all, each image once."""

import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from keras_lotr.cli.result_files import open_results
from keras_lotr.cli.result_log import ResultLog
from keras_lotr.inference import formats
from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.inference.results import FaceLandmarks
from keras_lotr.inference.saved_results import read_entries

pytestmark = pytest.mark.once

FACE = FaceLandmarks([[10, 20], [30, 40]], [10, 20, 30, 40], 0.9, "plain2")


def photo(name, faces=1):
    return PhotoLandmarks(name, [FACE] * faces, 64, 48)


def run(images, output, kinds=None, resume=False, close=True, faces=1):
    """Adds the images that are not there yet; their names."""
    results = open_results(images, output, kinds, resume=resume)
    added = [image for image in images if image not in results]
    for image in added:
        results.add(photo(image, faces), image)
    if close:
        results.close()
    return added


def needs_pyarrow(kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="writes Parquet")


def sources(path):
    return [os.path.basename(entry["source"]) for entry in read_entries(path)]


IMAGES = [f"{i}.jpg" for i in range(5)]


class TestOneFile:
    @pytest.mark.parametrize(
        "name", ["all.json", "all.jsonl", "all.csv", "all.parquet", "all.JSON"]
    )
    def test_resume(self, name, tmp_path):
        needs_pyarrow(name.rpartition(".")[2])
        path = tmp_path / name
        assert run(IMAGES[:2], path) == IMAGES[:2]
        whole = path.read_bytes()
        assert run(IMAGES[:4], path, resume=True, close=False) == IMAGES[2:4]
        assert path.read_bytes() == whole  # until it is done
        assert run(IMAGES, path, resume=True) == IMAGES[4:]
        assert sources(path) == IMAGES
        assert os.listdir(tmp_path) == [name]
        assert run(IMAGES, path, resume=True) == []
        assert sources(path) == IMAGES
        assert run(IMAGES[:1], path) == IMAGES[:1]  # anew
        assert sources(path) == IMAGES[:1]

    def test_resume_after_a_kill_in_the_midst_of_a_line(self, tmp_path):
        path = tmp_path / "all.json"
        run(IMAGES[:2], path, close=False)
        part = tmp_path / "all.json.part"
        part.write_bytes(part.read_bytes()[:-30])
        assert run(IMAGES, path, resume=True) == IMAGES[1:]
        assert sources(path) == IMAGES

    def test_a_kill_while_the_old_results_are_read_again(self, tmp_path, monkeypatch):
        """None of them is lost, also if the next run is about other images."""
        path = tmp_path / "all.json"
        run(IMAGES[:3], path)
        line = formats.json_line

        def killed(entry):
            if entry["source"] == IMAGES[2]:
                raise KeyboardInterrupt
            return line(entry)

        monkeypatch.setattr(formats, "json_line", killed)
        with pytest.raises(KeyboardInterrupt):
            run(IMAGES, path, resume=True)
        monkeypatch.undo()
        assert run(IMAGES[4:], path, resume=True) == IMAGES[4:]
        assert sources(path) == IMAGES[:3] + IMAGES[4:]

    @pytest.mark.parametrize("name", ["all.json", "all.csv", "coco.json"])
    def test_opening_for_resume_changes_nothing(self, name, tmp_path):
        """A run may still be refused then."""
        path, kinds = tmp_path / name, ["coco"] if name == "coco.json" else None
        run(IMAGES[:2], path, kinds)
        results = open_results(IMAGES, path, kinds, resume=True)
        assert results.found_before == {("plain2", False): path}
        assert os.listdir(tmp_path) == [name]
        run(IMAGES[2:4], path, kinds, resume=True, close=False)
        part = tmp_path / f"{name}.part"
        part.write_bytes(part.read_bytes()[:-30])
        before = part.read_bytes()
        results = open_results(IMAGES, path, kinds, resume=True)
        assert results.found_before == {("plain2", False): part}
        assert part.read_bytes() == before

    def test_all_was_done_before(self, tmp_path):
        path = tmp_path / "all.json"
        run(IMAGES, path, close=False)
        assert run(IMAGES, path, resume=True) == []
        assert sources(path) == IMAGES and os.listdir(tmp_path) == ["all.json"]
        run([], tmp_path / "none.json")
        assert sources(tmp_path / "none.json") == []

    def test_coco_is_resumed_as_well(self, tmp_path):
        path = tmp_path / "all.json"
        run(IMAGES[:2], path, ["coco"])
        run(IMAGES, path, ["coco"], resume=True)
        assert len(json.loads(path.read_text())["annotations"]) == 5
        assert sources(path) == IMAGES

    def test_resume_of_what_is_no_result(self, tmp_path):
        (tmp_path / "all.json").write_text("{}")
        with pytest.raises(ValueError, match="Expected results of `keras-lotr predict` in .*all"):
            run(IMAGES, tmp_path / "all.json", resume=True)

    def test_nothing_but_names_is_held(self, tmp_path):
        face = FaceLandmarks(np.zeros((1000, 2)), [10, 20, 30, 40], 0.9, "plain1000")
        used = []
        for count in (50, 500):
            results = open_results([], tmp_path / "all.csv")
            tracemalloc.start()
            for i in range(count):
                results.add(PhotoLandmarks(f"{i}.jpg", [face], 64, 48), None)
            results.close()
            used.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert used[1] < used[0] + 500 * 2000  # of 1000 landmarks 16,000 bytes would be held

    def test_long_name(self, tmp_path):
        path = tmp_path / ("n" * 245 + ".json")
        run(IMAGES, path)
        assert sources(path) == IMAGES

    def test_way_that_is_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ValueError, match="Expected a path in a folder"):
            run(IMAGES, tmp_path / "file" / "all.json")


def test_long_names_are_cut_between_letters(tmp_path):
    images = ["n" + "é" * 120 + ".jpg", "n" * 201 + ".jpg", os.fsdecode(b"caf\xe9.jpg")]
    run(images, tmp_path / "found", ["json"])
    names = {path.name for path in (tmp_path / "found").iterdir()}
    assert names == {"n" + "é" * 99 + ".json", "n" * 200 + ".json", os.fsdecode(b"caf\xe9.json")}


FULL = """
import resource, signal, sys
from test_result_files import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    run([f"{i}.jpg" for i in range(100)], "all.json")
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_is_full_leaves_the_old_result(tmp_path):
    (tmp_path / "all.json").write_text("[]")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    said = subprocess.run(
        [sys.executable, "-c", FULL], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert said.stdout.startswith("ResultsNotWritten all.json cannot be written: File too large.")
    assert "found so far is in all.json.part; --resume goes on" in said.stdout, said.stderr
    assert (tmp_path / "all.json").read_text() == "[]"
    added = run([f"{i}.jpg" for i in range(100)], tmp_path / "all.json", resume=True)
    assert 0 < len(added) < 100
    assert len(sources(tmp_path / "all.json")) == 100


def test_without_pyarrow_a_run_does_not_begin(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for output, kinds in (
        ("all.parquet", None),
        ("all.parquet", ["parquet"]),
        ("out", ["parquet"]),
    ):
        with pytest.raises(ImportError, match=r"need pyarrow: pip install 'keras-lotr\[parquet\]'"):
            run(IMAGES, tmp_path / output, kinds)
    (tmp_path / "old.parquet").mkdir()
    assert run(IMAGES[:1], tmp_path / "old.parquet", ["json"]) == IMAGES[:1]  # a folder


class TestFolder:
    @pytest.fixture
    def photos(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name in ("a.jpg", "a_0.jpg", "b.jpg"):
            cv2.imwrite(str(tmp_path / name), np.zeros((48, 64, 3), np.uint8))
        return tmp_path

    def test_resume(self, photos):
        assert run(["a.jpg"], "out", ["json", "csv"]) == ["a.jpg"]
        assert run(["a.jpg", "b.jpg"], "out", ["json", "csv"], resume=True) == ["b.jpg"]
        (photos / "out" / "a.csv").unlink()
        assert run(["a.jpg", "b.jpg"], "out", ["json", "csv"], resume=True) == ["a.jpg"]
        both, kinds = ["a.jpg", "b.jpg"], ["jsonl", "pts"]
        assert run(["a.jpg"], "out", kinds) == ["a.jpg"]
        assert run(both, "out", kinds, resume=True, faces=2) == ["b.jpg"]
        assert run(both, "out", kinds, resume=True) == []
        assert run(both, "out", ["json", "coco"], resume=True) == both
        assert run(both, "out", ["json", "coco"], resume=True) == []
        (photos / "out" / "a.json").unlink()
        assert run(both, "out", ["json", "coco"], resume=True) == ["a.jpg"]
        assert sources("out/coco.json") == both  # each once

    @pytest.mark.parametrize("kinds", [["json"], ["csv"], ["jsonl", "pts"], ["json", "coco"]])
    def test_resume_with_another_image_of_the_same_name(self, kinds, photos):
        for folder in ("one", "two"):
            (photos / folder).mkdir()
            cv2.imwrite(f"{folder}/a.jpg", np.zeros((48, 64, 3), np.uint8))
        assert run(["one/a.jpg"], "out", kinds) == ["one/a.jpg"]
        before = {path: path.read_bytes() for path in Path("out").glob("a.*")}
        assert run(["two/a.jpg"], "out", kinds, resume=True) == ["two/a.jpg"]
        assert before == {path: path.read_bytes() for path in Path("out").glob("a.*")}
        found = {sources(f"out/{name}.{kinds[0]}")[0] for name in ("a", "a_2")}
        assert found == {"a.jpg"} and len(list(Path("out").glob(f"a*.{kinds[0]}"))) == 2
        assert "two" in Path(f"out/a_2.{kinds[0]}").read_text()
        assert run(["two/a.jpg", "one/a.jpg"], "out", kinds, resume=True) == []

    def test_resume_with_a_new_image_that_sorts_before(self, photos):
        assert run(["b.jpg"], "out") == ["b.jpg"]
        assert run(["b.bmp", "b.jpg"], "out", resume=True) == ["b.bmp"]
        assert (sources("out/b.json"), sources("out/b_2.json")) == (["b.jpg"], ["b.bmp"])
        assert run(["b.bmp", "b.jpg"], "out", resume=True) == []

    def test_resume_replaces_nothing_that_is_no_result(self, photos):
        Path("out").mkdir()
        Path("out/a.json").write_text('{"shapes": []}')  # of a labelling program
        Path("out/b.pts").write_text("version: 1")
        kinds = ["json", "pts"]
        assert run(["a.jpg", "b.jpg"], "out", kinds, resume=True) == ["a.jpg", "b.jpg"]
        assert run(["a.jpg", "b.jpg"], "out", kinds, resume=True) == []
        assert Path("out/a.json").read_text() == '{"shapes": []}'
        assert Path("out/b.pts").read_text() == "version: 1"

    def test_resume_keeps_the_faces_of_others(self, photos):
        """a_0.pts is the first face of a.jpg, or the only one of a_0.jpg."""
        kinds = ["json", "pts"]
        run(["a.jpg"], "one", kinds, faces=2)
        run(["a_0.jpg"], "two", kinds)
        first, single = Path("one/a_0.pts"), Path("two/a_0.pts")
        first.write_text("first"), single.write_text("single")
        run(["a_0.jpg"], "one", kinds, resume=True)
        run(["a.jpg"], "two", kinds, resume=True, faces=2)
        assert (first.read_text(), single.read_text()) == ("first", "single")

    def test_resume_looks_again_at_images_without_a_row(self, photos):
        assert run(["a.jpg"], "out", ["csv"], faces=0) == ["a.jpg"]
        assert run(["a.jpg"], "out", ["csv"], resume=True) == ["a.jpg"]
        assert os.listdir("out") == ["a.csv"]

    def test_resume_of_files_that_do_not_say_whose_they_are(self, photos):
        sentence = "--resume whose files say of which image they are, such as --format json,pts"
        for output, kinds in (("out", ["pts"]), ("out", ["pts", "coco"]), ("a.pts", ["pts"])):
            with pytest.raises(ValueError, match=sentence):
                run(["a.jpg"], output, kinds, resume=True)
        with pytest.raises(ValueError, match="such as --format json,coco into a folder"):
            open_results(["a.jpg"], "out", ["coco"], drawn=True, resume=True)
        with pytest.raises(ValueError, match="images with names for --resume. Received: -"):
            run(["-"], "out", resume=True)
        assert run(["a.jpg"], "coco", ["coco"]) == ["a.jpg"]
        assert run(["a.jpg", "b.jpg"], "coco", ["coco"], resume=True) == ["b.jpg"]

    def test_resume_of_tables(self, photos):
        needs_pyarrow("parquet")
        assert run(["a.jpg"], "out", ["parquet"]) == ["a.jpg"]
        assert run(["a.jpg", "b.jpg"], "out", ["parquet"], resume=True) == ["b.jpg"]
        assert sources("out/b.parquet") == ["b.jpg"]

    def test_no_two_results_of_one_name(self, photos):
        images = ["a.jpg", "x/A.png", "y/a.tif", "a_0.jpg", "https://x/a.jpg?b=1"]
        images += ["e\u0301.jpg", "\u00e9.png", "data:image/png;base64,xx", "m" * 251 + ".jpg"]
        run(images, "out", ["json", "pts"], faces=2)
        assert len(list(Path("out").glob("*.json"))) == len(images)
        assert len(list(Path("out").glob("*.pts"))) == 2 * len(images)

    def test_names_of_many_images_of_one_name(self, photos, monkeypatch):
        from keras_lotr.cli import result_folder

        compared, same = [], result_folder._same
        monkeypatch.setattr(
            result_folder, "_same", lambda name: compared.append(name) or same(name)
        )
        images = ["x/a_3.jpg", *(f"{i}/a.jpg" for i in range(300))]
        names = open_results(images, "out", ["pts"]).names
        numbers = [2, *range(4, 302)]
        assert list(names.values()) == ["a_3", "a", *(f"a_{number}" for number in numbers)]
        assert len(compared) < 10 * len(images)

    def test_pts_of_several_faces_come_back(self, photos):
        from keras_lotr.datasets import read_samples

        run(["a.jpg", "b.jpg"], ".", ["pts"], faces=2)
        run(["a_0.jpg"], ".", ["pts"])
        found = {os.path.basename(s.origin): os.path.basename(s.path) for s in read_samples(".")}
        assert found == {
            **{"a_0.pts": "a_0.jpg", "a_1.pts": "a.jpg"},
            **{"b_0.pts": "b.jpg", "b_1.pts": "b.jpg"},
        }
        for path in Path(".").glob("*.pts"):
            path.unlink()
        run(["a.jpg", "a_0.jpg"], ".", ["pts"], faces=2)
        samples = read_samples(".")
        assert sorted(os.path.basename(s.path) for s in samples) == 2 * ["a.jpg"] + 2 * ["a_0.jpg"]

    @pytest.mark.parametrize("ending", ["webp", "tif", "gif", "bmp", "jfif"])
    def test_pts_beside_any_kind(self, ending, photos):
        from keras_lotr.datasets import read_samples

        image = cv2.imread("b.jpg")
        for path in photos.glob("*.jpg"):
            path.unlink()
        written = cv2.imencode(".jpg" if ending == "jfif" else f".{ending}", image)[1]
        Path(f"b.{ending}").write_bytes(written.tobytes())
        run([f"b.{ending}"], ".", ["pts"], faces=3)
        assert {os.path.basename(sample.path) for sample in read_samples(".")} == {f"b.{ending}"}


class TestPrinted:
    @pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "coco"])
    def test_as_it_goes(self, kind, capsys, tmp_path):
        results = open_results(IMAGES, None, [kind])
        for image in IMAGES[:2]:
            results.add(photo(image), image)
        begun = capsys.readouterr().out
        assert bool(begun) == (kind != "coco")
        results.add(photo(IMAGES[2], faces=0), IMAGES[2])
        results.close()
        run(IMAGES[:2] + [], tmp_path / f"same.{'json' if kind == 'coco' else kind}", [kind])
        path = tmp_path / f"all.{'json' if kind == 'coco' else kind}"
        path.write_text(begun + capsys.readouterr().out)
        assert sources(path) == IMAGES[: 2 if kind == "csv" else 3]

    def test_each_row_has_the_mark_of_later_ones(self, capsys, tmp_path):
        results = open_results(IMAGES, None, ["csv"])
        for image, size in zip(IMAGES, (1e-6, 1, 1e-6), strict=False):
            face = replace(FACE, sigma=np.tile(size * 100 * np.eye(2), (2, 1, 1)))
            results.add(PhotoLandmarks(image, [face], 64, 48, min_quality=0.5), image)
        results.close()
        path = tmp_path / "all.csv"
        path.write_text(capsys.readouterr().out)
        faces = [face for entry in read_entries(path) for face in entry["faces"]]
        assert [face.get("low_quality") for face in faces] == [None, True, None]
        assert all("degrees" not in face for face in faces)

    @pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "coco"])
    def test_nothing(self, kind, capsys, tmp_path):
        open_results([], None, [kind]).close()
        path = tmp_path / f"all.{'json' if kind == 'coco' else kind}"
        path.write_text(capsys.readouterr().out)
        assert sources(path) == []


class TestWhatIsNoResult:
    """Labels, notes and other programs' files stay, unless the user removes them."""

    LABELS = {
        "a.json": '[{"image": "a.jpg", "split": "train", "points68": []}]',
        "a.jsonl": '{"image": "a.jpg"}\n{"image": "b.jpg"}\n',
        "a.csv": "image,x0,y0\na.jpg,1,2\n",
        "a.parquet": "no Parquet",
        "a.pts": "version: 1\nn_points:  2\n{\n11.25 21\n31 41\n}\n",
    }
    PEOPLES_COCO = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2], "bbox": [1, 2, 3, 4]}
        ],
        "categories": [{"id": 1, "name": "face", "supercategory": "person"}],
    }
    REFUSED = "Expected a new file to write, or one of `keras-lotr predict`, .*holds something else"

    @pytest.mark.parametrize("name", LABELS)
    @pytest.mark.parametrize("output", ["file", "folder"])
    def test_is_not_replaced(self, name, output, tmp_path):
        kind = name.rpartition(".")[2]
        needs_pyarrow(kind)
        path = tmp_path / name
        path.write_text(self.LABELS[name])
        with pytest.raises(ValueError, match=self.REFUSED):
            run(["a.jpg"], path if output == "file" else tmp_path, [kind])
        assert path.read_text() == self.LABELS[name]
        assert os.listdir(tmp_path) == [name]

    @pytest.mark.parametrize("name", ["coco.json", "people.json"])
    def test_nor_peoples_coco_file(self, name, tmp_path):
        (tmp_path / name).write_text(json.dumps(self.PEOPLES_COCO))
        with pytest.raises(ValueError, match=self.REFUSED):
            run(["a.jpg"], tmp_path if name == "coco.json" else tmp_path / name, ["coco"])

    def test_nor_one_face_of_several(self, tmp_path):
        (tmp_path / "a_1.pts").write_text(self.LABELS["a.pts"])
        with pytest.raises(ValueError, match=self.REFUSED):
            run(["a.jpg"], tmp_path, ["pts"], faces=2)
        assert (tmp_path / "a_1.pts").read_text() == self.LABELS["a.pts"]

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("a.json", lambda c: c[0].update(split="val")),
            ("a.json", lambda c: c[0]["faces"][0].update(checked=True)),
            ("a.coco.json", lambda c: c.update(info={"contributor": "Anna"})),
            ("a.coco.json", lambda c: c["annotations"][0].update(attributes={"blur": 1})),
            ("a.coco.json", lambda c: c["annotations"][0].update(keypoints=[0, 0, 0, 9, 9, 2])),
        ],
    )
    def test_results_that_became_labels_are_not_replaced(self, name, change, tmp_path):
        path, kinds = tmp_path / name, ["coco" if "coco" in name else "json"]
        run(["a.jpg"], path, kinds)
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        before = path.read_bytes()
        with pytest.raises(ValueError, match=self.REFUSED):
            run(["a.jpg"], path, kinds)
        with pytest.raises(ValueError, match="of which somebody made labels: take another --out"):
            run(["b.jpg"], path, kinds, resume=True)
        assert path.read_bytes() == before and os.listdir(tmp_path) == [name]

    def test_nor_a_table_with_a_split(self, tmp_path):
        run(["a.jpg"], tmp_path / "a.csv")
        header, row = (tmp_path / "a.csv").read_text().splitlines()
        (tmp_path / "a.csv").write_text(f"{header},split\n{row},val\n")
        for resume in (False, True):
            with pytest.raises(ValueError, match="holds something else|somebody made labels"):
                run(["b.jpg"], tmp_path / "a.csv", resume=resume)

    @pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "pts", "coco"])
    def test_results_are_replaced(self, kind, tmp_path):
        needs_pyarrow(kind)
        ending = "json" if kind == "coco" else kind
        for output in (tmp_path / f"new.{ending}", tmp_path / "folder"):
            for _ in range(2):
                assert run(["a.jpg"], output, [kind]) == ["a.jpg"]


class TestSecondRun:
    """Two runs into one file: the second is refused, and nothing is lost."""

    @pytest.mark.parametrize("resume", [False, True])
    @pytest.mark.parametrize(("name", "kinds"), [("all.jsonl", None), ("found", ["coco"])])
    def test_it_is_refused(self, name, kinds, resume, tmp_path):
        path = tmp_path / name
        first = open_results(IMAGES, path, kinds)
        with first.log:
            for image in IMAGES:
                first.add(photo(image), image)
                second = open_results(IMAGES[:2], path, kinds, resume=resume)
                with pytest.raises(ValueError, match="Another `keras-lotr predict` is writing"):
                    second.log.__enter__()
            first.close()
        written = path if kinds is None else path / "coco.json"
        assert sources(written) == IMAGES
        assert os.listdir(written.parent) == [written.name]

    def test_also_while_the_first_goes_on_from_the_result_file(self, tmp_path):
        path = tmp_path / "all.json"
        run(IMAGES[:2], path)
        first = open_results(IMAGES, path, resume=True)
        with first.log:
            first.add(photo(IMAGES[2]), IMAGES[2])
            with pytest.raises(ValueError, match="Another"), ResultLog(path, "json", True):
                pass

    def test_the_first_ended_while_the_second_began(self, tmp_path):
        path = tmp_path / "all.json"
        second = ResultLog(path, "json", resume=True)
        run(IMAGES, path)
        with pytest.raises(ValueError, match="Another"), second:
            pass
        assert sources(path) == IMAGES and os.listdir(tmp_path) == ["all.json"]

    @pytest.mark.parametrize("resume", [False, True])
    def test_nothing_found_leaves_nothing(self, resume, tmp_path):
        with ResultLog(tmp_path / "new" / "all.json", "json", resume):
            assert os.listdir(tmp_path / "new") == ["all.json.part"]
        assert os.listdir(tmp_path) == []

    def test_an_empty_part_of_a_killed_run_hides_no_results(self, tmp_path):
        path = tmp_path / "all.json"
        run(IMAGES[:2], path)
        path.with_name("all.json.part").touch()
        assert run(IMAGES, path, resume=True) == IMAGES[2:]
        assert sources(path) == IMAGES


class TestPartOfSomebodyElse:
    @pytest.mark.parametrize("resume", [False, True])
    @pytest.mark.parametrize(
        "text",
        [
            "my download\n",
            "my download",
            '{"a":1}\n',
            "[]\n",
            "3\n",
            '{"source": 3, "faces": []}\n',
        ],
    )
    def test_it_is_refused_and_stays(self, text, resume, tmp_path):
        part = tmp_path / "all.json.part"
        part.write_text(text)
        sentence = (
            r"Expected in .*all\.json\.part what an earlier .* Received: in line 1 .* Move it"
        )
        with pytest.raises(ValueError, match=sentence):
            open_results(IMAGES, tmp_path / "all.json", resume=resume)
        assert part.read_text() == text

    @pytest.mark.parametrize("resume", [False, True])
    @pytest.mark.parametrize("kind", ["folder", "link", "link to nowhere"])
    def test_it_is_no_file(self, kind, resume, tmp_path):
        part = tmp_path / "all.json.part"
        run(IMAGES, tmp_path / "other.json", close=False)
        if kind == "folder":
            part.mkdir()
        else:
            part.symlink_to(tmp_path / ("other.json.part" if kind == "link" else "nowhere"))
        with pytest.raises(ValueError, match="Expected in .*part what .* Received: no file"):
            open_results(IMAGES, tmp_path / "all.json", resume=resume)

    def test_a_damaged_line_in_the_middle_is_named(self, tmp_path):
        run(IMAGES, tmp_path / "all.json", close=False)
        part = tmp_path / "all.json.part"
        lines = part.read_bytes().splitlines(keepends=True)
        part.write_bytes(b"".join([*lines[:2], b"\0\0\n", *lines[3:]]))
        with pytest.raises(ValueError, match=r"all\.json\.part .* Received: in line 3 "):
            open_results(IMAGES, tmp_path / "all.json", resume=True)

    @pytest.mark.parametrize("length", [1, 8, 40])
    def test_a_first_line_that_a_kill_cut_is_ours(self, length, tmp_path):
        run(IMAGES[:1], tmp_path / "all.json", close=False)
        part = tmp_path / "all.json.part"
        part.write_bytes(part.read_bytes()[:length])
        for resume in (False, True):
            assert run(IMAGES, tmp_path / "all.json", resume=resume, close=False) == IMAGES
            part.write_bytes(part.read_bytes()[:length])
