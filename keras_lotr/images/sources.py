"""Where the bytes of an image file come from: a path, a URL, an open file."""

import base64
import binascii
import os
import re
import stat
import urllib.parse
from pathlib import Path

from keras_lotr.images.names import shortened

_MAX_DOWNLOAD_BYTES = 50_000_000
_TIMEOUT_SECONDS = 20
_STORAGES = ("s3", "gs", "hdfs", "abfs")  # that `keras_lotr.ray` reads
# What may stand in a URL as it is; "%" begins what is escaped already.
_SAFE_IN_URLS = "%/:=&?~#+!$,;'@()*[]"


def is_url(source):
    """Whether it is an http(s), file or data URL.

    Example:

    >>> is_url("https://example.com/a.jpg"), is_url("a.jpg")
    (True, False)
    """
    starts = ("http://", "https://", "file:", "data:")
    return isinstance(source, str) and source.lower().startswith(starts)


def file_name(source):
    """The name of the file that a path or URL ends with.

    Example:

    >>> file_name("https://example.com/photos/anna.jpg?size=2"), file_name("data:image/png,abc")
    ('anna.jpg', '')
    """
    if not is_url(source):
        return Path(source).name
    parts = urllib.parse.urlsplit(source)
    return "" if parts.scheme == "data" else Path(urllib.parse.unquote(parts.path)).name


def bytes_of_name(name):
    """The bytes that a path or URL names.

    Raises:
        FileNotFoundError: no such file.
        OSError: it cannot be read or downloaded.
        ValueError: a folder, an address of another kind, or a broken data URL.
    """
    if not is_url(name):
        return _of_file(name)
    scheme = name.partition(":")[0].lower()
    if scheme == "data":
        return _of_data_url(name)
    return _of_file(_path_of_url(name)) if scheme == "file" else _download(name)


def bytes_of_open_file(file):
    """All bytes of an open file, from its start where it can be put there.

    Raises:
        ValueError: it gives no bytes.
    """
    if hasattr(file, "seek") and getattr(file, "seekable", lambda: True)():
        file.seek(0)
    data = file.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        if hasattr(data, "close"):  # a coroutine that nobody awaits warns when it is forgotten
            data.close()
        raise ValueError(
            "Expected a file that is open for reading bytes, as open(path, 'rb') opens it. "
            f"Received: {type(file).__name__}, which gives {type(data).__name__}"
        )
    return bytes(data)


def _of_file(source):
    name, shown = os.path.expanduser(os.fspath(source)), shortened(source)
    if not name:
        raise ValueError("Expected an image. Received: an empty name")
    try:
        mode = os.stat(name).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"There is no image {shown}.{_hint(name)}") from None
    except (OSError, ValueError) as error:  # too long, or with a zero byte
        if isinstance(error, PermissionError):
            raise
        raise FileNotFoundError(f"There is no image {shown}.{_hint(name)}") from None
    if stat.S_ISDIR(mode):
        raise ValueError(f"Expected an image. {shown} is a folder.")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise ValueError(f"Expected an image. {shown} is a device.")
    return Path(os.fsdecode(name)).read_bytes()


def _hint(name):
    """What may be meant by a name that is none of a file."""
    name = os.fsdecode(name)
    scheme = re.match(r"([a-z][a-z0-9+.-]+)://", name.lower())
    if scheme:
        storages = ", or predict with --ray" if scheme[1] in _STORAGES else ""
        return (
            f" Addresses {scheme[1]}:// are not read: fetch it yourself and give its bytes"
            f"{storages}."
        )
    if len(name) > 500 and re.fullmatch(r"[A-Za-z0-9+/=\s]+", name):
        return " For base64 write 'data:image/jpeg;base64,' in front, or give the decoded bytes."
    return ""


def _path_of_url(url):
    parts = urllib.parse.urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(
            f"Expected a file of this machine, file:///folder/name. Received: {shortened(url)}"
        )
    path = url.partition(":")[2].removeprefix("//").removeprefix("localhost")
    from urllib.request import url2pathname  # takes as long to import as all of this library

    escaped = url2pathname(path)
    return path if not os.path.exists(escaped) and os.path.exists(path) else escaped


def _of_data_url(url):
    head, comma, body = url.partition(",")
    body = urllib.parse.unquote_to_bytes(body)
    if not head.lower().endswith(";base64"):
        return body
    try:
        data = b"".join(body.split())
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error:
        raise ValueError(
            f"Expected base64 after the comma of a data URL. Received: {shortened(url)}"
        ) from None


def _download(url):
    import http.client
    import urllib.request

    request = urllib.request.Request(_escaped(url), headers={"User-Agent": "keras-lotr"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            data = response.read(_MAX_DOWNLOAD_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise OSError(f"Cannot download {shortened(url)}: {error}") from None
    if len(data) > _MAX_DOWNLOAD_BYTES:
        raise ValueError(
            f"Expected an image of at most {_MAX_DOWNLOAD_BYTES:,} bytes at {shortened(url)}."
        )
    return data


def _escaped(url):
    """The URL with any letter: as browsers send it."""
    scheme, slashes, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise OSError(f"Cannot download {shortened(url)}: no such host") from None
    return scheme + slashes + urllib.parse.quote(host + slash + path, safe=_SAFE_IN_URLS)
