"""The Hugging Face Hub: handles, downloads into its cache, and a sentence for each failure.

A file is downloaded once, by huggingface_hub, into its cache; what is cut or of another content
than was promised does not stay there. `HF_ENDPOINT` names a mirror, `HF_TOKEN` (or `hf auth login`)
opens private repositories, `HF_HUB_OFFLINE=1` keeps to the cache.
"""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

PREFIX = "hf://"
_LONGEST_WAIT = 30  # seconds that a Hub with too many requests may ask for
_HANDLE = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>\w[\w./-]*))?")


@dataclass(frozen=True)
class Handle:
    """A repository of the Hub, and a revision of it.

    Attributes:
        repo: "org/name".
        revision: branch, tag or commit; None: the branch "main".
    """

    repo: str
    revision: str | None = None

    @classmethod
    def parse(cls, text):
        """Read "hf://org/name[@revision]".

        Raises:
            ValueError: for anything else.

        Example:

        >>> Handle.parse("hf://me/my_model@v1")
        Handle(repo='me/my_model', revision='v1')
        """
        match = _HANDLE.fullmatch(str(text).removeprefix(PREFIX))
        if not str(text).startswith(PREFIX) or match is None or ".." in str(text):
            raise ValueError(f"Expected a handle hf://org/name[@revision]. Received: {text!r}")
        return cls(match["repo"], match["revision"])

    def __str__(self):
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def fetch(handle, filename, token=None, sha256=None):
    """The local path of a file of a repository: from the cache, or downloaded into it.

    Args:
        handle: `Handle`.
        filename: name of the file in the repository.
        token: access token; None takes that of `HF_TOKEN` or `hf auth login`.
        sha256: what the file must be; None: what the Hub says it is, if it says so.

    Returns:
        A path, or None if the repository has no such file.

    Raises:
        OSError: the file cannot be had; the sentence says why, and what to do.
    """
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, RemoteEntryNotFoundError

    place = {"repo_id": handle.repo, "filename": filename, "revision": handle.revision}
    cached = huggingface_hub.try_to_load_from_cache(**place)  # a path, "has none", or None
    try:
        if not isinstance(cached, str):
            _ask_once(handle, filename, token)
        path = huggingface_hub.hf_hub_download(**place, token=token, library_name="keras-lotr")
    except RemoteEntryNotFoundError:
        return None
    except (http_error(), OSError, EntryNotFoundError) as error:
        if cached is not None and not isinstance(cached, str):
            return None  # what was missing when the Hub could be asked is missing offline too
        raise explain(error, handle, f"load {filename} of") from None
    _check(Path(path), sha256, f"{filename} of {handle}")
    return Path(path)


def at_commit(handle, path):
    """The handle of exactly the commit that a fetched file belongs to."""
    return replace(handle, revision=Path(path).parent.name)


def _ask_once(handle, filename, token):
    """Find out at once that the Hub does not answer: `hf_hub_download` would try for minutes."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT
    from huggingface_hub.errors import HfHubHTTPError

    url = hf_hub_url(handle.repo, filename, revision=handle.revision)
    try:
        get_hf_file_metadata(url, token, HF_HUB_ETAG_TIMEOUT, library_name="keras-lotr")
    except HfHubHTTPError as error:
        # An answer, if not a kind one: `hf_hub_download` deals with it, but would sit out hours.
        if _retry_after(error) > _LONGEST_WAIT:
            raise


def _retry_after(error):
    """Seconds until a Hub that has had too many requests wants the next one; 0: it does not say."""
    seconds = error.response.headers.get("Retry-After", "")
    return int(seconds) if error.response.status_code == 429 and seconds.isdigit() else 0


def _check(path, sha256, what):
    """Compare with the promised content: given, or the name of the file in the cache (LFS)."""
    blob = path.resolve()
    expected = sha256 or (blob.name if re.fullmatch("[0-9a-f]{64}", blob.name) else None)
    if expected is None:
        return
    found = sha256_of(blob)
    if found != expected:
        for wrong in {path, blob}:
            wrong.unlink(missing_ok=True)
        raise OSError(
            f"Refused {what}: expected the sha256 {expected[:12]}..., received {found[:12]}.... It "
            "was taken out of the cache; try again, and if that does not help, do not trust it."
        )


def sha256_of(path):
    """The sha256 of a file, as the Hub writes it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def http_error():
    """The base of all errors of the HTTP library that huggingface_hub uses (httpx or httpx2)."""
    from huggingface_hub.errors import HfHubHTTPError

    return next(c for c in HfHubHTTPError.__mro__ if c.__name__ == "HTTPError")


def explain(error, handle, deed):
    """An OSError with one sentence for what huggingface_hub or its HTTP library raised.

    Args:
        error: the exception.
        handle: `Handle` of the repository.
        deed: what was to be done, such as "load config.json of".
    """
    from huggingface_hub import constants, errors

    cannot, cause = f"Cannot {deed} {handle}: ", error.__cause__ or error
    loading = deed.startswith("load")
    uncached = "it is not in the local cache, and " if loading else ""
    remedy = "Load it once while online, or give a local folder."
    remedy = remedy if loading else "Try again while online."
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if constants.HF_HUB_OFFLINE or isinstance(cause, errors.OfflineModeIsEnabled):
        return ConnectionError(f"{cannot}{uncached}HF_HUB_OFFLINE=1 allows no request. {remedy}")
    if isinstance(error, errors.GatedRepoError):
        return PermissionError(
            f"{cannot}the repository is gated. Accept its conditions on its page, then log in with "
            "`hf auth login` or set HF_TOKEN."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return FileNotFoundError(
            f"{cannot}the repository has no branch, tag or commit {handle.revision!r}."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return FileNotFoundError(
            f"{cannot}there is no such repository, or it is private. Check the name; for a private "
            "one log in with `hf auth login` or set HF_TOKEN to a token that may use it."
        )
    if status in (401, 403):
        return PermissionError(
            f"{cannot}the Hub does not allow it (error {status}). Log in with `hf auth login` or "
            "set HF_TOKEN to a token with that right."
        )
    if status == 429:
        seconds = _retry_after(cause)
        when = f"in {seconds} seconds" if seconds else "later"
        return ConnectionError(f"{cannot}the Hub has had too many requests. Try again {when}.")
    if status is not None:
        said = getattr(error, "server_message", None)
        hint = "Try again later." if status >= 500 else said or ""
        return ConnectionError(f"{cannot}the Hub answered with error {status}. {hint}".rstrip())
    name = type(cause).__name__
    if "Timeout" in name:
        return TimeoutError(
            f"{cannot}{uncached}the Hub did not answer in time. Try again; HF_HUB_ETAG_TIMEOUT=60 "
            "and HF_HUB_DOWNLOAD_TIMEOUT=60 wait for 60 seconds."
        )
    if name in ("ConnectError", "ProxyError"):
        return ConnectionError(f"{cannot}{uncached}the Hub cannot be reached. {remedy}")
    return _broken_transfer(cause, cannot)


def _broken_transfer(error, cannot):
    name = type(error).__name__
    if name == "TooManyRedirects":
        return ConnectionError(
            f"{cannot}the server redirects in a circle. Check HF_ENDPOINT and proxies."
        )
    if name in ("UnsupportedProtocol", "InvalidURL"):
        return ConnectionError(f"{cannot}HF_ENDPOINT is no address. Check it; https://... is one.")
    if name == "FileMetadataError":
        return ConnectionError(f"{cannot}the server is no Hub. Check HF_ENDPOINT and proxies.")
    if isinstance(error, OSError) and error.errno is not None:  # disk full, no right to write
        return type(error)(error.errno, f"{cannot}{error.strerror}", error.filename)
    xet = " A server without Xet needs HF_HUB_DISABLE_XET=1." if "HF_ENDPOINT" in os.environ else ""
    return ConnectionError(
        f"{cannot}the transfer broke off ({name}). Nothing of it was kept; try again.{xet}"
    )
