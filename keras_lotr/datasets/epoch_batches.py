"""Batches that depend on epoch and number only, also when several threads prepare them."""

from concurrent.futures import ThreadPoolExecutor

import keras

from keras_lotr.number_checks import check_counts


class EpochBatches(keras.utils.PyDataset):
    """Base of batches for `keras.Model.fit`, of which each is made by `batch` of its number.

    The threads are its own: those of Keras (3.15) take batches that they prepared over into the
    next epoch, so that the faces of a training would depend on their number and on where it was
    interrupted.

    Args:
        workers: number of threads that prepare batches; 1 prepares each when it is asked for.
        max_queue_size: how many batches are prepared ahead of the one that is asked for.
        epoch: the first epoch.

    Example:

    >>> class Squares(EpochBatches):
    ...     def __len__(self):
    ...         return 3
    ...     def batch(self, index):
    ...         return (10 * self.epoch + index) ** 2
    >>> squares = Squares(workers=2)
    >>> before = [squares[i] for i in range(3)]
    >>> squares.on_epoch_end()
    >>> before, [squares[i] for i in range(3)]
    ([0, 1, 4], [100, 121, 144])
    """

    def __init__(self, workers=1, max_queue_size=16, epoch=0):
        check_counts(0, workers=workers)
        super().__init__()
        self._threads = ThreadPoolExecutor(workers) if workers > 1 else None
        self._max_queue_size, self._ahead = max_queue_size, {}
        self.start(epoch)

    def batch(self, index):
        """The batch of this number in the epoch."""
        raise NotImplementedError

    def __getitem__(self, index):
        if self._threads is None:
            return self.batch(index)
        wanted = range(index, min(index + 1 + self._max_queue_size, len(self)))
        self._drop([i for i in self._ahead if i not in wanted])
        for i in wanted:
            if i not in self._ahead:
                self._ahead[i] = self._threads.submit(self.batch, i)
        return self._ahead.pop(index).result()

    def on_epoch_end(self):
        self.start(self.epoch + 1)

    def start(self, epoch):
        """Go to an epoch."""
        self._drop(list(self._ahead))
        self.epoch = epoch

    def _drop(self, numbers):
        for number in numbers:
            self._ahead.pop(number).cancel()
