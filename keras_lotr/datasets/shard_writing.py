"""Writes any data set that the library reads as shards."""

import os
import tarfile
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np

from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.shards import (
    FACTS,
    INDEX,
    OPTIONAL,
    POINTS,
    ROW,
    SPLIT_BITS,
    TAR,
)
from keras_lotr.number_checks import check_counts
from keras_lotr.presets.files import write_json
from keras_lotr.schemes import scheme_config
from keras_lotr.writing import check_new_folder, not_written

TAR_BYTES = 10**9


def write_shards(data, out, scheme=None, reader=None, tar_bytes=TAR_BYTES):
    """Write a data set as shards, with the bytes of its image files.

    Args:
        data, scheme, reader: as of `read_samples`; all splits are written. Labels are in memory
            meanwhile, images are not.
        out: folder, new or empty. Its shards.json is written last: without it, the writing was
            interrupted.
        tar_bytes: of images in a tar, or one image more; a whole number from 1.

    Returns:
        dict, what shards.json says.

    Raises:
        ValueError: `out` is no new or empty folder, `tar_bytes` is no such number, or as of
            `read_samples`.
        OSError: as of `read_samples`, or the folder cannot be written.
    """
    check_counts(tar_bytes=tar_bytes)
    out = Path(out)
    check_new_folder(out)
    samples, splits = _all_samples(data, scheme, reader)
    out.mkdir(parents=True, exist_ok=True)
    try:
        places, tars = _write_tars(samples, out, tar_bytes)
        facts = _write_tables(samples, splits, places, out)
        facts["tars"] = tars
        write_json(out / FACTS, facts)
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(out)):
            raise  # an image that cannot be read
        raise not_written(out, error) from error
    return facts


def _all_samples(data, scheme, reader):
    """The faces of all splits, and the bits of the splits that each is in.

    A data set that tells no split hands out the same faces for every split.
    """
    samples, bits, known = [], [], {}
    for split, bit in SPLIT_BITS.items():
        try:
            found = read_samples(data, split, scheme, reader)
        except NoFaces as error:
            none = error
            continue
        key = tuple((sample.path, sample.points_image.tobytes()) for sample in found)
        if key in known:
            for row in known[key]:
                bits[row] |= bit
        else:
            known[key] = range(len(samples), len(samples) + len(found))
            samples += found
            bits += [bit] * len(found)
    if not samples:
        raise none
    return samples, bits


def _write_tars(samples, out, tar_bytes):
    """{path of an image: (tar, image, start, size, crc32)}, and the tars with their sizes."""
    paths = list(dict.fromkeys(sample.path for sample in samples))
    sources = {sample.path: sample for sample in samples}
    places, tars, number = {}, [], 0
    while number < len(paths):
        file = TAR.format(len(tars))
        numbers, written = {}, 0
        with tarfile.open(out / file, "w", format=tarfile.USTAR_FORMAT) as tar:
            while number < len(paths) and written < tar_bytes:
                content = sources[paths[number]].content()
                entry = tarfile.TarInfo(f"{number:09d}{Path(paths[number]).suffix.lower()}")
                entry.size = len(content)
                tar.addfile(entry, BytesIO(content))
                numbers[entry.name] = number, zlib.crc32(content)
                written, number = written + len(content), number + 1
        with tarfile.open(out / file) as tar:
            for entry in tar:
                image, crc32 = numbers[entry.name]
                places[paths[image]] = len(tars), image, entry.offset_data, entry.size, crc32
        tars.append({"file": file, "bytes": os.path.getsize(out / file)})
    return places, tars


def _write_tables(samples, splits, places, out):
    """The tables of the faces; returns what shards.json says of them."""
    kinds, index = {}, np.empty(len(samples), ROW)
    for row, sample, split in zip(index, samples, splits, strict=True):
        for name, value in zip(
            ("tar", "image", "start", "size", "crc32"), places[sample.path], strict=True
        ):
            row[name] = value
        row["splits"], row["box"] = split, sample.box
        row["weighted"] = sample.weights is not None or not sample.labelled.all()
        row["kind"] = kinds.setdefault((sample.tags, sample.converted_from), len(kinds))
    np.save(out / INDEX, index)
    np.save(out / POINTS, np.stack([sample.points_image for sample in samples]))
    optional = [n for n in OPTIONAL if any(getattr(s, n) is not None for s in samples)]
    for name in optional:
        unknown = np.full(samples[0].labelled.shape, np.nan)
        rows = [getattr(sample, name) for sample in samples]
        rows = [unknown if row is None else row for row in rows]
        np.save(out / f"{name}.npy", np.array(rows, np.float32))
    return {
        "scheme": scheme_config(samples[0].scheme),
        "faces": len(samples),
        "images": len(places),
        "optional": optional,
        "kinds": [{"tags": list(tags), "converted_from": source} for tags, source in kinds],
    }
