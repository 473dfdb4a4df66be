"""`keras-lotr train`: a recipe, data and a folder become a preset; resumable after any kill."""

import contextlib
import csv
import ctypes
import json
import math
import platform
import time
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_lotr.backbones.loading import load_backbone_weights
from keras_lotr.datasets import NoFaces, read_samples
from keras_lotr.datasets.augment import Augmentation
from keras_lotr.datasets.batches import LandmarkBatches, load_crops
from keras_lotr.losses import SmoothWing
from keras_lotr.lotr import LOTR
from keras_lotr.metrics import normalized_mean_error
from keras_lotr.presets import RECIPE, CropContract, write_json
from keras_lotr.safetensors_io import load_weights, open_safetensors, save_arrays

CHECKPOINT, HISTORY, BEST = "checkpoint.safetensors", "history.csv", "preset"


def train(
    recipe,
    data,
    out,
    init=None,
    reader=None,
    resume=False,
    workers=1,
    verbose="auto",
):
    """Train a LOTR and keep the best weights as a preset.

    Into `out` go `preset/` (the weights that were best on the validation faces so far),
    `history.csv` (a row for each epoch), `recipe.json` and `checkpoint.safetensors`.

    Args:
        recipe: `Recipe`.
        data: folders of data sets; an epoch draws the same number of faces from each. Those that
            have a "val" split are validated on; without any, a tenth of the first is held out.
        out: folder of the run; must be new or empty unless `resume`.
        init: preset whose weights to start from, or safetensors file with a LOTR's weights.
        reader: name of the reader for all of `data`; None recognises each.
        resume: go on from the checkpoint in `out`, exactly as if never stopped.
        workers: threads that prepare batches.
        verbose: of `keras.Model.fit`.

    Returns:
        The path of the preset.
    """
    out = Path(out)
    _check_out(out, resume)
    keras.utils.set_random_seed(recipe.seed)
    groups, validation = _read(data, recipe.scheme, reader)
    model = build(recipe, groups, init)
    batches = LandmarkBatches(
        groups,
        recipe.size,
        recipe.margin,
        Augmentation(**recipe.augmentation),
        recipe.batch_size,
        recipe.samples_per_epoch,
        recipe.seed,
        workers=workers,
        max_queue_size=16,
    )
    optimizer = recipe.optimizer_for(model, steps=len(batches) * recipe.epochs)
    model.compile(optimizer, SmoothWing())
    optimizer.build(model.trainable_variables)
    run = Run(model, recipe, out, load_crops(validation, recipe.size, recipe.margin))
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RECIPE, asdict(recipe))
    if resume:
        run.restore()
        batches.start(len(run.history))
    model.fit(
        batches,
        initial_epoch=len(run.history),
        epochs=recipe.epochs,
        callbacks=[run],
        shuffle=False,  # the batches are in random order; Keras' own would not resume exactly
        verbose=verbose,
    )
    return out / BEST


def _check_out(out, resume):
    has_run = (out / CHECKPOINT).exists() or (out / HISTORY).exists()
    if has_run and not resume:
        raise ValueError(
            f"{out} already holds a training. Go on with it (--resume) or take another folder."
        )
    if resume and not (out / CHECKPOINT).exists():
        raise ValueError(f"There is nothing to resume in {out}: it has no {CHECKPOINT}.")


def _read(data, scheme, reader):
    """Training samples of each folder, and validation samples: a "val" split, or every tenth."""
    groups = [read_samples(folder, "train", scheme, reader) for folder in data]
    validation = [s for folder in data for s in _validation_of(folder, scheme, reader)]
    trained_on = {s.path for group in groups for s in group}
    # A data set that tells no split hands out the same faces for every split.
    validation = [s for s in validation if s.path not in trained_on]
    if not validation:
        validation = groups[0][::10]
        groups[0] = [s for i, s in enumerate(groups[0]) if i % 10]
    return groups, validation


def _validation_of(folder, scheme, reader):
    try:
        return read_samples(folder, "val", scheme, reader)
    except NoFaces:
        return []


def build(recipe, groups, init):
    """The model of the recipe with its starting weights."""
    num_landmarks = len(groups[0][0].points_image)
    mean_shape = _mean_shape(groups[0], recipe.margin)
    contract = CropContract(recipe.scheme, recipe.size, recipe.margin)
    if init is not None and not str(init).endswith(".safetensors"):
        model = LOTR.from_preset(init, num_landmarks=num_landmarks, mean_shape=mean_shape)
    else:
        model = LOTR.from_variant(
            recipe.variant, num_landmarks, recipe.size, mean_shape=mean_shape, **recipe.model
        )
        if init is None and recipe.backbone_weights is not None:
            load_backbone_weights(model.backbone, recipe.backbone_weights)
        if init is not None:
            load_weights(model, init)
    model.crop_contract = contract
    if recipe.backbone_rate == 0:
        model.backbone.trainable = False  # weight decay has one rate for all weights
    for layer in model.backbone.layers:
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        if layer.name.startswith(tuple(recipe.frozen_layers)) or (
            normalizes and recipe.freeze_batch_norm
        ):
            layer.trainable = False
    return model


def _mean_shape(samples, margin):
    """Mean landmarks as fractions of the crop, (N, 2)."""
    points = np.stack([s.points_image for s in samples])
    boxes = np.stack([s.box for s in samples])
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = margin * (boxes[:, 2:] - boxes[:, :2]).max(-1)
    return (0.5 + (points - center[:, None]) / side[:, None, None]).mean(0)


class Run(keras.callbacks.Callback):
    """At the end of each epoch: validate, keep the best, write history and checkpoint.

    Args:
        model: compiled `LOTR`.
        recipe: `Recipe`.
        out: folder of the run.
        validation: crops (F, S, S, 3) and points_crop (F, N, 2).
    """

    def __init__(self, model, recipe, out, validation):
        super().__init__()
        self.lotr, self.recipe, self.out, self.validation = model, recipe, out, validation
        self.history = []

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.time()

    def on_train_batch_end(self, batch, logs=None):
        if batch == 0:
            keep_memory()

    def on_epoch_end(self, epoch, logs=None):
        logs["val_nme"] = nme = self._validate()
        best = min((row["val_nme"] for row in self.history), default=math.inf)
        rate = float(ops.convert_to_numpy(self.lotr.optimizer.learning_rate))
        row = {"epoch": epoch + 1, "loss": logs["loss"], "val_nme": nme, "learning_rate": rate}
        self.history.append({**row, "seconds": round(time.time() - self.started, 1)})
        if nme < best:
            self._keep_best()
        self._write_history()
        self._save_checkpoint()

    def _validate(self):
        crops, points = self.validation
        with self._averaged_weights():
            predicted = self.lotr.predict_points(crops)
        nme = normalized_mean_error(points, predicted, self.recipe.scheme)
        return float(np.mean(ops.convert_to_numpy(nme)))

    def _keep_best(self):
        with self._averaged_weights():
            self.lotr.save_to_preset(self.out / BEST)
        write_json(self.out / BEST / RECIPE, asdict(self.recipe))

    @contextlib.contextmanager
    def _averaged_weights(self):
        """The moving average in place of the last weights, if the recipe asks for one."""
        if not self.recipe.ema:
            yield
            return
        variables = self.lotr.trainable_variables
        last = [ops.convert_to_numpy(v) for v in variables]
        self.lotr.optimizer.finalize_variable_values(variables)
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
            **{f"model/{i}": v for i, v in enumerate(self.lotr.variables)},
            **{f"optimizer/{i}": v for i, v in enumerate(self.lotr.optimizer.variables)},
        }

    def _save_checkpoint(self):
        arrays = {key: ops.convert_to_numpy(v.value) for key, v in self._state().items()}
        save_arrays(arrays, self.out / CHECKPOINT, {"history": json.dumps(self.history)})

    def restore(self):
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
