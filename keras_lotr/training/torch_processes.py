"""A process for each device, as PyTorch trains on several; watched, so that none is left waiting.

This module must not import Keras: the processes start it in the quiet way of the command line.
"""

import multiprocessing
import os
import pickle
import signal
import tempfile
import time
import traceback
from multiprocessing.connection import wait

from keras_lotr.child_processes import live_as_long_as_the_parent, terminal_ignored
from keras_lotr.quiet import start_keras

_GRACE_SECONDS = 5  # for the others to tell what they know when one has ended


def run_in_processes(devices, function, *arguments, **settings):
    """Call a function in a process for each device; they are a group of `torch.distributed`.

    Args:
        devices: list of names, "cuda:0" or "cpu:0" and so on; of CPUs, the cores are shared.
        function, arguments, settings: what is called; it must be possible to pickle them.

    Returns:
        What the first process returns.

    Raises:
        ChildProcessError: a process was killed; the others were ended.
        ValueError: something cannot be pickled.
        Exception: what the function raised.
    """
    try:
        call = pickle.dumps((function, arguments, settings))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"Expected callbacks and settings that can be sent to other processes: {error}"
        ) from None
    context = multiprocessing.get_context("spawn")
    processes, answers = [], []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for number in range(len(devices)):
                answer, end = context.Pipe(duplex=False)
                place = (number, len(devices), devices[number], os.path.join(folder, "meeting"))
                process = context.Process(target=_run, args=(place, call, end), daemon=True)
                with terminal_ignored():
                    process.start()
                end.close()
                processes.append(process)
                answers.append(answer)
            _wait(processes)
            return _result(devices, processes, answers)
        finally:
            for process in processes:
                process.kill()
                process.join()


def _wait(processes):
    """Until all have ended well, or one has not and the others had time to say so."""
    running = {process.sentinel: process for process in processes}
    until = None
    while running:
        for sentinel in wait(running, None if until is None else max(0, until - time.monotonic())):
            if running.pop(sentinel).exitcode and until is None:
                until = time.monotonic() + _GRACE_SECONDS
        if until is not None and time.monotonic() >= until:
            return


def _result(devices, processes, answers):
    """What the first returned, or the error that was the cause of all others."""
    told = [_told(answer) for answer in answers]
    errors = [error for error in told if isinstance(error, Exception)]
    for error in errors:
        if isinstance(error, ValueError | OSError | ImportError):
            raise error
    for device, process, said in zip(devices, processes, told, strict=True):
        if process.exitcode is not None and said is None:
            code = process.exitcode
            how = f"killed ({signal.Signals(-code).name})" if code < 0 else f"ended with {code}"
            raise ChildProcessError(f"The process of {device} was {how} during the training.")
    for error in errors:
        raise error
    return pickle.loads(told[0])


def _told(answer):
    """What a process said, or None."""
    try:
        return answer.recv() if answer.poll() else None
    except (EOFError, OSError):  # it ended without a word
        return None


# === In a process of its own ===
def _run(place, call, end):
    live_as_long_as_the_parent()
    try:
        end.send(_called(*place, call))
    except Exception as error:
        error.add_note(traceback.format_exc())
        end.send(_that_can_be_sent(error))
        end.close()
        os._exit(1)  # others may wait for this process in a step: no farewell


def _called(number, count, device, meeting, call):
    os.environ["KERAS_BACKEND"] = "torch"
    start_keras(to_train=True)
    import torch

    kind = device.partition(":")[0]
    if kind == "cuda":
        torch.cuda.set_device(number)
    else:
        torch.set_num_threads(max(1, torch.get_num_threads() // count))
    torch.distributed.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        init_method=f"file://{meeting}",
        rank=number,
        world_size=count,
    )
    function, arguments, settings = pickle.loads(call)
    answer = pickle.dumps(function(*arguments, **settings))
    torch.distributed.destroy_process_group()
    return answer


def _that_can_be_sent(error):
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
