"""Fixtures of all tests; the functions behind them are in `tiny.py`."""

import shutil

import keras
import numpy as np
import pytest
import tiny
from hub_server import Hub
from required import missing

from keras_lotr.variants import VARIANTS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# A camera that needs no permission and no hardware; as root there is no sandbox.
BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@pytest.fixture(scope="session")
def backend():
    """Name of the running Keras backend."""
    return keras.backend.backend()


@pytest.fixture(scope="session", autouse=True)
def _compile_once(backend, tmp_path_factory):
    """JAX compiles in haste, and once what several tests share: it would take half of the time."""
    settings = {"disable_most_optimizations": True, "persistent_cache_min_compile_time_secs": 0.3}
    settings["compilation_cache_dir"] = str(tmp_path_factory.mktemp("jax"))
    with pytest.MonkeyPatch.context() as patch:
        if backend == "jax":
            import jax

            for name, value in settings.items():
                jax.config.update(f"jax_{name}", value)
                patch.setenv(f"JAX_{name.upper()}", str(value))  # for processes that tests start
        yield


@pytest.fixture
def rgb():
    """12 x 20, red on the left, blue on the right."""
    image = np.zeros((12, 20, 3), np.uint8)
    image[:, :10, 0] = 250
    image[:, 10:, 2] = 200
    return image


@pytest.fixture(scope="session")
def tiny_lotr():
    """Makes a LOTR of a few thousand weights: `tiny_lotr(num_landmarks=5, backbone=None, ...)`."""
    return tiny.tiny_lotr


@pytest.fixture(scope="session")
def rendered_faces(tmp_path_factory):
    """A kit folder of 12 drawn faces, 4 of them for validation."""
    splits = ["train"] * 8 + ["val"] * 4
    return tiny.write_faces(tmp_path_factory.mktemp("faces") / "kit", splits)


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """A video of 20 frames of a face that moves to the left."""
    return tiny.write_video(tmp_path_factory.mktemp("video") / "faces.webm")


@pytest.fixture(scope="module")
def tiny_variant():
    """The variant "lotr_m" is tiny as long as a module runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VARIANTS, "lotr_m", tiny.tiny_variant())
        yield


@pytest.fixture(scope="session")
def _hub_server():
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def hub(_hub_server, tmp_path, monkeypatch):
    """A Hugging Face Hub of our own, empty, with an empty cache (`hub.cache`) and a token."""
    constants = pytest.importorskip("huggingface_hub.constants")
    _hub_server.reset()
    _hub_server.cache = tmp_path / "hf" / "hub"
    template = _hub_server.url + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in {
        "ENDPOINT": _hub_server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_CACHE": str(_hub_server.cache),
        "HF_TOKEN_PATH": str(tmp_path / "hf" / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_ETAG_TIMEOUT": 5,
        "HF_HUB_DOWNLOAD_TIMEOUT": 5,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    _hub_server.environment = {
        "HF_ENDPOINT": _hub_server.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "hf_writer",
    }
    yield _hub_server
    _hub_server.released.set()


@pytest.fixture(scope="session")
def demo_url():
    """Address of a running `keras-lotr demo --engine onnxruntime`."""
    pytest.importorskip("gradio", reason="needs gradio")
    with tiny.running_demo() as url:
        yield url


# === A real browser: Playwright on the machine's Chromium ===
@pytest.fixture(scope="session")
def launch_browser():
    """Starts a browser: `launch_browser("--some-flag")`; all are closed at the end."""
    try:
        from playwright import sync_api
    except ImportError:
        missing("browser", "needs playwright")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        missing("browser", f"needs Chromium: none of {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:

        def launch(*arguments):
            return playwright.chromium.launch(
                executable_path=executable, args=[*BROWSER_ARGUMENTS, *arguments]
            )

        yield launch  # leaving `with` closes the browsers


@pytest.fixture(scope="session")
def browser(launch_browser):
    """One browser for all tests; each test takes a `browser.new_page()` of its own."""
    browser = launch_browser()
    yield browser
    browser.close()
