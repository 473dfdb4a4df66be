"""The page in web, in a real browser: it finds what the library finds."""

import json
import re

import cv2
import numpy as np
import pytest
import static_page

import keras_lotr
from keras_lotr import geometry

pytestmark = pytest.mark.once

EXAMPLES = static_page.STATIC.parent / "examples"
SOON = 60_000  # milliseconds
DONE = re.compile(r"^\d+ faces? in |^No face")


@pytest.fixture(scope="session")
def address(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "dist"
    static_page.build(folder)
    with static_page.serve(folder) as address:
        yield address


@pytest.fixture(scope="session")
def landmarker():
    return keras_lotr.FaceLandmarker.from_preset("lotr_s_68")


@pytest.fixture(scope="module")
def requests():
    """Addresses that the page asked for."""
    return []


@pytest.fixture(scope="module")
def errors():
    """Errors that the page did not catch."""
    return []


@pytest.fixture(scope="module")
def loaded_page(browser, address, requests, errors):
    page = browser.new_page()
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(address)
    # Says so once, when nothing else was asked for: not in the middle of an upload's answer.
    expect(page.locator("#status")).to_have_text(re.compile("^Ready"), timeout=SOON)
    yield page
    page.close()


@pytest.fixture
def page(loaded_page, errors):
    """The page, without what went wrong on it earlier."""
    errors.clear()
    yield loaded_page
    assert not errors


def expect(locator):
    from playwright.sync_api import expect

    return expect(locator)


def upload(page, name, content):
    """Choose a file; gives what the page says in the end."""
    page.locator("#status").evaluate("element => (element.textContent = '')")
    page.get_by_label("Choose an image").set_input_files(
        {"name": name, "mimeType": "", "buffer": content}
    )
    expect(page.locator("#status")).to_have_text(re.compile(f"{DONE.pattern}|image"), timeout=SOON)
    return page.locator("#status").inner_text()


def downloaded(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as JSON").click()
    (entry,) = json.loads(download.value.path().read_text(encoding="utf-8"))
    return entry


def turned(content):
    """A JPEG that lies on its side and says so in its EXIF orientation."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    lying = cv2.imencode(".jpg", cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE))[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    return lying[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + lying[2:]


def enlarged(content):
    """23 megapixels: more than a canvas takes on some devices."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return cv2.imencode(".jpg", cv2.resize(image, (5600, 4200)))[1].tobytes()


def close_up(content):
    """The astronaut's face fills the picture."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return cv2.imencode(".jpg", cv2.resize(image[80:185, 172:277], (1000, 1000)))[1].tobytes()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("group.jpg", bytes),
        ("astronaut.jpg", bytes),
        ("rendered2.jpg", bytes),
        ("rendered5.jpg", turned),
        ("group.jpg", enlarged),
        ("astronaut.jpg", close_up),
    ],
)
def test_finds_what_the_library_finds(page, landmarker, name, change):
    content = change((EXAMPLES / name).read_bytes())
    (expected,) = landmarker.stream([content])
    # 0.15 pixels of the copy in which the detector sees the face.
    tolerance = 0.15 * max(1, expected.width / (96 if change is close_up else 640))
    assert upload(page, name, content).startswith(f"{len(expected.faces)} face")
    found = downloaded(page)
    assert found.keys() == expected.to_dict().keys()
    assert (found["source"], found["width"], found["height"]) == (
        name,
        expected.width,
        expected.height,
    )
    assert len(found["faces"]) == len(expected.faces)
    for face, true in zip(found["faces"], expected.to_dict()["faces"], strict=True):
        # The page does not fit a head to the landmarks.
        assert face.keys() == true.keys() - {"pose", "openness"}
        for key in ("points", "box"):
            np.testing.assert_allclose(face[key], true[key], rtol=0, atol=tolerance)
        assert face["score"] == pytest.approx(true["score"], abs=1e-3)
        assert face["scheme"] == true["scheme"]
        assert face["quality"] == pytest.approx(true["quality"], abs=0.01)
        np.testing.assert_allclose(face["visible"], true["visible"], rtol=0, atol=0.02)
        squared = 0.1 * max(1, (expected.width / 640) ** 2)
        np.testing.assert_allclose(face["sigma"], true["sigma"], rtol=0.1, atol=squared)


def test_an_example_with_the_keyboard(page, landmarker):
    count = len(landmarker(EXAMPLES / "group.jpg"))
    example = page.get_by_role("button", name="Several rendered faces")
    example.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text(re.compile(f"^{count} faces in "), timeout=SOON)
    expect(page.locator("#rows tr")).to_have_count(count)
    described = f"group.jpg, with the landmarks of {count} faces"
    expect(page.get_by_role("img", name=described)).to_be_visible()


def test_a_picture_chosen_while_an_example_loads_stays(page):
    held = []
    page.route("**/examples/rendered1.jpg", lambda route: held.append(route))
    page.get_by_role("button", name="First rendered face").click()
    grey = cv2.imencode(".png", np.full((300, 400, 3), 128, np.uint8))[1].tobytes()
    assert upload(page, "grey.png", grey).startswith("No face was found.")
    with page.expect_response("**/examples/rendered1.jpg"):
        held[0].continue_()
    page.wait_for_timeout(1000)
    assert page.locator("#status").inner_text().startswith("No face was found.")
    assert page.locator("#canvas").get_attribute("aria-label").startswith("grey.png")
    page.unroute("**/examples/rendered1.jpg")


def test_a_picture_without_a_face(page):
    grey = cv2.imencode(".png", np.full((300, 400, 3), 128, np.uint8))[1].tobytes()
    assert upload(page, "grey.png", grey).startswith("No face was found.")
    expect(page.get_by_role("button", name="Download as JSON")).to_be_hidden()


def test_a_file_that_is_no_picture(page):
    assert upload(page, "notes.txt", b"no image").startswith("notes.txt is not an image that")


def test_a_picture_that_is_too_large(page):
    content = cv2.imencode(".png", np.zeros((8_000, 7_000), np.uint8))[1].tobytes()
    assert "too large: 7000 x 8000" in upload(page, "wall.png", content)


def test_a_narrow_screen(page):
    upload(page, "group.jpg", (EXAMPLES / "group.jpg").read_bytes())
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 720})


def test_nothing_leaves_the_page(page, address, requests):
    upload(page, "rendered1.jpg", (EXAMPLES / "rendered1.jpg").read_bytes())
    own = (address, f"blob:{address}", "data:")
    assert requests and all(url.startswith(own) for url in requests), requests
    # Nor could it: neither from the page nor from its worker.
    elsewhere = address.replace("127.0.0.1", "localhost")
    ask = "url => fetch(url, { mode: 'no-cors' }).then(() => 'sent', () => 'refused')"
    assert page.evaluate(ask, elsewhere) == "refused"
    (worker,) = page.workers
    assert worker.evaluate(ask, elsewhere) == "refused"


def test_the_camera(launch_browser, address, tmp_path):
    pytest.importorskip("scipy", reason="the library's tracker needs it")
    frame = keras_lotr.read_image(EXAMPLES / "group.jpg")
    static_page.write_video(tmp_path / "camera.y4m", 5 * [frame])
    browser = launch_browser(f"--use-file-for-fake-video-capture={tmp_path / 'camera.y4m'}")
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#status")).to_have_text(
        re.compile(r"^Camera: \d+ faces?, [\d.]+ frames/s"), timeout=SOON
    )
    page.get_by_role("button", name="Stop camera").click()
    expect(page.locator("#status")).to_have_text(re.compile("^The camera is off"))
    found = downloaded(page)
    browser.close()
    assert (found["source"], found["width"], found["height"]) == ("camera", 640, 480)
    # The visitor sees a mirror, in which the page's detector looks at 320 pixels. Its largest face
    # is followed as the library follows it, up to what the video does to colours.
    mirror = np.fliplr(frame)
    tracker = keras_lotr.FaceTracker(keras_lotr.FaceLandmarker("lotr_s_68", max_side=320))
    followed = [tracker(mirror, i / 5)[0].points for i in range(20)]
    (largest, *_) = found["faces"]
    assert largest["track_id"] == 0
    assert np.abs(np.array(followed) - largest["points"]).max((1, 2)).min() < 2


def moving_face(count=60):
    """Frames of the astronaut's head, which goes to and fro and nods; after the last the first."""
    head = keras_lotr.read_image(EXAMPLES / "astronaut.jpg")[30:240, 120:330]
    sway = np.sin(2 * np.pi * np.arange(count) / count)
    moves = [geometry.similarity([105, 105], [320 + 30 * a, 240], 1.6, 4 * a) for a in sway]
    return [cv2.warpAffine(head, move, (640, 480), borderValue=[128] * 3) for move in moves]


NOTE_FACES = """() => {
  window.noted = [];
  const rows = document.getElementById("rows");
  const note = () => window.noted.push({
    time: performance.now() / 1000,
    faces: [...rows.rows].map(({ cells }) => [cells[0].textContent, cells[2].textContent]),
  });
  new MutationObserver(note).observe(rows, { childList: true });
}"""


def noted(page):
    """The faces of the page's table, frame after frame, since the last time."""
    frames = page.evaluate("window.noted.splice(0)")
    if max(np.diff([frame["time"] for frame in frames]), default=0) > 0.9:
        pytest.skip("needs a frame a second; a face is new after a second without any")
    return [frame["faces"] for frame in frames]


def test_the_camera_follows_a_face(launch_browser, address, tmp_path):
    static_page.write_video(tmp_path / "camera.y4m", moving_face())
    browser = launch_browser(f"--use-file-for-fake-video-capture={tmp_path / 'camera.y4m'}")
    page = browser.new_page()
    page.goto(address)
    page.evaluate(NOTE_FACES)
    for _ in range(2):  # the second time, numbers begin again
        page.get_by_role("button", name="Start camera").click()
        expect(page.locator("#status")).to_have_text(
            re.compile(r"^Camera: 1 face, [1-9][\d.]* frames/s\.$"), timeout=SOON
        )
        page.wait_for_timeout(3000)
        page.get_by_role("button", name="Stop camera").click()
        expect(page.locator("#status")).to_have_text(re.compile("^The camera is off"))
        frames = noted(page)
        assert len(frames) > 3
        assert {tuple(number for number, _ in faces) for faces in frames} == {("1",)}
        assert len({place for ((_, place),) in frames}) > 1  # it moved
        page.wait_for_timeout(1200)  # after a second, the same tracker would say 2
    (face,) = downloaded(page)["faces"]
    assert face["track_id"] == 0
    browser.close()


def test_no_camera(browser, address):
    page = browser.new_page()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => {"
        " throw new DOMException('none', 'NotFoundError') }"
    )
    page.goto(address)
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#status")).to_have_text("No camera was found on this device.")
    page.close()
