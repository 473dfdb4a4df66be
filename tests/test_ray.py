"""Many images on the workers of Ray: the same faces as without it, and nothing lost or doubled."""

import importlib
import os
import pickle
import shutil
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from keras_lotr import FaceLandmarker
from keras_lotr.cli import main
from keras_lotr.images.reading import read_image
from keras_lotr.inference.saved_results import read_entries

pytestmark = [
    pytest.mark.once,
    # Of Ray's own code and of what it leaves to the end of the process.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
EXAMPLES = Path(__file__).parents[1] / "examples"


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in [n for n in sys.modules if n.startswith("keras_lotr.ray")]:
        monkeypatch.delitem(sys.modules, name)
    run = CliRunner().invoke(main, ["predict", "photos", "--ray", "--output", "out"])
    assert run.exit_code == 2
    assert run.stderr == "keras-lotr: keras_lotr.ray needs Ray: pip install 'keras-lotr[ray]'\n"


@pytest.mark.parametrize("missing", ["ray", "pyarrow"])
def test_each_door_names_the_extra(missing, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("keras_lotr.ray")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install 'keras-lotr\[ray\]'"):
        importlib.import_module("keras_lotr.ray.bulk")
    with pytest.raises(ImportError, match=r"pip install 'keras-lotr\[ray\]'"):
        from keras_lotr.ray import predict  # noqa: F401


@pytest.mark.parametrize("name", ["workers", "rows_per_file"])
def test_numbers_that_cannot_be(name, tmp_path):
    pytest.importorskip("ray")
    from keras_lotr.ray import predict

    photo = EXAMPLES / "group.jpg"
    with pytest.raises(ValueError, match=f"Expected {name} as a whole number from 1. Received: 0"):
        predict(photo, output=tmp_path / "out", **{name: 0})


def test_a_source_that_does_not_exist(monkeypatch, tmp_path):
    """It is told before Ray has started, which takes seconds."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data", reason="needs ray[data]")
    monkeypatch.setattr(ray, "init", lambda **settings: pytest.fail("Ray was started."))
    out = tmp_path / "out"
    sources = [str(EXAMPLES / "group.jpg"), "nowhere"]
    run = CliRunner().invoke(main, ["predict", *sources, "--ray", "--output", str(out)])
    assert run.exit_code == 2 and not out.exists()
    assert run.stderr == "keras-lotr: There is no image or folder nowhere.\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ray"], "Expected a folder for the Parquet files of --ray"),
        (["--ray", "--output", "out", "--draw"], "Expected --ray without --draw"),
        (["--ray", "--output", "out", "--pose"], "Expected --ray without --pose"),
        (
            ["--ray", "--output", "out", "--drop-low-quality"],
            "Expected --ray without --drop-low-quality",
        ),
        (["--ray", "--output", "out", "--format", "csv"], "Expected Parquet with --ray"),
        (["--gpus", "1"], "Expected --gpus with --ray"),
        (["--retry-failed"], "Expected --retry-failed with --ray"),
        (["--engine", "ray"], "'ray' is no engine: `keras-lotr predict --ray` shares the images"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    run = CliRunner().invoke(main, ["predict", "photos", *options])
    assert run.exit_code == 2 and message in run.stderr


# === What runs in a worker, without one ===
@pytest.fixture
def photos(tmp_path):
    """Two photos with faces, one without, and a file that is no image; one has an odd name."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(EXAMPLES / "astronaut.jpg", folder / os.fsdecode(b"caf\xe9.jpg"))
    shutil.copy(EXAMPLES / "group.jpg", folder)
    cv2.imwrite(str(folder / "grey.png"), np.full((80, 90, 3), 99, np.uint8))
    (folder / "text.jpg").write_text("no image")
    return folder


def test_images_as_names_bytes_and_arrays(photos):
    pytest.importorskip("ray.data", reason="needs ray[data]")
    from keras_lotr.ray.workers import crop_image

    cropper = pickle.dumps(FaceLandmarker("lotr_m_68", engine="onnxruntime").crop_photo)
    path = photos / "group.jpg"
    for content in (str(path), f"local://{path}", path.read_bytes(), read_image(path)):
        error, crops = crop_image(cropper, "group", content)
        assert error is None and len(pickle.loads(crops).crops) == 7
    for content in (str(photos / "text.jpg"), b"no image", f"local://{photos}/none.jpg", photos, 5):
        error, crops = crop_image(cropper, "group", content)
        assert crops is None and len(error) > 10 and "\n" not in error


# === With a Ray of this machine ===
@pytest.fixture(scope="module")
def predict():
    """`keras_lotr.ray.predict` with a Ray that has started."""
    ray = pytest.importorskip("ray", reason="needs Ray")
    pytest.importorskip("ray.data", reason="needs ray[data]")
    import keras_lotr.ray
    from keras_lotr.ray.cluster import start_ray

    start_ray(1)  # a worker takes seconds to start; benchmarks/bulk.py has two
    yield keras_lotr.ray.predict
    ray.shutdown()


def rows_of(folder):
    from pyarrow import dataset

    table = dataset.dataset(folder).to_table()
    return table.sort_by([("image", "ascending"), ("face", "ascending")]).to_pylist()


def faces_of(photos):
    return {p.source: p.to_dict()["faces"] for p in photos if p.error is None}


def entries(folder):
    found = [entry for path in sorted(folder.iterdir()) for entry in read_entries(path)]
    assert len({entry["source"] for entry in found}) == len(found)
    return {entry["source"]: entry["faces"] for entry in found}


def test_the_same_faces_as_one_process_and_as_a_pool(predict, photos, tmp_path, capfd):
    """In two runs, of which the second goes on, and looks at nothing twice."""
    images = sorted(map(str, photos.iterdir()))
    landmarker = FaceLandmarker("lotr_m_68", engine="onnxruntime", threads=1)
    alone = faces_of(landmarker.stream(images))
    assert sorted(map(len, alone.values())) == [0, 1, 7]
    assert faces_of(landmarker.stream(images, workers=2)) == alone
    out = tmp_path / "out"
    two = [str(photos / "group.jpg"), str(photos / "text.jpg")]
    run = CliRunner().invoke(main, ["predict", *two, "--ray", "--output", str(out)])
    assert run.exit_code == 1, run.output
    assert "keras-lotr: 2 images, 7 faces, 1 failed, written to" in run.stderr
    before = {path: path.read_bytes() for path in out.iterdir()}
    counts = predict(photos, "lotr_m_68", out)
    assert (counts.images, counts.faces, counts.failed, counts.done_before) == (2, 1, 0, 2)
    assert counts.failed_before == 1
    assert capfd.readouterr().err == ""  # no word of Ray
    assert entries(out) == alone
    rows = rows_of(out)
    assert [row["face"] for row in rows] == [0, None, *range(7), None]
    (failed,) = [row for row in rows if row["error"]]
    assert failed["image"] == str(photos / "text.jpg") and "another kind" in failed["error"]
    assert all(path.read_bytes() == content for path, content in before.items())
    files = sorted(out.iterdir())
    again = ["predict", str(photos), "--ray", "--output", str(out)]
    run = CliRunner().invoke(main, again)
    assert run.exit_code == 1 and "0 failed, 4 done before (1 of them failed: --retry" in run.stderr
    assert sorted(out.iterdir()) == files
    shutil.copy(photos / "grey.png", photos / "text.jpg")
    run = CliRunner().invoke(main, [*again, "--retry-failed"])
    assert run.exit_code == 0
    assert "keras-lotr: 1 images, 0 faces, 0 failed, 3 done before, written to" in run.stderr
    assert [row["error"] for row in rows_of(out)] == [None] * 10
    assert entries(out) == {**alone, str(photos / "text.jpg"): []}
    with pytest.raises(ValueError, match="found with preset lotr_m_68, not lotr_s_68"):
        predict(photos, "lotr_s_68", out)


def test_images_that_kill_their_worker(predict, tmp_path):
    """One of 12 pixels kills the first worker only, one of 13 pixels all of them."""
    for height in (20, 12, 13, 22):
        cv2.imwrite(str(tmp_path / f"{height}.png"), np.zeros((height, 20, 3), np.uint8))
    mark = str(tmp_path / "seen")

    def detector(image):
        if len(image) == 13 or len(image) == 12 and not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return [[1, 1, 9, 9]]

    counts = predict(tmp_path, output=tmp_path / "out", detector=detector)
    assert (counts.images, counts.faces, counts.failed) == (4, 3, 1)
    rows = rows_of(tmp_path / "out")
    assert [Path(row["image"]).stem for row in rows] == ["12", "13", "20", "22"]
    (failed,) = [row for row in rows if row["error"]]
    assert Path(failed["image"]).stem == "13" and "was killed, perhaps for want" in failed["error"]


def test_a_dataset_of_ray_and_a_storage(predict, photos, tmp_path):
    import ray

    content = (photos / "group.jpg").read_bytes()
    images = ray.data.from_items([{"path": "a", "bytes": content}, {"path": "b", "bytes": b"no"}])
    counts = predict(images, output=f"local://{tmp_path}/out")
    assert (counts.images, counts.faces, counts.failed) == (2, 7, 1)
    assert [row["image"] for row in rows_of(tmp_path / "out")] == ["a"] * 7 + ["b"]
    counts = predict(images, output=f"local://{tmp_path}/out")
    assert (counts.images, counts.done_before) == (0, 2)
    with pytest.raises(ValueError, match="Expected a Dataset with the column path.*Received: .'by"):
        predict(images.drop_columns(["path"]), output=tmp_path / "out")


def test_an_output_that_cannot_be_written(predict, photos, tmp_path):
    out = tmp_path / "out"
    folder = str(out)

    def detector(image):
        if os.path.isdir(folder):
            os.rmdir(folder)
            open(folder, "w").close()

    with pytest.raises(ValueError, match=r"out is a file: .*out.faces-\w+.parquet$"):
        predict(photos / "group.jpg", output=out, detector=detector)
    with pytest.raises(ValueError, match="Expected a folder as output. .*out is a file"):
        predict(photos, output=out)


def test_what_ray_does_not_have(predict, photos, tmp_path):
    with pytest.raises(ValueError, match="Expected a Ray with 1 GPUs, .* It has 0: start Ray on"):
        predict(photos, output=tmp_path / "out", gpus=1)
    with pytest.raises(ValueError, match="Expected no workers with a Ray that runs already"):
        predict(photos, output=tmp_path / "out", workers=3)
    with pytest.raises(ValueError, match="There is no preset 'lotr_x'"):
        predict(photos, "lotr_x", tmp_path / "out")
