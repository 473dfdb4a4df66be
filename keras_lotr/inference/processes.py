"""The faces of many photos, found by several processes; in order, and with little in memory."""

import itertools
import multiprocessing
import pickle
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from keras_lotr.child_processes import live_as_long_as_the_parent, terminal_ignored
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
    waiting = deque()
    with _Pool(content, workers) as pool:
        pool.start()
        while True:
            while len(waiting) < workers * _TASKS_AHEAD and (task := next(tasks, None)):
                waiting.append((task, pool.submit(task, box_format)))
            if not waiting:
                return
            task, future = waiting.popleft()
            try:
                found = future.result()
            except BrokenProcessPool:
                pool.stop()
                found = _one_by_one(content, task, box_format)
                pool.start()
                waiting = deque(
                    (task, future if _is_finished(future) else pool.submit(task, box_format))
                    for task, future in waiting
                )
            yield from found


class _Pool:
    """Processes that have a landmarker each; none is left after the block.

    Args:
        content: the landmarker, pickled.
        workers: number of processes.
    """

    def __init__(self, content, workers):
        # A process that is forked would share locks of the libraries' threads.
        context = multiprocessing.get_context("spawn")
        self._settings = {"mp_context": context, "initializer": _start, "initargs": (content,)}
        self._workers, self._executor = workers, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self):
        """Start the processes; after `stop`, others."""
        try:
            with terminal_ignored():
                self._executor = ProcessPoolExecutor(self._workers, **self._settings)
                started = self._executor.submit(int)
            started.result()
        except BrokenProcessPool:
            raise RuntimeError(NOT_STARTED) from None

    def submit(self, task, box_format):
        """The future of a task; of a pool that is broken, one that says so."""
        try:
            with terminal_ignored():  # each of the first tasks starts a process
                return self._executor.submit(_find, task, box_format)
        except BrokenProcessPool as error:
            future = Future()
            future.set_exception(error)
            return future

    def stop(self):
        """End all processes at once: nobody takes what they still compute."""
        if self._executor is None:
            return
        with terminal_ignored():  # a second one would leave some of them
            # `kill_workers` of Python 3.14. Futures are not cancelled: the executor, which tells
            # each that its process is gone, trips over one that is.
            for process in [*(self._executor._processes or {}).values()]:
                process.kill()
            self._executor.shutdown()


def _is_finished(future):
    return future.done() and future.exception() is None


def _one_by_one(content, task, box_format):
    """The photos of a task whose process was killed, each in a process that only it can kill."""
    found = []
    with _Pool(content, 1) as pool:
        pool.start()
        for photo in task:
            try:
                found += pool.submit([photo], box_format).result()
            except BrokenProcessPool:
                pool.stop()
                pool.start()
                found.append(PhotoLandmarks(photo[0], error=RuntimeError(KILLED)))
    return found


# === In a process of the pool ===
def _start(content):
    import cv2

    global _landmarker
    live_as_long_as_the_parent()
    cv2.setNumThreads(1)  # the processes share the cores
    _landmarker = pickle.loads(content)


def _find(photos, box_format):
    sources, boxes = zip(*photos, strict=True)
    return list(_landmarker.stream(sources, boxes, box_format))
