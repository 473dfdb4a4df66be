"""Ways in which bytes are damaged: by disks, by transfers, and by people with intent."""

import json
import struct
import zlib

# What counts and lengths are set to.
_EDGES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
_ODD = [None, True, -1, 0, 1e308, 2**31, 2**63, "", "x" * 5000, "\0", [], {}, [[[[]]]], {"a": 1}]
_ODD += [float("nan"), float("inf"), "../../etc/passwd", "<b>", "lotr", ["a", 1], -0.5, 10**9]


def damaged(data, rng):
    """The bytes with one to six changes, each somewhere and of some kind."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 7)):
        if data:
            data = _CHANGES[rng.integers(len(_CHANGES))](data, rng)
    return bytes(data)


def _span(data, rng, longest=64):
    start = int(rng.integers(len(data)))
    return start, min(len(data), start + int(rng.integers(1, longest)))


def _flip(data, rng):
    at = int(rng.integers(len(data)))
    data[at] ^= 1 << int(rng.integers(8))
    return data


def _noise(data, rng):
    start, end = _span(data, rng)
    data[start:end] = rng.bytes(end - start)
    return data


def _edge(data, rng):
    """A number that is read as a length or a count becomes a special one; headers stand first."""
    limit = len(data) if rng.integers(2) else min(len(data), 128)
    at, value = int(rng.integers(limit)), _EDGES[rng.integers(len(_EDGES))]
    form = rng.choice(["<I", ">I", "<H", ">H", "B"])
    packed = struct.pack(form, value % 256 ** struct.calcsize(form))
    data[at : at + len(packed)] = packed
    return data


def _cut(data, rng):
    return data[: rng.integers(len(data))] if rng.integers(4) == 0 else data


def _remove(data, rng):
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _double(data, rng):
    start, end = _span(data, rng, 512)
    return data[:end] + data[start:]


def _swap(data, rng):
    (a, b), (c, d) = sorted([_span(data, rng), _span(data, rng)])
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:] if b <= c else data


_CHANGES = [_flip, _flip, _noise, _edge, _edge, _edge, _cut, _remove, _double, _swap]


def with_checksums(data):
    """A PNG whose chunks have right checksums again, so that their content is read."""
    data, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            break
        struct.pack_into(">I", data, end, zlib.crc32(bytes(data[at + 4 : end])))
        at = end + 4
    return bytes(data)


def odd_json(data, rng):
    """JSON in which one value is another, or one key is missing or new."""
    content = json.loads(data)
    places = list(_places(content))
    for _ in range(rng.integers(1, 3)):
        if not places:
            break
        part, key = places[rng.integers(len(places))]
        odd = _ODD[rng.integers(len(_ODD))]
        try:
            if rng.integers(8) == 0:
                del part[key]
            elif rng.integers(8) == 0 and isinstance(part, dict):
                part["unheard"] = odd
            else:
                part[key] = odd
        except (KeyError, IndexError):
            continue  # another change took it away
    return json.dumps(content).encode()


def _places(content):
    parts = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in parts:
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)
