"""A training that can be killed at any time: best weights, history and an exact checkpoint.

Validation is that of `fit`, on averaged weights by Keras' `SwapEMAWeights`. Its other callbacks
would lose what is promised here. `BackupAndRestore` writes weights in place and the epoch after
them: killed in between, it trains an epoch twice. `ModelCheckpoint` forgets the best value when a
training is resumed, and `CSVLogger` writes the rows of an epoch that is done again once more.
"""

import csv
import io
import json
import math
import sys
import time

import keras
from keras import ops

from keras_lotr.presets.files import write_file
from keras_lotr.presets.weights import open_safetensors, save_arrays
from keras_lotr.training.run_files import (
    BEST,
    CHECKPOINT,
    HISTORY,
    check_out,
    check_same,
    only_run,
)
from keras_lotr.training.torch_group import LogsOfGroup, place_in_group

# With what trainings import from here besides.
__all__ = ["BEST", "CHECKPOINT", "HISTORY", "Checkpoint", "check_out", "only_run"]


class Checkpoint(keras.callbacks.Callback):
    """At the end of each epoch: keep the best weights, write history and checkpoint.

    A training whose loss is NaN ends with that epoch.

    Of processes that train together the first writes.

    It must stand before `SwapEMAWeights`, whose averaged weights are in the model when validation
    ends, and no more when the epoch ends.

    Args:
        out: folder of the run.
        measure: function that makes of the logs of a validation the numbers for the history, by
            their names. The first is to become small.
        keep: function without arguments that writes the model's weights, called when they are the
            best so far.
        schedule: the learning rate's, a function of the step.
        begun: {what: value} that a run cannot be resumed without, such as its number of faces.
    """

    def __init__(self, out, measure, keep, schedule, begun):
        super().__init__()
        self.out, self.measure, self.keep, self.schedule = out, measure, keep, schedule
        self.begun = begun
        self.history = []
        self.prints = False  # a line for each epoch
        self.writes = place_in_group()[0] == 0

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.time()

    def on_test_end(self, logs=None):
        self.measured = self.measure(logs)
        name, value = next(iter(self.measured.items()))
        best = min((row[name] for row in self.history), default=math.inf)
        if value < best and self.writes:
            self.keep()

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.measured)
        step = int(ops.convert_to_numpy(self.model.optimizer.iterations)) - 1
        rate = float(ops.convert_to_numpy(self.schedule(step)))
        row = {"epoch": epoch + 1, "loss": logs["loss"], **self.measured}
        row["learning_rate"] = float(f"{rate:.4g}")  # of the last step
        self.history.append({**row, "seconds": round(time.time() - self.started, 1)})
        if self.writes:
            self._save()  # holds the history, too, so that a kill between the two loses nothing
            self._write_history()
        if math.isnan(logs["loss"]):  # and will be in all epochs to come
            self.model.stop_training = True
        if self.prints:
            numbers = [f"{k} {v:.4g}" for k, v in self.history[-1].items() if k != "epoch"]
            print(f"Epoch {epoch + 1} of {self.params['epochs']}: {', '.join(numbers)}", flush=True)

    def _write_history(self):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(self.history[0]))
        writer.writeheader()
        writer.writerows(self.history)
        write_file(self.out / HISTORY, text.getvalue().encode())

    def _state(self):
        return {
            **{f"model/{i}": v for i, v in enumerate(self.model.variables)},
            **{f"optimizer/{i}": v for i, v in enumerate(self.model.optimizer.variables)},
        }

    def _save(self):
        arrays = {key: ops.convert_to_numpy(v.value) for key, v in self._state().items()}
        told = {"history": json.dumps(self.history), "begun": json.dumps(self.begun)}
        save_arrays(arrays, self.out / CHECKPOINT, told)

    def restore(self, model):
        """Take up weights, optimizer and history where the last whole epoch left them.

        Raises:
            ValueError: the run was begun with other data or settings.
        """
        self.set_model(model)
        with open_safetensors(self.out / CHECKPOINT) as file:
            told = file.metadata()
            check_same(self.out, json.loads(told.get("begun", "{}")), self.begun)
            self.history = json.loads(told["history"])
            for key, variable in self._state().items():
                variable.assign(file.get_tensor(key))
        if self.writes:
            self._write_history()


def fit(model, batches, validation, epochs, checkpoint, resume=False, verbose="auto", callbacks=()):
    """Train up to that many epochs, counted from the start of the run.

    Args:
        model: compiled Keras model.
        batches: `PyDataset` with `start(epoch)`; in an order that depends on the epoch only.
        validation: `validation_data` of `keras.Model.fit`.
        epochs: the last one.
        checkpoint: `Checkpoint`.
        resume: go on from the checkpoint in the run's folder.
        verbose: 0, 1 or 2 as of `keras.Model.fit`; "auto": a progress bar on a terminal, else one
            line for each epoch.
        callbacks: more Keras callbacks. They see the last weights, not the averaged ones; what they
            remember is not in the checkpoint.
    """
    model.optimizer.build(model.trainable_variables)
    if resume:
        checkpoint.restore(model)
        batches.start(len(checkpoint.history))
    if (done := len(checkpoint.history)) >= epochs and verbose:
        print(f"This run has {done} epochs already, and {epochs} are asked for: nothing is left.")
    if verbose == "auto":
        verbose = int(sys.stdout is not None and sys.stdout.isatty())
        checkpoint.prints = not verbose
    count = place_in_group()[1]
    shared = [LogsOfGroup()] if count > 1 else []
    averaged = [keras.callbacks.SwapEMAWeights()] if model.optimizer.use_ema else []
    model.fit(
        batches,
        validation_data=validation,
        validation_batch_size=batches.batch_size // count,
        initial_epoch=len(checkpoint.history),
        epochs=epochs,
        callbacks=[*shared, checkpoint, *averaged, *callbacks],
        shuffle=False,  # the batches are in random order; Keras' own would not resume exactly
        verbose=verbose,
    )
