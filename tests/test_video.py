"""Videos that break off, that are too fast, and outputs that cannot be."""

import weakref

import cv2
import numpy as np
import pytest

from keras_lotr import FaceLandmarks, annotate_video
from keras_lotr.video.points_file import PointsFile

pytestmark = pytest.mark.once


def no_faces(images):
    return [[] for _ in images]


def written(path, frames=60, rate=25, size=(64, 48)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
    for i in range(frames):
        noise = np.random.default_rng(i).integers(0, 256, (*size[::-1], 3), np.uint8)
        writer.write(noise)
    writer.release()
    return path


def test_a_video_that_breaks_off(tmp_path, capfd):
    whole = written(tmp_path / "whole.avi")
    assert len(annotate_video(no_faces, whole, tmp_path / "whole.webm")) == 60
    data = whole.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    with pytest.warns(UserWarning, match=r"cut.avi breaks off.* 60 frames, and frame \d+ cannot"):
        faces = annotate_video(no_faces, tmp_path / "cut.avi", tmp_path / "cut.webm")
    assert 20 < len(faces) < 40
    assert cv2.VideoCapture(str(tmp_path / "cut.webm")).read()[0]
    assert capfd.readouterr() == ("", "")


def test_the_source_is_not_replaced(tmp_path, video):
    same = tmp_path / "same.webm"
    same.write_bytes(video.read_bytes())
    (tmp_path / "link.webm").symlink_to(same)
    for output in (same, tmp_path / "." / "same.webm", tmp_path / "link.webm"):
        with pytest.raises(ValueError, match="another file as output than the video itself"):
            annotate_video(no_faces, same, output)
    assert same.read_bytes() == video.read_bytes()


def test_output_is_tried_before_anything_is_computed(tmp_path, video):
    (tmp_path / "file").touch()
    (tmp_path / "folder.webm").mkdir()
    asked = []
    for output in (tmp_path / "file" / "out.webm", tmp_path / "folder.webm"):
        with pytest.raises(ValueError, match="Expected a (path|file)"):
            annotate_video(asked.append, video, output)
    with pytest.raises(OSError, match=r"^/proc/none/out.webm cannot be written: "):
        annotate_video(asked.append, video, "/proc/none/out.webm")
    assert not asked


def test_a_function_paints_the_frames(tmp_path, video):
    seen = []

    def paint(image, faces):
        seen.append((image.mean(), faces))
        image[:] = 200
        return image

    faces = annotate_video(no_faces, video, tmp_path / "out.webm", overlays=paint)
    assert len(seen) == len(faces) == 20 and all(mean < 199 for mean, _ in seen)
    assert abs(cv2.VideoCapture(str(tmp_path / "out.webm")).read()[1].mean() - 200) < 3


@pytest.mark.parametrize("painted", [None, np.zeros((5, 5, 3), np.uint8), np.zeros((160, 160, 3))])
def test_a_function_that_paints_nothing(painted, tmp_path, video):
    with pytest.raises(ValueError, match="a function that gives an image .*160, 3. uint8. Rec"):
        annotate_video(no_faces, video, tmp_path / "out.webm", overlays=lambda *_: painted)
    assert list(tmp_path.iterdir()) == []


def test_faces_without_a_file(tmp_path, video, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(annotate_video(no_faces, video, None)) == 20
    with pytest.raises(FileNotFoundError, match="There is no video none.mp4"):
        annotate_video(no_faces, "none.mp4", None)
    assert list(tmp_path.iterdir()) == []


def test_only_few_faces_are_held(tmp_path):
    source, alive, held, told = written(tmp_path / "in.avi", frames=200), [], [], []

    def one_face(images):
        faces = [FaceLandmarks(np.zeros((68, 2)), [0, 0, 9, 9], 1.0, "ibug68") for _ in images]
        alive.extend(map(weakref.ref, faces))
        return [[face] for face in faces]

    with PointsFile(tmp_path / "out.csv") as points:

        def take(frame, faces):
            points.add(frame.time, faces)
            held.append(sum(face() is not None for face in alive))

        output = tmp_path / "out.webm"
        progress = lambda done, total: told.append(done)  # noqa: E731
        assert annotate_video(one_face, source, output, progress=progress, on_faces=take) is None
        points.close()
    assert len(alive) == len(held) == 200 and max(held) <= 32 and told == [*range(1, 201)]
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 201


def test_errors_of_the_landmarker_are_its_own(tmp_path, video):
    def broken(images):
        raise FileNotFoundError("There is no face detector x.onnx.")

    (tmp_path / "out.webm").write_text("old")
    with pytest.raises(FileNotFoundError, match="^There is no face detector"):
        annotate_video(broken, video, tmp_path / "out.webm")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("rate", [1, 29.97, 120, 240, 480])
def test_frame_rate_is_kept(rate, tmp_path):
    annotate_video(no_faces, written(tmp_path / "a.avi", 4, rate), tmp_path / "out.webm")
    found = cv2.VideoCapture(str(tmp_path / "out.webm")).get(cv2.CAP_PROP_FPS)
    assert found == pytest.approx(rate, rel=0.01)


def test_frame_rate_that_webm_cannot_keep(tmp_path):
    with pytest.raises(ValueError, match="at most 500 frames a second.*has 960: slow it down"):
        annotate_video(no_faces, written(tmp_path / "a.avi", 4, 960), tmp_path / "out.webm")
