"""The demo under attack: hostile requests are refused, and nobody else has to wait."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from fuzz import bombs

httpx = pytest.importorskip("httpx")

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).parents[1] / "examples"
GROUP = (EXAMPLES / "group.jpg").read_bytes()
SETTINGS = ["lotr_m_68", ["points"], 0, 0.5, False]
FILE = {"meta": {"_type": "gradio.FileData"}}


def uploaded(url, data, name="photo.jpg"):
    """A file as a request names it after its upload."""
    (path,) = httpx.post(f"{url}/gradio_api/upload", files={"files": (name, data)}).json()
    return {"path": path, **FILE}


def called(url, data, name="annotate"):
    """What a plain client is told: True and the answer, or False and a sentence or None."""
    address = f"{url}/gradio_api/call/{name}"
    response = httpx.post(address, json={"data": data}, timeout=60)
    if response.status_code != 200:
        return False, response.text
    with httpx.stream("GET", f"{address}/{response.json()['event_id']}", timeout=60) as lines:
        for line in lines.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event in ("complete", "error"):
                answer = json.loads(line.removeprefix("data: "))
                return event == "complete", answer if event == "complete" else answer["error"]
    raise AssertionError("no answer")


@pytest.mark.parametrize(
    "payload",
    [
        {"path": str(EXAMPLES / "astronaut.jpg")},
        {"path": "/etc/passwd"},
        {"path": "x", "url": "file:///etc/passwd"},
        {"url": "http://127.0.0.1:1/x", **FILE},
        {},
    ],
)
def test_files_that_nobody_uploaded(demo_url, payload):
    done, said = called(demo_url, [payload, *SETTINGS])
    assert (done, said) == (False, "Expected a file that was uploaded here.")


@pytest.mark.parametrize(
    "payload",
    [
        {"path": "/etc/passwd", **FILE},
        {"path": "http://127.0.0.1:1/x", **FILE},
        *("/etc/passwd", "http://127.0.0.1:1/x", 5, [], [[]]),
    ],
)
@pytest.mark.parametrize("name", ["annotate", "annotate_video"])
def test_files_that_gradio_refuses(demo_url, payload, name):
    done, said = called(demo_url, [payload, *SETTINGS], name)
    assert not done and "root:" not in str(said)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (1, "../..", "not in the list of choices"),
        (1, "<script>", "not in the list of choices"),
        (1, None, "Expected the name of a preset. Received: None"),
        (1, ["lotr_m_68"], "Expected the name of a preset. Received: ['lotr_m_68']"),
        (2, ["x"], "not in the list of choices"),
        (2, 5, "Expected another value for 'Draw'. Received: 5"),
        (3, "abc", "Expected another value for 'Landmark whose"),
        (3, 1e308, "Expected the number of a landmark. Received: 1"),
        (3, -5, "less than minimum"),
        (4, None, "Expected another value for "),
        (4, 7, "greater than maximum"),
    ],
)
def test_settings_that_no_control_has(demo_url, place, value, sentence):
    data = [uploaded(demo_url, GROUP), *SETTINGS]
    data[place] = value
    done, said = called(demo_url, data)
    assert not done and sentence in said and len(said) < 400


def test_a_name_with_html_goes_nowhere(demo_url):
    file = uploaded(demo_url, GROUP, "<img src=x onerror=alert(1)>.jpg")
    done, answer = called(demo_url, [file, *SETTINGS])
    assert done and "onerror" not in json.dumps(answer)


def test_cameras_keep_nobody_waiting(demo_url):
    """A client that begins a stream and sends nothing more keeps its place for minutes."""
    config = httpx.get(f"{demo_url}/config").json()
    (stream,) = [d for d in config["dependencies"] if d["connection"] == "stream"]
    assert stream["api_visibility"] == "private"
    for session in range(6):
        data = [uploaded(demo_url, GROUP), *SETTINGS]
        body = {"data": data, "fn_index": stream["id"], "session_hash": f"camera{session}"}
        assert httpx.post(f"{demo_url}/gradio_api/queue/join", json=body).status_code == 200
    done, _ = called(demo_url, [uploaded(demo_url, GROUP), *SETTINGS])
    assert done


def test_clients_that_leave(demo_url):
    address = urlsplit(demo_url)
    for i in range(10):
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            connection.sendall(head.encode() + bytes(100 * i))
    for _ in range(5):
        body = {"data": [uploaded(demo_url, GROUP), *SETTINGS]}
        httpx.post(f"{demo_url}/gradio_api/call/annotate", json=body)  # and nobody asks for it
    assert called(demo_url, [uploaded(demo_url, GROUP), *SETTINGS])[0]


def test_many_at_once_get_their_own_answers(demo_url):
    """From ten clients, bombs among them."""

    def ask(number):
        if number % 5 == 4:
            file = uploaded(demo_url, hostile[number // 5 % len(hostile)])
            done, said = called(demo_url, [file, *SETTINGS])
            return not done and said.startswith("Expected an image")
        size = 200 + 8 * number, 160 + 4 * number
        photo = cv2.imencode(".png", np.full((*size[::-1], 3), number, np.uint8))[1].tobytes()
        done, answer = called(demo_url, [uploaded(demo_url, photo), *SETTINGS])
        (found,) = answer[3]
        return done and (found["width"], found["height"]) == size

    names = ("png_of_900_megapixels", "jpeg_ff00_before_frame", "jpeg_many_scans", "tiff_long8")
    hostile = [bombs.bombs()[name] for name in (*names, "png_chunk_of_4_gigabytes")]
    with ThreadPoolExecutor(10) as clients:
        assert all(clients.map(ask, range(40)))
