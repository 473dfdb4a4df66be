"""examples/serving/app.py answers as the library does, and says what is wrong with a photo."""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from loading import load
from tiny import free_port

from keras_lotr import FaceLandmarker

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Ray's libraries
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def address():
    ray = pytest.importorskip("ray", reason="needs Ray")
    serve = pytest.importorskip("ray.serve", reason="needs ray[serve]")
    app = load(EXAMPLES / "serving" / "app.py")
    port = free_port()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(app.Landmarks.bind("lotr_m_68"))
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()
    ray.shutdown()


def post(address, content):
    try:
        with urllib.request.urlopen(address, content, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_answers(address):
    landmarker = FaceLandmarker("lotr_m_68", engine="onnxruntime", threads=1)
    content = (EXAMPLES / "group.jpg").read_bytes()
    status, found = post(address, content)
    assert status == 200 and len(found["faces"]) == 7
    assert found["faces"] == [face.to_dict() for face in landmarker(content)]
    status, found = post(address, b"no image")
    assert status == 400 and "another kind" in found["error"]
    with urllib.request.urlopen(f"{address}/-/healthz", timeout=60) as answer:
        assert answer.status == 200


def test_a_photo_without_a_face(address):
    grey = cv2.imencode(".png", np.full((60, 80, 3), 128, np.uint8))[1].tobytes()
    assert post(address, grey) == (200, {"width": 80, "height": 60, "faces": []})


def connected(address):
    return closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=60))


def test_photos_that_are_too_large(address):
    """They are answered before they have come as a whole, whether they tell their length or not."""
    with connected(address) as connection:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", "20000001")
        connection.endheaders()
        assert connection.getresponse().status == 413
    with connected(address) as connection:
        connection.putrequest("POST", "/")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for size in [1_000_000] * 20 + [1]:
            connection.send(b"%x\r\n%b\r\n" % (size, bytes(size)))
        assert connection.getresponse().status == 413


def test_a_photo_in_parts(address):
    content = (EXAMPLES / "group.jpg").read_bytes()
    parts = (content[start : start + 9999] for start in range(0, len(content), 9999))
    with connected(address) as connection:
        connection.request("POST", "/", parts)
        answer = connection.getresponse()
        assert answer.status == 200 and len(json.load(answer)["faces"]) == 7


def test_sigterm_ends_the_server(address, tmp_path):
    app = [sys.executable, str(EXAMPLES / "serving" / "app.py"), "--preset", "lotr_s_68"]
    ports = ["--port", "8138", "--metrics-port", "8139"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = tmp_path / "told"
    with open(told, "wb") as file:
        server = subprocess.Popen([*app, *ports], env=environment, stdout=file, stderr=file)
    try:
        while b"is ready at" not in told.read_bytes():
            assert server.poll() is None, told.read_text()
            time.sleep(0.1)
        server.terminate()
        assert server.wait(60) == 0, told.read_text()
    finally:
        server.kill()
        server.wait()
    assert "SIGTERM received" not in told.read_text()
