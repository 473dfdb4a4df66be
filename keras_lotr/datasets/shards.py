"""Shards, as `keras-lotr shard` writes them: data sets too large for memory or a folder of files.

    shards.json          landmark scheme, the kinds of faces, and each tar with its size
    images-00000.tar     image files as they were; and so on
    index.npy            for each face: where its image lies in which tar, splits, kind, box
    points.npy           (F, N, 2) float32 landmarks; weights.npy and visibility.npy, (F, N), if
                         there are any, NaN for a face without

Tar files, because an index finds a file in a tar with one read, while a Parquet file would have to
be read by row groups for each face. So faces are drawn as from any data set, and the same ones.
Nothing of it is in memory: the tables are mapped, and an image is read when its face is drawn.
"""

import copy
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_lotr.datasets.gaps import in_scheme
from keras_lotr.datasets.samples import Sample, read_json
from keras_lotr.datasets.sets import given_tags
from keras_lotr.schemes import named_scheme

FACTS, INDEX, POINTS = "shards.json", "index.npy", "points.npy"
OPTIONAL = ("weights", "visibility")
TAR = "images-{:05d}.tar"
SPLIT_BITS = {"train": 1, "val": 2, "test": 4}
ROW = np.dtype(
    [
        *(("tar", "<u4"), ("image", "<u8"), ("start", "<u8"), ("size", "<u4"), ("crc32", "<u4")),
        *(("splits", "u1"), ("weighted", "?"), ("kind", "<u4"), ("box", "<f4", 4)),
    ]
)


@dataclass(frozen=True)
class TarMember:
    """An image file inside of a tar.

    Attributes:
        tar: path of the tar.
        start, size: in bytes, where the file begins in the tar and how long it is.
        crc32: of its bytes.
    """

    tar: str
    start: int
    size: int
    crc32: int

    def read(self):
        """The bytes of the image file.

        Raises:
            ValueError: they are not there as the index says.
            OSError: the tar cannot be read.
        """
        with open(self.tar, "rb") as file:
            file.seek(self.start)
            data = file.read(self.size)
        if len(data) != self.size or zlib.crc32(data) != self.crc32:
            raise ValueError(
                f"Expected the image at byte {self.start} of {self.tar} as {INDEX} says. The "
                "shard is damaged or another one: copy it again."
            )
        return data


class ShardedFaces(Sequence):
    """Faces of shards, read when they are asked for: a sequence of `Sample`.

    Args:
        folder: of the shards.

    Example:

    >>> import tempfile
    >>> from keras_lotr.datasets.shard_writing import write_shards
    >>> folder = Path(tempfile.mkdtemp(), "shards")
    >>> _ = write_shards("examples/rendered_faces", folder, "ibug68")
    >>> faces = ShardedFaces(folder)
    >>> len(faces), faces[0].points_image.shape, len(faces[::2]), faces[-1].image().shape
    (96, (68, 2), 48, (160, 160, 3))
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.tars, self.kinds, optional, self.scheme, faces = _facts(self.folder)
        self.table = _index(self.folder, faces, self.tars, self.kinds)
        self.points = _table(self.folder / POINTS, faces)
        self.optional = {name: _table(self.folder / f"{name}.npy", faces) for name in optional}
        self.rows = np.arange(faces)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        if not isinstance(place, int | np.integer):  # a slice or an array
            others = copy.copy(self)
            others.rows = self.rows[place]
            return others
        number = self.rows[place]
        row, tar = self.table[number], self.tars[self.table[number]["tar"]]
        tags, converted_from = self.kinds[row["kind"]]
        return Sample(
            path=_path(tar, row["image"]),
            points_image=self.points[number],
            scheme=self.scheme,
            box=row["box"],
            tags=tags,
            origin=f"{INDEX}, face {number}",
            converted_from=converted_from,
            member=TarMember(tar, int(row["start"]), int(row["size"]), int(row["crc32"])),
            **{name: _or_none(table[number]) for name, table in self.optional.items()},
        )

    def of_split(self, split):
        """Those of a split."""
        return self[(self.table["splits"][self.rows] & SPLIT_BITS[split]) > 0]

    def with_tags(self, tags):
        """Those with at least one of the tags, which may be a single one."""
        tags = set(given_tags(tags))
        kinds = [i for i, (own, _) in enumerate(self.kinds) if tags & set(own)]
        return self[np.isin(self.table["kind"][self.rows], kinds)]

    @property
    def weighted(self):
        """Whether any has weights or gaps."""
        return bool(self.table["weighted"][self.rows].any())

    def paths(self):
        """Yields `path` of each, without the rest of it."""
        for start in range(0, len(self.rows), 100_000):
            block = self.table[self.rows[start : start + 100_000]]
            for tar, image in zip(block["tar"].tolist(), block["image"].tolist(), strict=True):
                yield _path(self.tars[tar], image)


def _path(tar, image):
    """The image's name in the tar, without its ending; the same for all faces in the image."""
    return f"{tar}/{image:09d}"


def _or_none(values):
    return None if np.isnan(values).all() else values


def read(folder, split="train", scheme=None):
    """Faces of shards; of another scheme than the shards' they are all in memory."""
    faces = ShardedFaces(folder).of_split(split)
    return faces if scheme in (None, faces.scheme) else in_scheme(list(faces), scheme, folder)


def is_here(folder):
    """Whether the folder holds shards, also if their index is missing."""
    folder = Path(folder)
    return (folder / FACTS).is_file() or (folder / TAR.format(0)).is_file()


def _facts(folder):
    """Tars, kinds, optional tables, scheme and number of faces, if all tars are there and whole."""
    path = folder / FACTS
    if not path.is_file():
        raise FileNotFoundError(
            f"The shards in {folder} have no {FACTS}, which is written last: write them again with "
            "`keras-lotr shard`."
        )
    facts = read_json(path)
    try:
        tars = [(folder / tar["file"], tar["bytes"]) for tar in facts["tars"]]
        kinds = [(tuple(kind["tags"]), kind["converted_from"]) for kind in facts["kinds"]]
        tables = [name for name in OPTIONAL if name in facts["optional"]]
        scheme, faces = named_scheme(facts["scheme"]), int(facts["faces"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Expected {path} as `keras-lotr shard` writes it: {error!r}") from None
    for file, size in tars:
        if not file.is_file():
            raise FileNotFoundError(f"The data set lacks its shard {file}.")
        if file.stat().st_size != size:
            raise ValueError(
                f"Expected {size} bytes in the shard {file}, as {FACTS} says. Received: "
                f"{file.stat().st_size}. Copy it again."
            )
    return [str(file) for file, _ in tars], kinds, tables, scheme, faces


def _index(folder, faces, tars, kinds):
    index = _table(folder / INDEX, faces)
    is_whole = index.dtype == ROW and index.ndim == 1
    if not is_whole or (index["tar"] >= len(tars)).any() or (index["kind"] >= len(kinds)).any():
        raise ValueError(
            f"Expected {folder / INDEX} as `keras-lotr shard` writes it, for the tars of {FACTS}: "
            "copy all files of the shards from one place."
        )
    return index


def _table(path, faces):
    """An array of the disk, mapped into memory."""
    if not path.is_file():
        raise FileNotFoundError(f"The data set lacks {path}.")
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
        rows = len(table)
    except (TypeError, ValueError, EOFError) as error:
        raise ValueError(f"Expected a table of `keras-lotr shard` in {path}: {error}") from None
    if rows != faces:
        raise ValueError(
            f"Expected {faces} faces in {path}, as {FACTS} says. Received: {rows} rows. Copy all "
            "files of the shards from one place."
        )
    return table
