"""`predict`: the faces of any number of images as Parquet files, found by Ray's workers."""

import os
from collections import Counter
from dataclasses import dataclass, replace

from keras_lotr.ray import ray_needed

with ray_needed():
    import pyarrow
    import ray
    from ray.data import Dataset, Datasink
    from ray.data.block import BlockAccessor
    from ray.data.dataset import MaterializedDataset

from keras_lotr.inference.engine import best_engine
from keras_lotr.inference.formats import encoded
from keras_lotr.inference.landmarker import FaceLandmarker
from keras_lotr.number_checks import check_counts
from keras_lotr.ray.cluster import check_gpus, errors_told, start_ray
from keras_lotr.ray.storage import images_at
from keras_lotr.ray.tables import are_in, done_before, forget_failed, schema_of, write_table
from keras_lotr.ray.workers import Attempts, FindLandmarks, crop_images

_IMAGES_IN_TASK = 32  # what is done again when a worker is killed; about a second
_TASKS_AT_MOST = 50_000  # Ray keeps a few kilobytes for each
_GPU = ["CUDAExecutionProvider"]


@dataclass(frozen=True)
class BulkCounts:
    """What `predict` did.

    Attributes:
        images: that were looked at in this run.
        faces: that were found.
        failed: images of these that could not be read; their rows say why.
        done_before: images whose results were in the output already.
        failed_before: images of these that could not be read then.
    """

    images: int
    faces: int
    failed: int
    done_before: int
    failed_before: int = 0


def predict(
    source,
    preset="lotr_m_68",
    output="faces",
    *,
    recursive=False,
    gpus=0,
    workers=None,
    rows_per_file=10_000,
    retry_failed=False,
    engine="auto",
    **settings,
):
    """Find the faces of many images with Ray, and write them as Parquet files.

    Images are read, searched and cropped in tasks on the CPUs of a cluster, or of this machine if
    there is none; the landmarks are found in actors, on CPUs or GPUs. Ray holds no more images than
    the workers need next. A worker that is killed costs its task only. An image that kills its
    worker is tried once more, alone, and then named in the output.

    The files have a row for each face, with the columns of `keras-lotr predict --output x.parquet`
    and "error". An image without a face has one row, without "face"; so has one that failed, whose
    "error" says why. A second run goes on: images with a row are left out, also those that failed,
    unless `retry_failed`.

    Args:
        source: a path, folder, pattern, URL, or a URI of a folder, file or pattern on a storage
            (s3://bucket/photos); a list of these; or a `ray.data.Dataset` with the column "path",
            which names each image, and perhaps its "bytes" or the "image" as an array.
        preset: as of `FaceLandmarker`. Each worker must be able to load it.
        output: folder of the files, a path that all workers share, or a URI.
        recursive: folders with all their subfolders.
        gpus: number of GPUs that run the landmark model, an actor on each; 0: it runs on the CPUs.
        workers: number of CPUs of a Ray that is started on this machine; None: a Ray that runs
            already (RAY_ADDRESS), or all CPUs of this machine.
        rows_per_file: at least so many rows are in a file, if there are as many.
        retry_failed: look again at images that failed in earlier runs. All their rows are taken
            out of the output first, also those of images that are not in `source` now.
        engine: "onnxruntime", "keras" or "auto", as of `FaceLandmarker`.
        **settings: its detector, flip, precision, threshold, max_side, min_face_size, rotations.

    Returns:
        `BulkCounts`.

    Raises:
        ValueError: there are no images; the output has faces of other settings or another number
            of landmarks; there are fewer GPUs than asked for; a number of workers or rows below 1;
            a Dataset without the column "path".
        OSError: the output cannot be written, or there is no such source.
        ImportError: Ray is not installed.
    """
    check_counts(rows_per_file=rows_per_file)
    names = None if isinstance(source, Dataset) else _names(source, recursive)
    start_ray(workers)
    check_gpus(gpus)
    arguments = {"model": preset, "engine": engine, **settings}
    with errors_told():
        cropper, landmarks, engine = ray.get(_described.remote(arguments))
    arguments |= {"engine": engine, **_runtime(engine, gpus)}
    found_with = {
        "preset": str(preset),
        "precision": settings.get("precision") or "float32",
        "flip": bool(settings.get("flip")),
        "detector": _shown(cropper.detector),
        **cropper.settings,
    }
    schema = schema_of(*landmarks, found_with)
    done, failed = done_before(output, schema)
    if retry_failed and failed:
        forget_failed(output)
        done, failed = done_before(output, schema)
    images = _not_in(source, done) if names is None else _listed(names, done)
    files = _Files(output, rows_per_file)
    if images is None:
        return BulkCounts(0, 0, 0, len(done), failed)
    with errors_told(images.context):
        _faces(images, cropper, arguments, schema, gpus).write_datasink(
            files, ray_remote_args={"num_cpus": 0.5}
        )
    return BulkCounts(
        *(files.counts[name] for name in ("images", "faces", "failed")), len(done), failed
    )


def _faces(images, cropper, arguments, schema, gpus):
    """The dataset of the tables of faces; nothing is computed yet."""
    attempts = ray.remote(Attempts).options(num_cpus=0, max_restarts=-1, max_task_retries=-1)
    # On CPUs, Ray runs both stages in the same actors, because they ask for the same. They hold
    # half of the CPUs, or none of one, so that some are left for what comes before and after.
    total = int(ray.cluster_resources().get("CPU", 1))
    of_both = 0.5 if total > 1 else 0
    actors = gpus or max(total, 1)
    if isinstance(images, MaterializedDataset):
        actors = min(actors, images.num_blocks())
    cropped = images.map_batches(
        crop_images,
        batch_format="numpy",
        fn_kwargs={
            "cropper": ray.cloudpickle.dumps(cropper),
            "attempts": attempts.remote(),
        },
        num_cpus=1 if gpus else of_both,
    )
    return cropped.map_batches(
        FindLandmarks,
        batch_format="pyarrow",
        batch_size=_IMAGES_IN_TASK,
        fn_constructor_args=(arguments, schema),
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=0 if gpus else of_both,
        num_gpus=1 if gpus else None,
    )


@ray.remote(num_cpus=0)
def _described(arguments):
    """Of a `FaceLandmarker`: its cropper, which landmarks and whether it is sure, its engine.

    In a process of its own, because Keras and its backend would stay in the caller's.
    """
    model, engine = str(arguments["model"]), arguments["engine"]
    if engine == "auto":
        engine = "onnxruntime" if model.endswith(".onnx") else best_engine(model)
    landmarker = FaceLandmarker(**{**arguments, "engine": engine})
    landmarker.crop_photo.proposing  # noqa: B018 - whether the detector can be loaded
    scheme = landmarker.preprocessor.scheme
    landmarks = scheme, getattr(landmarker.model, "has_certainty", False)
    return replace(landmarker.crop_photo), landmarks, engine


def _runtime(engine, gpus):
    """Settings of onnxruntime in an actor; Keras has none."""
    if engine != "onnxruntime":
        return {}
    return {"threads": 1, "providers": _GPU if gpus else None}


def _names(source, recursive):
    """The names of the images of paths, URLs and URIs, each once."""
    sources = [source] if isinstance(source, str | os.PathLike) else source
    return list(dict.fromkeys(name for one in sources for name in images_at(one, recursive)))


def _not_in(images, done):
    """A dataset of Ray without the images that are done."""
    if "path" not in images.columns():
        raise ValueError(
            "Expected a Dataset with the column path, which names each image, such as of "
            f"ray.data.read_images(..., include_paths=True). Received: {images.columns()}"
        )
    return images.map_batches(
        _without_done, batch_format="pyarrow", fn_kwargs={"done": ray.put(done)}
    )


def _listed(names, done):
    """The images that are not done, as a dataset of Ray with the column "path"; None: all are."""
    names = [name for name, old in zip(names, are_in(names, done), strict=True) if not old]
    size = max(_IMAGES_IN_TASK, len(names) // _TASKS_AT_MOST)
    paths = [encoded(name).decode() for name in names]
    parts = [paths[start : start + size] for start in range(0, len(paths), size)]
    return ray.data.from_arrow([pyarrow.table({"path": part}) for part in parts]) if parts else None


def _without_done(batch, done):
    return batch.filter(~are_in(batch["path"], ray.get(done)))


def _shown(detector):
    """A detector by a name that is the same in each run."""
    if callable(detector):
        return getattr(detector, "__qualname__", type(detector).__qualname__)
    return str(detector)


class _Files(Datasink):
    """The Parquet files, which the workers write."""

    def __init__(self, folder, rows_per_file):
        self.folder, self.min_rows, self.counts = folder, rows_per_file, Counter()

    @property
    def min_rows_per_write(self):
        return self.min_rows

    def write(self, blocks, ctx):
        tables = [BlockAccessor.for_block(block).to_arrow() for block in blocks]
        tables = [table for table in tables if len(table)]
        return write_table(self.folder, pyarrow.concat_tables(tables)) if tables else {}

    def on_write_complete(self, result):
        for counts in result.write_returns:
            self.counts.update(counts)
