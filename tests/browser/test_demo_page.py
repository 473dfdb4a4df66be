"""`keras-lotr demo` in a real browser.

With KERAS_LOTR_SCREENSHOTS set, screenshots go to build/screenshots.
"""

import json
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import static_page
import tiny

from keras_lotr import FaceLandmarker, read_image

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
GROUP = ROOT / "examples" / "group.jpg"
FOUND = re.compile(r"^\d+ faces? in ")
SOON = 60_000  # milliseconds


def expect(locator):
    from playwright.sync_api import expect

    return expect(locator)


@pytest.fixture
def requests():
    """Addresses that the page asked for."""
    return []


@pytest.fixture
def page(browser, demo_url, requests):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(SOON)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(demo_url)
    expect(page.get_by_text("Examples")).to_be_visible(timeout=SOON)
    yield page
    page.close()


def keep(page, name):
    if not os.environ.get("KERAS_LOTR_SCREENSHOTS"):
        return
    folder = ROOT / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(800)  # images fade in
    page.screenshot(path=folder / f"{name}.png")


def upload(page, path):
    page.locator("input[type=file]").first.set_input_files(path)


def downloaded(page, button):
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return Path(download.value.path()).read_text()


def test_upload_and_download(page, demo_url, requests):
    upload(page, GROUP)
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
    keep(page, "image")
    landmarker = FaceLandmarker.from_preset("lotr_m_68", engine="onnxruntime")
    expected = [face.to_dict() for face in landmarker(GROUP)]
    (photo,) = json.loads(downloaded(page, "Download JSON"))
    assert photo == {"source": "picture", "width": 640, "height": 480, "faces": expected}
    table = downloaded(page, "Download CSV").splitlines()
    assert len(table) == 1 + len(expected)
    assert {url.partition("?")[0].split("/")[2] for url in requests if "//" in url} == {
        demo_url.removeprefix("http://")
    }


def test_what_was_found_goes_with_its_picture(page, tmp_path):
    upload(page, GROUP)
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
    assert downloaded(page, "Download CSV")
    (tmp_path / "text.png").write_text("text")
    page.get_by_label("Remove Image").first.click()
    upload(page, tmp_path / "text.png")
    expect(page.get_by_text("another kind")).to_be_visible(timeout=SOON)
    expect(page.get_by_text(FOUND)).to_have_count(0, timeout=SOON)
    page.wait_for_timeout(3000)
    assert page.get_by_text("another kind").count() == 1
    assert not page.locator("#landmarks img").count()
    downloads = []
    page.on("download", lambda download: downloads.append(download))
    page.get_by_role("button", name="Download JSON").click()
    page.get_by_role("button", name="Download CSV").click()
    page.wait_for_timeout(500)
    assert not downloads


def test_on_the_keras_backend(browser):
    with tiny.running_demo("--engine", "keras") as url:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(url)
        upload(page, GROUP)
        expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
        (photo,) = json.loads(downloaded(page, "Download JSON"))
        page.get_by_role("button", name=re.compile("^Settings")).click()
        shown = page.locator("#landmarks img").first
        before = shown.get_attribute("src")
        page.get_by_label("attention", exact=True).check()
        expect(shown).not_to_have_attribute("src", before, timeout=SOON)
        expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
        keep(page, "attention")
        page.close()
    landmarker = FaceLandmarker.from_preset("lotr_m_68", engine="onnxruntime")
    expected = np.array([face.points for face in landmarker(GROUP)])
    found = np.array([face["points"] for face in photo["faces"]])
    np.testing.assert_allclose(found, expected, atol=0.1)  # the file's weights have 16 bits


def test_an_example_is_one_click(page):
    page.locator("button.gallery-item").first.click()
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)


def test_settings(page):
    upload(page, GROUP.with_name("rendered4.jpg"))  # a profile, of which the detector is less sure
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
    page.get_by_role("button", name=re.compile("^Settings")).click()
    page.get_by_label("boxes").check()
    page.get_by_label("numbers").check()
    page.get_by_role("spinbutton", name="Detector's threshold").fill("0.95")
    page.keyboard.press("Tab")
    expect(page.get_by_text("No face was found.")).to_be_visible(timeout=SOON)
    keep(page, "settings")


def test_bad_file(page, tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("text")
    upload(page, path)
    expect(page.get_by_text("is of another kind or cut off")).to_be_visible(timeout=SOON)
    keep(page, "bad_file")
    page.get_by_label("Remove Image").first.click()
    upload(page, GROUP)
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)


def test_video(page, tmp_path):
    path = tmp_path / "faces.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 25, (320, 240))
    face = cv2.resize(cv2.imread(str(GROUP)), (320, 240))
    for i in range(12):
        writer.write(np.roll(face, -2 * i, axis=1))
    writer.release()
    page.get_by_role("tab", name="Video").click()
    # Of the tab that was opened: its contents come later than the click.
    page.locator("#video input[type=file]").set_input_files(path)
    page.locator("video").first.wait_for()
    page.get_by_role("button", name="Find landmarks").click()
    expect(page.get_by_text("12 frames, 12 of them with a face")).to_be_visible(timeout=SOON)
    shown = page.locator("video").last
    page.wait_for_function("video => video.videoWidth === 320", arg=shown.element_handle())
    keep(page, "video")


def test_webcam(launch_browser, demo_url, tmp_path):
    static_page.write_video(tmp_path / "faces.y4m", 5 * [read_image(GROUP)])
    browser = launch_browser(f"--use-file-for-fake-video-capture={tmp_path / 'faces.y4m'}")
    page = browser.new_page(viewport={"width": 1200, "height": 900}, permissions=["camera"])
    page.set_default_timeout(SOON)
    page.goto(demo_url)
    page.get_by_role("tab", name="Webcam").click()
    page.get_by_text("Click to Access Webcam").click()
    page.locator("button:visible").filter(has_text="Record").click()
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
    keep(page, "webcam")
    page.locator("button:visible").filter(has_text="Stop").click()
    browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(browser, demo_url, scheme):
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.goto(demo_url)
    page.locator("button.gallery-item").first.click(timeout=SOON)
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
    keep(page, f"phone_{scheme}")
    width = page.evaluate("document.documentElement.scrollWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.close()
    assert width <= 360
    light = sum(map(int, re.findall(r"\d+", background)[:3])) > 380
    assert light is (scheme == "light")


def test_keyboard_alone(page):
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('gallery-item')"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text(FOUND)).to_be_visible(timeout=SOON)
