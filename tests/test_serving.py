"""examples/serving/app.py answers as the library does, and says what is wrong with a photo."""

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path

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
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", "20000001")  # answered before it has come
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    with urllib.request.urlopen(f"{address}/-/healthz", timeout=60) as answer:
        assert answer.status == 200
