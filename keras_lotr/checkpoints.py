"""A training that can be killed at any time: best weights, history and an exact checkpoint."""

import contextlib
import csv
import ctypes
import json
import math
import platform
import time

import keras
from keras import ops

from keras_lotr.run_files import BEST, CHECKPOINT, HISTORY, check_out
from keras_lotr.safetensors_io import open_safetensors, save_arrays

# With what trainings import from here besides.
__all__ = ["BEST", "CHECKPOINT", "HISTORY", "Run", "check_out", "keep_memory"]


class Run(keras.callbacks.Callback):
    """At the end of each epoch: validate, keep the best, write history and checkpoint.

    Args:
        model: compiled Keras model, its optimizer built.
        out: folder of the run.
        name, validate: the number that is to become small, and a function without arguments that
            measures it.
        keep: function without arguments that writes the weights if they are the best so far.
    """

    def __init__(self, model, out, name, validate, keep):
        super().__init__()
        self.trained, self.out, self.name = model, out, name
        self.validate, self.keep = validate, keep
        self.history = []

    def fit(self, batches, epochs, resume=False, verbose="auto"):
        """Train up to that many epochs.

        Args:
            batches: `PyDataset` with `start(epoch)`; in an order that depends on the epoch only.
            epochs: counted from the start of the run.
            resume: go on from the checkpoint in the run's folder.
            verbose: of `keras.Model.fit`.

        Returns:
            The path of the preset with the best weights.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        if resume:
            self._restore()
            batches.start(len(self.history))
        self.trained.fit(
            batches,
            initial_epoch=len(self.history),
            epochs=epochs,
            callbacks=[self],
            shuffle=False,  # the batches are in random order; Keras' own would not resume exactly
            verbose=verbose,
        )
        return self.out / BEST

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.time()

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            keep_memory()

    def on_epoch_end(self, epoch, logs=None):
        best = min((row[self.name] for row in self.history), default=math.inf)
        with self._averaged_weights():
            logs[self.name] = value = self.validate()
            if value < best:
                self.keep()
        rate = float(ops.convert_to_numpy(self.trained.optimizer.learning_rate))
        row = {"epoch": epoch + 1, "loss": logs["loss"], self.name: value, "learning_rate": rate}
        self.history.append({**row, "seconds": round(time.time() - self.started, 1)})
        self._write_history()
        self._save_checkpoint()

    @contextlib.contextmanager
    def _averaged_weights(self):
        """The moving average in place of the last weights, if the optimizer keeps one."""
        if not self.trained.optimizer.use_ema:
            yield
            return
        variables = self.trained.trainable_variables
        last = [ops.convert_to_numpy(v) for v in variables]
        self.trained.optimizer.finalize_variable_values(variables)
        for variable in variables:
            # A copy: JAX gives a model's arrays away when it predicts, the optimizer's must stay.
            variable.assign(ops.convert_to_numpy(variable))
        yield
        for variable, value in zip(variables, last, strict=True):
            variable.assign(value)

    def _write_history(self):
        with open(self.out / HISTORY, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.history[0]))
            writer.writeheader()
            writer.writerows(self.history)

    def _state(self):
        return {
            **{f"model/{i}": v for i, v in enumerate(self.trained.variables)},
            **{f"optimizer/{i}": v for i, v in enumerate(self.trained.optimizer.variables)},
        }

    def _save_checkpoint(self):
        arrays = {key: ops.convert_to_numpy(v.value) for key, v in self._state().items()}
        save_arrays(arrays, self.out / CHECKPOINT, {"history": json.dumps(self.history)})

    def _restore(self):
        """Take up weights, optimizer and history where the last whole epoch left them."""
        with open_safetensors(self.out / CHECKPOINT) as file:
            self.history = json.loads(file.metadata()["history"])
            for key, variable in self._state().items():
                variable.assign(file.get_tensor(key))


def keep_memory():
    """Have glibc keep freed memory instead of giving it back to the system at once.

    TensorFlow sets the limit to 128 KB when it starts to read a data set; activations are then
    fetched from the system anew in each step, which took 45 % of a CPU training's time (21 of
    47 CPU seconds of 15 steps of 32 crops; 7 of 30 with this).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(ctypes.c_int(-1), ctypes.c_int(2**31 - 1))  # M_TRIM_THRESHOLD
        libc.mallopt(ctypes.c_int(-4), ctypes.c_int(0))  # M_MMAP_MAX
