"""Downloads from the Hub: what is cached, and what is said when one fails."""

import os
import subprocess
import sys

import pytest
from hub_server import READER, WRITER, sha256

from keras_lotr.presets.hub import Handle, at_commit, fetch

pytestmark = pytest.mark.once

HANDLE = Handle("me/tiny")
WEIGHTS = b"weights " * 1000
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """huggingface_hub does not wait between its attempts."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def constants():
    return pytest.importorskip("huggingface_hub.constants")


def cached_files(hub):
    """What lies in the cache as far as a reader could take it for a file of a repository."""
    blobs = [path for path in hub.cache.rglob("blobs/*") if path.is_file()]
    assert not [path for path in blobs if "incomplete" in path.name]
    return sorted(path.read_bytes() for path in blobs)


# === Handles ===
@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("hf://me/tiny", "me/tiny", None),
        ("hf://me/tiny@v1.0", "me/tiny", "v1.0"),
        ("hf://timm/hrnet_w64.ms_in1k@refs/pr/3", "timm/hrnet_w64.ms_in1k", "refs/pr/3"),
    ],
)
def test_handle(text, repo, revision):
    assert Handle.parse(text) == Handle(repo, revision)
    assert str(Handle.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "me/tiny", "hf://", "hf://tiny", "hf://a/b/c", "hf://../etc", "hf://a/..", "hf://a/b@",
     "hf://a/b@../../x", "hf://a/b@/etc", "hf://a/b c", "hf:///b"],
)  # fmt: skip
def test_no_handle(text):
    with pytest.raises(ValueError, match=r"Expected a handle hf://org/name\[@revision\]"):
        Handle.parse(text)


# === Loading ===
def test_download_once_then_from_the_cache(hub):
    commit = hub.put("me/tiny", FILES)
    path = fetch(HANDLE, "model.safetensors")
    assert path.read_bytes() == WEIGHTS
    assert at_commit(HANDLE, path) == Handle("me/tiny", commit)
    before = len(hub.requests)
    assert fetch(HANDLE, "model.safetensors") == path
    assert [method for method, _ in hub.requests[before:]] == ["HEAD"]  # is it still the newest?
    before = len(hub.requests)
    assert fetch(at_commit(HANDLE, path), "model.safetensors") == path
    assert len(hub.requests) == before


def test_revisions(hub):
    old = hub.put("me/tiny", {"config.json": b"old"})
    new = hub.put("me/tiny", {"config.json": b"new"})
    hub.repos["models/me/tiny"].refs["v1"] = old
    for revision, content in ((None, b"new"), ("v1", b"old"), (old, b"old"), (new, b"new")):
        assert fetch(Handle("me/tiny", revision), "config.json").read_bytes() == content


def test_a_file_that_is_not_there(hub, constants, monkeypatch):
    hub.put("me/tiny", FILES)
    assert fetch(HANDLE, "results.json") is None
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch(HANDLE, "results.json") is None  # known from before


def test_token(hub, monkeypatch):
    hub.put("me/tiny", FILES, private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(FileNotFoundError):
        fetch(HANDLE, "config.json")
    assert fetch(HANDLE, "config.json", token=READER).read_bytes() == b"{}"


def test_given_sha256(hub):
    hub.put("me/tiny", FILES)
    assert fetch(HANDLE, "model.safetensors", sha256=sha256(WEIGHTS)).read_bytes() == WEIGHTS
    with pytest.raises(OSError, match=r"Refused config.json of hf://me/tiny.*sha256 0000.*cache"):
        fetch(HANDLE, "config.json", sha256="0" * 64)


# === Failures: each has its sentence, and leaves nothing in the cache ===
def private(hub):
    hub.repos["models/me/tiny"].private = True


def gated(hub):
    hub.repos["models/me/tiny"].gated = True


FAILURES = {
    "server error": (503, {}, ConnectionError, "the Hub answered with error 503.*Try again later"),
    "silent": ("silent", {}, TimeoutError, "did not answer in time.*HF_HUB_ETAG_TIMEOUT=60"),
    "cut": ("cut", {}, ConnectionError, "transfer broke off .* Nothing of it was kept; try again"),
    "corrupt": ("corrupt", {}, OSError, "Refused model.safetensors .*sha256 .*out of the cache"),
    "private": (private, {}, FileNotFoundError, "no such repository, or it is private.*HF_TOKEN"),
    "gated": (gated, {}, PermissionError, "is gated. Accept its conditions.*HF_TOKEN"),
    "no repository": (None, {"repo": "me/none"}, FileNotFoundError, "no such repository"),
    "no revision": (None, {"revision": "v9"}, FileNotFoundError, "no branch, tag or commit 'v9'"),
    "foreign": ("foreign", {}, ConnectionError, "the server is no Hub. Check HF_ENDPOINT"),
    "redirect loop": ("loop", {}, ConnectionError, "redirects in a circle. Check HF_ENDPOINT"),
    "too many": (429, {}, ConnectionError, "too many requests. Try again later"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure(hub, constants, monkeypatch, name):
    failure, place, kind, sentence = FAILURES[name]
    hub.put("me/tiny", FILES)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.3)
    if callable(failure):
        failure(hub)
    else:
        hub.failure = failure
    handle = Handle(**{"repo": "me/tiny", **place})
    with pytest.raises(kind, match=sentence) as caught:
        fetch(handle, "model.safetensors")
    said = str(caught.value)
    assert f"model.safetensors of {handle}" in said
    assert "\n" not in said
    print(f"{name}: {type(caught.value).__name__}: {said}")
    assert cached_files(hub) == []


@pytest.mark.parametrize("name", ["server error", "silent", "private", "gated"])
def test_what_is_cached_is_used_whatever_the_hub_says(hub, constants, monkeypatch, name):
    hub.put("me/tiny", FILES)
    path = fetch(HANDLE, "model.safetensors")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.3)
    failure = FAILURES[name][0]
    if callable(failure):
        failure(hub)
    else:
        hub.failure = failure
    assert fetch(HANDLE, "model.safetensors") == path
    assert cached_files(hub) == [WEIGHTS]


@pytest.mark.parametrize("failure", ["cut", "corrupt"])
def test_after_a_bad_download_the_next_one_succeeds(hub, failure):
    hub.put("me/tiny", FILES)
    hub.failure = failure
    with pytest.raises(OSError, match="model.safetensors of hf://me/tiny"):
        fetch(HANDLE, "model.safetensors")
    hub.failure = None
    assert fetch(HANDLE, "model.safetensors").read_bytes() == WEIGHTS


def test_too_many_requests_say_how_long_to_wait(hub, monkeypatch):
    """And nobody sits it out here: the user may have other things to do."""
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    hub.put("me/tiny", FILES)
    hub.failure, hub.retry_after = 429, 3600
    with pytest.raises(ConnectionError, match=r"too many requests. Try again in 3600 seconds\."):
        fetch(HANDLE, "model.safetensors")
    assert sum(slept) < 60
    assert cached_files(hub) == []


def test_a_slow_transfer_is_none_that_fails(hub, constants, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    content = WEIGHTS * 4
    hub.put("me/tiny", {"model.safetensors": content})
    hub.failure = "drip"
    assert fetch(HANDLE, "model.safetensors").read_bytes() == content


def test_no_network(hub, constants, monkeypatch):
    hub.put("me/tiny", FILES)
    path = fetch(HANDLE, "config.json")
    nobody = "http://127.0.0.1:9"
    monkeypatch.setattr(constants, "ENDPOINT", nobody)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", nobody + "/{repo_id}/{revision}/{filename}"
    )
    assert fetch(HANDLE, "config.json") == path
    with pytest.raises(ConnectionError, match="Hub cannot be reached.*while online") as caught:
        fetch(HANDLE, "model.safetensors")
    print(f"no network: {caught.value}")


def test_offline(hub, constants, monkeypatch):
    hub.put("me/tiny", FILES)
    path = fetch(HANDLE, "config.json")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before = len(hub.requests)
    assert fetch(HANDLE, "config.json") == path
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE=1 allows no request") as caught:
        fetch(HANDLE, "model.safetensors")
    print(f"HF_HUB_OFFLINE=1: {caught.value}")
    assert len(hub.requests) == before


def test_wrong_token(hub, monkeypatch):
    hub.put("me/tiny", FILES)
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    with pytest.raises(PermissionError, match=r"does not allow it \(error 401\)") as caught:
        fetch(HANDLE, "config.json")
    print(f"wrong token: {caught.value}")
    assert WRITER not in str(caught.value)


# === Two at once ===
BOTH = """
from keras_lotr.presets.hub import Handle, fetch
print(len(fetch(Handle("me/tiny"), "model.safetensors").read_bytes()))
"""


def test_two_processes_at_once(hub):
    hub.put("me/tiny", FILES)
    hub.delay = 0.5
    run = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, **hub.environment}
    both = [
        subprocess.Popen([sys.executable, "-c", BOTH], env=environment, **run) for _ in range(2)
    ]
    for process in both:
        out, error = process.communicate(timeout=120)
        assert out.strip() == str(len(WEIGHTS)), error
