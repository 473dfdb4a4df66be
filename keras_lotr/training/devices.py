"""Training on all GPUs of a machine: each gets an equal part of every batch (data parallelism)."""

import keras


def spread_over_devices(batch_size):
    """Make Keras split each batch over all devices of the machine, for models built from now on.

    Args:
        batch_size: faces in a batch; the devices share them equally.

    Returns:
        list of names of the devices, GPUs or TPUs where there are any.

    Raises:
        ValueError: on TensorFlow and PyTorch, for which Keras cannot do this, and for a batch that
            cannot be split.
    """
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(
            "Expected the JAX backend to train on all devices: Keras splits batches on JAX only "
            f"(KERAS_BACKEND=jax). Received: KERAS_BACKEND={backend}"
        )
    devices = keras.distribution.list_devices()
    if batch_size % len(devices):
        raise ValueError(
            f"Expected a batch that {len(devices)} devices can share equally. "
            f"Received: batch_size {batch_size}"
        )
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return devices
