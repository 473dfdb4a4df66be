"""The faces of many photos, found by several processes; in order, and with little in memory."""

import itertools
import multiprocessing
import pickle
import signal
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from keras_lotr.inference.photo_landmarks import PhotoLandmarks
from keras_lotr.number_checks import whole

_PHOTOS_IN_TASK = 8
_TASKS_AHEAD = 4  # for each process, so that none waits for the others

KILLED = (
    "The process that looked at this image was killed, perhaps for want of memory: make the image "
    "smaller, or take fewer workers."
)

NOT_STARTED = (
    "The processes that look at images could not start. Each imports the script that starts them: "
    'put what that script does below `if __name__ == "__main__":`.'
)

_landmarker = None  # of this process, if it is one of the pool


def stream_in_processes(landmarker, photos, box_format, workers):
    """What `FaceLandmarker.stream` yields, computed by processes.

    Each process has a landmarker of its own. A photo that kills its process (by taking all memory,
    say) is tried once more, alone; the second time its result has the error, and the others go on.

    Args:
        landmarker: `FaceLandmarker` that can be pickled.
        photos: iterable of (image, its boxes or None).
        box_format: of the boxes.
        workers: number of processes.

    Yields:
        `PhotoLandmarks` in the order of the photos.

    Raises:
        ValueError: no number of processes, or a landmarker that cannot be pickled.
        RuntimeError: the processes cannot start; mostly for want of a main guard in a script.
    """
    if whole(workers) is None or workers < 1:
        raise ValueError(f"Expected workers as a number of processes. Received: {workers!r}")
    try:
        content = pickle.dumps(landmarker)
    except Exception as error:  # whatever the user's detector or model raises
        raise ValueError(
            "Expected a landmarker that can be sent to other processes, with engine='onnxruntime' "
            f"and a detector that is named. Received: {landmarker!r}: {error}"
        ) from None
    photos = iter(photos)
    tasks = iter(lambda: list(itertools.islice(photos, _PHOTOS_IN_TASK)), [])
    waiting, pool = deque(), _pool(content, workers)
    try:
        while True:
            while len(waiting) < workers * _TASKS_AHEAD and (task := next(tasks, None)):
                waiting.append((task, _submitted(pool, task, box_format)))
            if not waiting:
                return
            task, future = waiting.popleft()
            try:
                found = future.result()
            except BrokenProcessPool:
                pool.shutdown()
                found = _one_by_one(content, task, box_format)
                pool = _pool(content, workers)
                waiting = deque(
                    (task, future if _is_finished(future) else _submitted(pool, task, box_format))
                    for task, future in waiting
                )
            yield from found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(content, workers):
    # A process that is forked would share locks of the libraries' threads.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(content,))
    try:
        pool.submit(int).result()
    except BrokenProcessPool:
        raise RuntimeError(NOT_STARTED) from None
    return pool


def _is_finished(future):
    return future.done() and future.exception() is None


def _submitted(pool, task, box_format):
    """The future of a task; of a pool that is broken, one that says so."""
    try:
        return pool.submit(_find, task, box_format)
    except BrokenProcessPool as error:
        future = Future()
        future.set_exception(error)
        return future


def _one_by_one(content, task, box_format):
    """The photos of a task whose process was killed, each in a process that only it can kill."""
    found, pool = [], _pool(content, 1)
    for photo in task:
        try:
            found += pool.submit(_find, [photo], box_format).result()
        except BrokenProcessPool:
            pool.shutdown()
            pool = _pool(content, 1)
            found.append(PhotoLandmarks(photo[0], error=RuntimeError(KILLED)))
    pool.shutdown()
    return found


# === In a process of the pool ===
def _start(content):
    import cv2

    global _landmarker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends all
    cv2.setNumThreads(1)  # the processes share the cores
    _landmarker = pickle.loads(content)


def _find(photos, box_format):
    sources, boxes = zip(*photos, strict=True)
    return list(_landmarker.stream(sources, boxes, box_format))
