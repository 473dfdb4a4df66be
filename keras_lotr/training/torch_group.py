"""What the processes of a training on PyTorch exchange: one for each device, in step.

Each takes its part of every batch. What is averaged over the processes here (gradients, statistics
of batch norm, losses and metrics) makes each step that of the whole batch on one device. Without a
process group of `torch.distributed`, and on other backends, a training is alone.
"""

import functools

import keras
from keras import ops


def place_in_group():
    """The number of this process, and how many train together: (0, 1) if it is alone.

    Example:

    >>> place_in_group()
    (0, 1)
    """
    if keras.backend.backend() != "torch":
        return 0, 1
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def join_group(model):
    """Start from the weights of the first process, and normalise by the whole batch.

    Args:
        model: Keras model, before its first step. If the training is alone, nothing changes.
    """
    if place_in_group()[1] == 1:
        return
    from torch import distributed

    for variable in model.variables:
        value = ops.copy(variable.value).detach()
        distributed.broadcast(value, 0)
        variable.assign(value)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer._moments = functools.partial(_moments_of_all, layer)


def _moments_of_all(layer, x, mask):
    """In place of `BatchNormalization._moments`: PyTorch has no `synchronized=True` in Keras."""
    mean, variance = ops.moments(x, axes=layer._reduction_axes)
    mean_of_all = _mean_with_slope(mean)
    return mean_of_all, _mean_with_slope(variance + (mean - mean_of_all) ** 2)


def _mean_with_slope(x):
    """The mean over the processes. Its slope is the mean of theirs: all losses depend on each x."""
    mean = x + (_mean_over_group(x.detach()) - x).detach()
    if mean.requires_grad:
        mean.register_hook(_mean_over_group)
    return mean


def _mean_over_group(x):
    from torch import distributed

    x = x.clone()
    distributed.all_reduce(x)
    return x / place_in_group()[1]


def mean_gradients(gradients):
    """Gradients of the whole batch from those of its equal parts.

    The loss is the mean over all faces and landmarks, where a landmark without a label counts as
    zero, so that the mean over the equal parts is that of the batch.

    Args:
        gradients: list of tensors, None for a weight that nothing depends on.

    Returns:
        list of the same; the very gradients if the training is alone.

    Example:

    >>> mean_gradients([1.5, None])
    [1.5, None]
    """
    if place_in_group()[1] == 1:
        return gradients
    import torch

    there = [gradient for gradient in gradients if gradient is not None]
    sizes = [gradient.numel() for gradient in there]
    # All at once: each exchange waits for the slowest process.
    together = _mean_over_group(torch.cat([gradient.reshape(-1) for gradient in there]))
    means = zip(together.split(sizes), there, strict=True)
    means = iter([mean.view(gradient.shape) for mean, gradient in means])
    return [None if gradient is None else next(means) for gradient in gradients]


def own_rows(arrays):
    """Of nested arrays, each a multiple of the processes long, this process's rows.

    Example:

    >>> own_rows(([1, 2], {"nme": [3, 4]}))
    ([1, 2], {'nme': [3, 4]})
    """
    number, count = place_in_group()
    if count == 1:
        return arrays
    return keras.tree.map_structure(lambda array: array[number::count].copy(), arrays)


class LogsOfGroup(keras.callbacks.Callback):
    """Losses and metrics of all processes in the logs of each. It stands before other callbacks."""

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.params["steps"]:
            self.of_training = self._of_group()

    def on_test_end(self, logs=None):
        self.of_validation = self._of_group()
        logs.update(self.of_validation)

    def on_epoch_end(self, epoch, logs=None):
        of_validation = {f"val_{name}": value for name, value in self.of_validation.items()}
        logs.update({**self.of_training, **of_validation})

    def _of_group(self):
        for metric in self.model.metrics:
            for variable in metric.variables:  # sums and numbers of what was summed
                variable.assign(_mean_over_group(variable.value.detach()))
        results = self.model.get_metrics_result()
        return {name: float(ops.convert_to_numpy(value)) for name, value in results.items()}
