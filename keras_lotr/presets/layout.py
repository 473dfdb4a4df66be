"""Where in a safetensors file each weight lies; read without Keras and without the weights."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

_PREFIX_BYTES, _MAX_HEADER_BYTES = 8, 100_000_000


@dataclass(frozen=True)
class Layout:
    """The places of the weights in a safetensors file.

    Attributes:
        places: {key: (dtype such as "F16", shape, offset in the file, length in bytes)}.
        digest: SHA-256 of the header, by which another layout is known.
    """

    places: dict
    digest: str


def layout_of(path):
    """The `Layout` of a safetensors file.

    Raises:
        ValueError: it is no safetensors file.
    """
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(_PREFIX_BYTES), "little")
        header = file.read(min(length, _MAX_HEADER_BYTES))
    try:
        entries = json.loads(header)
        start = _PREFIX_BYTES + length
        places = {
            key: (entry["dtype"], entry["shape"], start + begin, end - begin)
            for key, entry in entries.items()
            if key != "__metadata__"
            for begin, end in [entry["data_offsets"]]
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"Expected a safetensors file. Received: {path}: {error}") from None
    return Layout(places, hashlib.sha256(header).hexdigest())
