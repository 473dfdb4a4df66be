"""What runs in Ray's workers: images become crops in tasks, and crops become faces in actors."""

import hashlib
import pickle
from collections import Counter
from dataclasses import replace
from functools import cached_property, lru_cache

import cv2
import pyarrow
import ray
from ray.exceptions import OutOfMemoryError, WorkerCrashedError

from keras_lotr import parquet_table
from keras_lotr.images.names import unescaped
from keras_lotr.inference.landmarker import FaceLandmarker
from keras_lotr.inference.processes import KILLED
from keras_lotr.ray.storage import is_uri, read_bytes
from keras_lotr.ray.tables import table_of
from keras_lotr.sentences import sentence

_CROPPED = pyarrow.schema(
    [("image", pyarrow.string()), ("error", pyarrow.string()), ("crops", pyarrow.large_binary())]
)


class Attempts:
    """Counts how often a task was begun, in a process that outlives the task's.

    Ray tries a task again whose process was killed. From the second time on, its images are looked
    at one by one, each in a process that only it can kill.
    """

    def __init__(self):
        self._begun = Counter()

    def begin(self, task):
        """How often it was begun before."""
        self._begun[task] += 1
        return self._begun[task] - 1

    def end(self, task):
        self._begun.pop(task, None)


def crop_images(batch, cropper, attempts):
    """Read the images of a task, find their faces and crop them.

    Args:
        batch: {"path": names, and "bytes" or "image" of those that have been read}.
        cropper: a pickled `PhotoCropper`.
        attempts: the actor `Attempts`.

    Returns:
        `pyarrow.Table`: image, error or None, and a pickled `PhotoCrops` or None.
    """
    names = [str(name) for name in batch["path"]]
    contents = batch.get("bytes", batch.get("image", map(unescaped, names)))
    task = hashlib.blake2b("\0".join(names).encode(errors="surrogateescape")).digest()
    first = ray.get(attempts.begin.remote(task)) == 0
    crop = crop_image if first else crop_alone
    rows = [
        [name, *crop(cropper, name, content)] for name, content in zip(names, contents, strict=True)
    ]
    ray.get(attempts.end.remote(task))
    return parquet_table.table_of(rows, _CROPPED)


def crop_image(cropper, name, content):
    """Error or None, pickled `PhotoCrops` or None, of an image."""
    crop_photo = _loaded(cropper)
    crop_photo.proposing  # noqa: B018 - that it cannot be loaded is no fault of the image
    try:
        found = crop_photo(read_bytes(content) if is_uri(content) else content)
        if found.photo.error is not None:
            raise found.photo.error
    except Exception as error:  # one among millions stops none of the others
        known = isinstance(error, ValueError | OSError)
        return sentence(error) if known else f"{type(error).__name__}: {sentence(error)}", None
    return None, pickle.dumps(replace(found, photo=replace(found.photo, source=name)))


def crop_alone(cropper, name, content):
    """The same in a process of its own."""
    alone = ray.remote(num_cpus=0, max_retries=0)(crop_image)
    try:
        return ray.get(alone.remote(cropper, name, content))
    except (WorkerCrashedError, OutOfMemoryError):
        return KILLED, None


@lru_cache(maxsize=2)
def _loaded(cropper):
    cv2.setNumThreads(1)  # the workers share the cores
    return pickle.loads(cropper)


class FindLandmarks:
    """An actor with a landmark model.

    Args:
        arguments: of `FaceLandmarker`.
        schema: of its tables, see `tables.schema_of`.
    """

    def __init__(self, arguments, schema):
        self.arguments, self.schema = arguments, schema

    @cached_property
    def landmarker(self):
        """Loaded with the first images: Ray tells what is raised then, and not what is before."""
        cv2.setNumThreads(1)
        return FaceLandmarker(**self.arguments)

    def __call__(self, batch):
        """The faces in a table of `crop_images`."""
        rows = batch.to_pylist()
        photos = [pickle.loads(row["crops"]) for row in rows if row["crops"] is not None]
        found = iter(self.landmarker.finish(photos))
        return table_of(
            (
                ({"source": row["image"], "faces": []}, row["error"])
                if row["crops"] is None
                else (next(found).to_dict(), None)
                for row in rows
            ),
            self.schema,
        )
