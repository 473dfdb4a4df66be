"""How fast faces are read, cropped and augmented for training, from a folder and from shards.

    python benchmarks/input_pipeline.py --data FOLDER --output results/input_pipeline.json

Workers are threads, as those of `keras-lotr train --workers`. The processor's time for a crop says
how many cores a GPU needs that trains faster than this machine can read.
"""

import argparse
import gc
import json
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from process_tree import status
from timing import machine

from keras_lotr.datasets import read_samples
from keras_lotr.datasets.augmentation import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches
from keras_lotr.datasets.shard_writing import write_shards
from keras_lotr.datasets.shards import FACTS, INDEX, POINTS, ShardedFaces
from keras_lotr.presets.files import write_json

SIZE, MARGIN, BATCH = 192, 1.3, 32
WORKERS = (1, 2, 4)
PARTS = (1, 2, 4, 8)  # processes that share a batch
MANY = 100_000  # faces, whose memory is measured
GPU = 5000  # crops per second that a fast GPU trains


def batches_of(samples, part=(0, 1)):
    return LandmarkBatches([samples], SIZE, MARGIN, Augmentation(), BATCH, part=part)


def rates(batches, workers, number):
    """Crops per second of the clock, and milliseconds of the processor for a crop."""
    wall, processor = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(workers) as pool:
        crops = sum(len(batch[0]) for batch in pool.map(batches.__getitem__, range(number)))
    wall, processor = time.monotonic() - wall, time.process_time() - processor
    return crops / wall, 1000 * processor / crops


def measure(sources, number, rounds):
    """{source: {workers: best of the rounds}}, sources and workers one after the other."""
    found = {source: {workers: [] for workers in WORKERS} for source in sources}
    for _ in range(rounds):
        for source, batches in sources.items():
            for workers in WORKERS:
                found[source][workers].append(rates(batches, workers, number))
    return {
        source: {
            str(workers): {
                "crops_per_second": round(max(rate for rate, _ in values), 1),
                "ms_of_processor": round(min(ms for _, ms in values), 2),
            }
            for workers, values in of_source.items()
        }
        for source, of_source in found.items()
    }


def parts(samples, number, rounds):
    """Milliseconds of the processor for an own crop, of so many processes that share a batch."""
    means = {}
    for count in PARTS:
        of_parts = [
            min(rates(batches_of(samples, (i, count)), 1, number)[1] for _ in range(rounds))
            for i in range(count)
        ]
        means[str(count)] = round(float(np.mean(of_parts)), 2)
    return means


def memory():
    """Of this process, in MB, without pages of files, which the system may drop."""
    gc.collect()
    return status(os.getpid())["RssAnon"] / 1e3


def many_shards(shards, folder):
    """Shards of many faces, all with the images of the given ones."""
    shutil.copytree(shards, folder)
    for file in (INDEX, POINTS):
        rows = np.load(folder / file)
        np.save(folder / file, np.resize(rows, (MANY, *rows.shape[1:])))
    write_json(folder / FACTS, {**json.loads((folder / FACTS).read_text()), "faces": MANY})
    return folder


def memory_of(make):
    """MB that many faces take when an epoch of them is drawn."""
    before = memory()
    batches = batches_of(make())
    batches[0]
    return round(memory() - before, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="data set with 68 landmarks")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=8, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    samples = read_samples(arguments.data, "train", "ibug68")[: BATCH * arguments.batches]
    with tempfile.TemporaryDirectory() as folder:
        write_shards(arguments.data, Path(folder, "shards"), "ibug68")
        sharded = read_samples(Path(folder, "shards"), "train")[: len(samples)]
        sources = {"folder": batches_of(samples), "shards": batches_of(sharded)}
        for batches in sources.values():
            batches[0]
        found = {
            "machine": machine(),
            "size": SIZE,
            "image": mean_image(samples),
            "augmentation": asdict(Augmentation()),
            "rates": measure(sources, arguments.batches, arguments.rounds),
            "parts": parts(samples, arguments.batches, arguments.rounds),
            "gpu": GPU,
            "faces_in_memory": MANY,
        }
        many = many_shards(Path(folder, "shards"), Path(folder, "many"))
        first = samples[0]
        found["megabytes"] = {
            "shards": memory_of(lambda: ShardedFaces(many)),
            "folder": memory_of(lambda: [replace(first, origin=f"entry {i}") for i in range(MANY)]),
        }
    write_json(arguments.output, found)


def mean_image(samples):
    """Mean megapixels and kilobytes of the images."""
    pixels = np.mean([np.prod(sample.image().shape[:2]) for sample in samples[:100]])
    size = np.mean([len(sample.content()) for sample in samples])
    return {"megapixels": round(float(pixels) / 1e6, 2), "kilobytes": round(float(size) / 1e3)}


if __name__ == "__main__":
    main()
