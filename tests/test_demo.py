"""The demo without a browser: what it does with uploads, and its endpoints for clients."""

import asyncio
import json
import re
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from docs_code import steps
from fuzz import bombs
from tiny import running_demo

from keras_lotr import FaceLandmarker, read_image
from keras_lotr.cli import main
from keras_lotr.demo import service as demo
from keras_lotr.demo.camera import Camera
from keras_lotr.demo.service import DRAWN, Service, Settings, checked_image, fit
from keras_lotr.publishing.space import publish_space, space_files
from keras_lotr.video.annotate import annotate_video

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
GROUP = EXAMPLES / "group.jpg"
SETTINGS = Settings("lotr_m_68")


@pytest.fixture(scope="module")
def service():
    return Service("onnxruntime")


# === Images ===
def test_the_answer_is_the_librarys(service):
    answer = service.annotate(GROUP.read_bytes(), SETTINGS, "group.jpg")
    landmarker = FaceLandmarker.from_preset("lotr_m_68", engine="onnxruntime")
    faces = [face.to_dict() for face in landmarker(GROUP)]
    assert answer.photo == {"source": "group.jpg", "width": 640, "height": 480, "faces": faces}
    assert answer.picture.shape == (480, 640, 3)
    assert answer.message.startswith(f"{len(faces)} faces in ")
    x0, y0, x1, _ = faces[0]["box"]
    assert answer.rows[0][2:5] == [round(x0), round(y0), round(x1 - x0)]
    pose = landmarker(GROUP)[0].pose
    assert answer.rows[0][6:] == [
        faces[0]["quality"],
        *map(round, (pose.yaw, pose.pitch, pose.roll)),
    ]
    assert len(answer.csv.splitlines()) == 1 + len(faces)


def test_each_face_is_enlarged_and_numbered(service):
    answer = service.annotate(GROUP.read_bytes(), SETTINGS)
    assert [number for _, number in answer.close_ups] == [str(row[0]) for row in answer.rows]
    for picture, _ in answer.close_ups:
        assert picture.shape == (360, 360, 3)
    plain = service.annotate(GROUP.read_bytes(), Settings("lotr_m_300w", ()))
    for (one, _), (other, _) in zip(answer.close_ups, plain.close_ups, strict=True):
        assert (one != other).any()


def test_examples_may_be_shown_from_any_folder():
    """Gradio hands out files of the working folder only, and of those that it is told."""
    pytest.importorskip("gradio", reason="needs gradio")
    from keras_lotr.demo import page

    told = {}
    page.launch(SimpleNamespace(launch=lambda **options: told.update(options)))
    allowed = [Path(folder) for folder in told["allowed_paths"]]
    assert all(path.is_relative_to(allowed[0]) for path in page.example_pictures())


def test_overlays(service):
    picture = GROUP.read_bytes()
    drawn = [
        service.annotate(picture, Settings("lotr_m_68", overlays)).picture
        for overlays in ((), *((name,) for name in DRAWN))
    ]
    np.testing.assert_array_equal(drawn[0], checked_image(picture))
    assert len({image.tobytes() for image in drawn}) == 1 + len(DRAWN)


def test_a_camera_follows_its_faces(service):
    pytest.importorskip("scipy")
    camera = Camera(service, Settings("lotr_s_68", ("points",)))
    frames = [np.roll(read_image(GROUP), 3 * i, axis=1) for i in range(4)]
    encoded = [cv2.imencode(".png", frame[..., ::-1])[1].tobytes() for frame in frames]
    (first, said), *_, (last, said_last) = [camera.annotate(frame) for frame in encoded]
    assert re.fullmatch(r"\d faces in \d+ ms\.", said)
    assert re.fullmatch(r"\d faces in \d+ ms, \d+ frames/s\.", said_last)
    assert (first != frames[0]).any() and first.shape == frames[0].shape
    small = cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    said = camera.annotate(small)[1]  # another camera
    assert re.fullmatch(r"No face was found\. .* larger faces\. \d+ frames/s\.", said)
    with pytest.raises(ValueError, match="another kind"):
        camera.annotate(b"text")


def test_a_first_frame_that_loads_a_model_does_not_count(service, monkeypatch):
    camera = Camera(service, Settings("lotr_s_68"))
    now, take = [0.0], [30.0, 0.1, 0.1, 0.1]

    def track(image, timestamp):
        now[0] += take.pop(0)
        return []

    camera._tracker = track
    track.reset = lambda: None
    monkeypatch.setattr("keras_lotr.demo.camera.time.monotonic", lambda: now[0])
    black = cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    assert [camera.annotate(black)[1] for _ in range(4)][-1].endswith(" 10 frames/s.")


def test_large_pictures_are_made_smaller_for_the_browser(service):
    picture = cv2.imencode(".jpg", np.zeros((400, 3200, 3), np.uint8))[1].tobytes()
    answer = service.annotate(picture, SETTINGS)
    assert answer.picture.shape == (200, 1600, 3)
    assert answer.photo["width"] == 3200
    assert answer.message.startswith("No face was found.")


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (b"", "This file is empty"),
        (b"just text", "This file is of another kind or cut off"),
        (GROUP.read_bytes()[:3000], "This file is cut off or damaged"),
        (bombs.png(30_000, 30_000, b""), "at most 50,000,000 pixels. This file says 30000 x"),
        (bytes(20_000_001), "at most 20 MB. This one has 20 MB"),
    ],
    ids=["empty", "text", "cut", "pixels", "bytes"],
)
def test_bad_pictures(service, picture, message):
    with pytest.raises(ValueError, match=message):
        service.annotate(picture, SETTINGS)


def test_presets_that_can_be_chosen(service):
    assert "68 points; research use" in service.presets()["lotr_m_68"]
    assert "lotr_hr_plus_wflw" not in service.presets()  # no weights yet
    assert "face_detector" not in service.presets()
    with pytest.raises(
        ValueError, match="Expected a preset of landmarks.* Received: face_detector"
    ):
        service.presets("face_detector")


def test_a_preset_in_a_folder_can_be_shown(service, tmp_path):
    httpx = pytest.importorskip("httpx", reason="needs gradio")
    folder = str(shutil.copytree(ROOT / "presets" / "lotr_s_68", tmp_path / "mine"))
    assert service.presets(folder)[folder].startswith(f"{folder} (68 points; ")
    assert service.presets("lotr_m_300w")["lotr_m_300w"].startswith("lotr_m_300w (68 points; ")
    options = "--engine", "onnxruntime", "--preset", folder
    with running_demo(*options) as url:
        assert folder in httpx.get(f"{url}/config").text
    (tmp_path / "mine" / "model.onnx").unlink()
    run = CliRunner().invoke(main, ["demo", *options])
    assert run.exit_code == 2
    assert "has no model.onnx: write it with" in run.stderr


# === Video ===
def test_video(service, video, tmp_path):
    seen = []
    out = tmp_path / "new" / "out.webm"
    landmarker = service.landmarker(SETTINGS)
    faces = annotate_video(landmarker, video, out, progress=lambda *numbers: seen.append(numbers))
    assert len(faces) == 20
    assert all(len(here) == 1 for here in faces)
    moved = faces[10][0].points[30, 0] - faces[0][0].points[30, 0]
    assert moved == pytest.approx(-10, abs=2)
    assert seen == [(done, 20) for done in range(1, 21)]
    reader = cv2.VideoCapture(str(out))
    assert reader.get(cv2.CAP_PROP_FRAME_WIDTH) == 160
    assert sum(reader.read()[0] for _ in range(21)) == 20
    assert [path.name for path in out.parent.iterdir()] == ["out.webm"]


def test_video_of_the_demo(service, video, tmp_path):
    said = service.annotate_video(video, SETTINGS, tmp_path / "out.webm", None)
    assert said.startswith("20 frames, 20 of them with a face, in ")


def test_a_visitor_is_told_that_a_video_breaks_off(service, video, tmp_path):
    data, path = video.read_bytes(), tmp_path / "cut.webm"
    path.write_bytes(data[: len(data) // 2])
    said = service.annotate_video(path, SETTINGS, tmp_path / "cut_landmarks.webm", None)
    assert re.match(r"\d+ frames, \d+ of them with a face, in .*\(\d+ frames/s\)\. ", said)
    assert " The video breaks off: it says that it lasts 0.8 s, and nothing can be read " in said
    assert said.endswith(" s. The result has the frames before that.")


def test_bad_videos(service, video, tmp_path, monkeypatch):
    out = tmp_path / "out.webm"
    text = tmp_path / "text.mp4"
    text.write_text("text")
    with pytest.raises(ValueError, match=r"^Expected a video \(.*Received: This one$"):
        service.annotate_video(text, SETTINGS, out, None)
    with pytest.raises(FileNotFoundError, match="There is no video"):
        annotate_video(lambda photos: [], tmp_path / "none.mp4", out)
    monkeypatch.setattr(demo, "MAX_FRAMES", 17)
    with pytest.raises(ValueError, match="at most 17 frames. This one"):
        service.annotate_video(video, SETTINGS, out, None)
    monkeypatch.setattr(demo, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="Expected a video file of at most"):
        service.annotate_video(video, SETTINGS, out, None)
    assert {path.name for path in tmp_path.iterdir()} == {"text.mp4"}


# === The page, as a client sees it ===
@pytest.fixture(scope="module")
def client(demo_url):
    from gradio_client import Client

    return Client(demo_url, verbose=False)


def test_endpoints(client, service, video):
    from gradio_client import handle_file

    answer = client.predict(handle_file(GROUP), api_name="/annotate")
    expected = service.annotate(GROUP.read_bytes(), SETTINGS)
    assert answer[3] == [json.loads(json.dumps(expected.photo))]
    assert answer[2]["data"] == expected.rows
    assert answer[4] == expected.csv
    assert cv2.imread(answer[0]).shape == (480, 640, 3)
    path, said = client.predict(handle_file(video), api_name="/annotate_video")
    assert said.startswith("20 frames")
    assert cv2.VideoCapture(path["video"] if isinstance(path, dict) else path).read()[0]


def test_the_example_of_the_readme_runs(demo_url, tmp_path, monkeypatch):
    text = (ROOT / "demo" / "README.md").read_text(encoding="utf-8")
    (code,) = [step.code for step in steps(text) if step.kind == "python"]
    shutil.copy(EXAMPLES / "rendered1.jpg", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code.replace("ORGANISATION/SPACE", demo_url), names)
    assert names["message"].startswith("1 face")
    assert names["csv"].count("\n") == 2 and len(names["photos"]) == 1


def test_a_file_that_somebody_may_be_downloading_is_not_written_again(demo_url):
    from gradio_client import Client, handle_file

    client = Client(demo_url, verbose=False, download_files=False)

    def files():
        annotated, *_, near = client.predict(handle_file(GROUP), api_name="/annotate")
        return [Path(file["path"]) for file in (annotated, *(face["image"] for face in near))]

    first = files()
    for path in first:
        path.write_bytes(b"half")
    second = files()
    assert len(second) == len(first) > 1
    assert {path.read_bytes() for path in first} == {b"half"}


def test_bad_input_is_told(client, tmp_path):
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    path = tmp_path / "picture.png"
    path.write_bytes(bombs.png(30_000, 30_000, b""))
    with pytest.raises(AppError, match="at most 50,000,000 pixels"):
        client.predict(handle_file(path), api_name="/annotate")
    path.write_text("text")
    with pytest.raises(AppError, match="another kind"):
        client.predict(handle_file(path), api_name="/annotate")


@pytest.mark.parametrize("place", ["/etc/passwd", str(ROOT / "README.md")])
def test_no_paths_of_the_server_are_read(client, place):
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError):
        client.predict({"path": place, "meta": {"_type": "gradio.FileData"}}, api_name="/annotate")


def test_requests_are_limited():
    pytest.importorskip("gradio", reason="needs gradio")
    from keras_lotr.demo.uploads import LimitBody

    async def application(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def status(chunks, headers=()):
        messages = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
        messages[-1]["more_body"] = False
        sent = []

        async def receive():
            return messages.pop(0)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "headers": list(headers)}
        # In a thread of its own: browser tests leave an event loop in this one.
        with ThreadPoolExecutor() as threads:
            served = LimitBody(application, limit=10)(scope, receive, send)
            threads.submit(asyncio.run, served).result()
        return sent[0]["status"]

    assert status([b"12345", b"12345"]) == 200
    assert status([b"12345", b"12345", b"1"]) == 413
    assert status([b""], [(b"content-length", b"11")]) == 413
    assert status([b""], [(b"content-length", b"?")]) == 413


def test_command_tells_what_is_missing(monkeypatch):
    pytest.importorskip("gradio", reason="needs gradio")
    run = CliRunner().invoke(main, ["demo", "--preset", "lotr_m_jd"])
    assert run.exit_code == 2
    assert "has no trained weights yet" in run.output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = CliRunner().invoke(main, ["demo", "--port", str(port)])
    assert run.exit_code == 2
    sentence = f"The demo cannot be served at 127.0.0.1:{port}: Address already in use."
    assert run.stderr == f"keras-lotr: {sentence} Take another --port.\n"


# === Spaces ===
def test_space_of_the_demo(hub):
    done = publish_space(ROOT / "demo", "hf://me/faces")
    assert done.startswith("hf://me/faces@")
    files = hub.files("me/faces", kind="spaces")
    assert files.keys() == {"README.md", "app.py", "requirements.txt"}
    assert publish_space(ROOT / "demo", "hf://me/faces") == done


def test_space_of_a_static_page(hub, tmp_path):
    (tmp_path / "README.md").write_text("---\nsdk: static\n---\n")
    with pytest.raises(FileNotFoundError, match="Build the page first"):
        space_files(tmp_path)
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<p>Hello")
    (tmp_path / "dist" / "assets" / "a.js").write_text("1")
    (tmp_path / "node_modules").mkdir()
    run = CliRunner().invoke(main, ["publish-space", str(tmp_path), "hf://me/page"])
    assert run.output.startswith("Published hf://me/page@")
    assert hub.files("me/page", kind="spaces").keys() == {"README.md", "index.html", "assets/a.js"}


def test_dry_run_of_a_space():
    run = CliRunner().invoke(main, ["publish-space", str(ROOT / "demo"), "hf://me/x", "--dry-run"])
    assert run.output.startswith("Would upload hf://me/x, a Space (gradio): 3 files\n")


def test_folders_that_are_no_spaces(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"with a README.md"):
        space_files(tmp_path)
    (tmp_path / "README.md").write_text("---\nsdk: docker\n---\n")
    with pytest.raises(ValueError, match="Expected `sdk: gradio` or `sdk: static`"):
        space_files(tmp_path)


@pytest.mark.parametrize("shape", [(1, 5000, 3), (5000, 1, 3)])
def test_a_thin_image_is_made_smaller(shape):
    fitted = fit(np.zeros(shape, np.uint8))
    assert max(fitted.shape) <= 2000 and min(fitted.shape[:2]) == 1
