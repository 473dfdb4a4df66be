"""Training on several devices of a machine: each gets an equal part of every batch.

On JAX, Keras' `DataParallel` splits the batches of one process. On PyTorch there is a process for
each device, and gradients are averaged over them. A step is that of the whole batch in both cases.
"""

import os
from pathlib import Path

import keras

from keras_lotr.number_checks import whole
from keras_lotr.training.run_files import CHECKPOINT
from keras_lotr.training.torch_processes import run_in_processes
from keras_lotr.training.training import train


def chosen_devices(number, batch_size):
    """Names of the devices to train on.

    Args:
        number: how many, or "all".
        batch_size: faces in a batch; the devices share them equally.

    Returns:
        list of str: GPUs or TPUs where there are any, such as "cuda:0", else "cpu:0" and so on.

    Raises:
        ValueError: there are not so many, they cannot share a batch equally, or several on
            TensorFlow.

    Example:

    >>> len(chosen_devices(1, batch_size=16))
    1
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and number != 1:
        raise ValueError(
            "Expected the JAX or PyTorch backend to train on several devices "
            f"(KERAS_BACKEND=jax or torch). Received: KERAS_BACKEND={backend}"
        )
    devices = _devices()
    count = len(devices) if number == "all" else number
    if whole(count) is None or not 1 <= count <= len(devices):
        raise ValueError(
            f"Expected a number of devices from 1 to {len(devices)}, which this machine has "
            f"({', '.join(devices)}), or all. Received: {number}"
        )
    if batch_size % count:
        raise ValueError(
            f"Expected a batch that {count} devices can share equally. "
            f"Received: batch_size {batch_size}"
        )
    return devices[:count]


def _devices():
    if keras.backend.backend() != "torch":
        return keras.distribution.list_devices()
    import torch

    gpus = torch.cuda.device_count()
    return [f"cuda:{i}" for i in range(gpus)] or [f"cpu:{i}" for i in range(_cores())]


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def spread_over_devices(batch_size, number="all"):
    """Make Keras split each batch over devices on JAX, for models built from now on.

    Args:
        batch_size, number: as of `chosen_devices`.

    Returns:
        list of names of the devices.

    Raises:
        ValueError: on TensorFlow and PyTorch, for which Keras cannot do this, or as of
            `chosen_devices`.
    """
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(
            "Expected the JAX backend to split the batches of one process over devices. "
            f"Received: KERAS_BACKEND={backend}"
        )
    devices = chosen_devices(number, batch_size)
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return devices


def train_on_devices(number, recipe, data, out, **settings):
    """Train as `train` does, on several devices; the result is that of one but for rounding.

    On PyTorch the training runs in processes that start with what a program imports, so the program
    must do its work under `if __name__ == "__main__":`, and callbacks must be such that can be
    pickled.

    Args:
        number: how many devices, or "all".
        recipe, data, out, **settings: as of `train`.

    Returns:
        As `train`.

    Raises:
        ValueError: as of `chosen_devices` and `train`.
        ChildProcessError: the process of a device was killed; the run can be resumed.
        OSError: as of `train`.
    """
    devices = chosen_devices(number, recipe.batch_size)
    if len(devices) == 1:
        return train(recipe, data, out, **settings)
    if keras.backend.backend() == "jax":
        spread_over_devices(recipe.batch_size, number)
        return train(recipe, data, out, **settings)
    try:
        return run_in_processes(devices, train, recipe, data, out, **settings)
    except ChildProcessError as error:
        saved = (Path(out) / CHECKPOINT).exists()
        hint = "Go on from the last whole epoch (--resume)." if saved else "Start it again."
        raise ChildProcessError(f"{error} {hint}") from None
