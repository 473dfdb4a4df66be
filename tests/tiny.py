"""What several tests share: a tiny LOTR, drawn faces to train it on, a running demo."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import layers, ops

from keras_lotr import LOTR
from keras_lotr.presets.weights import named_weights
from keras_lotr.variants import VARIANTS

SIZE = 64
SETTINGS = {"projection_dim": 16, "num_heads": 4, "ffn_dim": 16, "head_hidden_dim": 16}
SHALLOW = {"num_encoder_layers": 1, "num_decoder_layers": 1}


# === Models ===
def tiny_backbone(image_size=SIZE, name="tiny"):
    """Two convolutions that make 4 x 4 features of 64 x 64 pixels."""
    images = keras.Input((image_size, image_size, 3), name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(images)
    x = layers.Conv2D(8, 5, strides=4, padding="same", use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="bn1")(x)
    x = layers.Activation("relu", name="relu1")(x)
    x = layers.Conv2D(12, 5, strides=4, padding="same", activation="relu", name="conv2")(x)
    return keras.Model(images, x, name=name)


def tiny_lotr(num_landmarks=5, backbone=None, **settings):
    return LOTR(backbone or tiny_backbone(), num_landmarks, **{**SETTINGS, **settings})


def tiny_variant():
    """For `VARIANTS`: what `LOTR.from_variant` and recipes build."""
    return tiny_backbone, SIZE, {**SETTINGS, **SHALLOW}


def use_tiny_variant():
    """Make "lotr_m" tiny for good, in a process of its own."""
    VARIANTS["lotr_m"] = tiny_variant()


def tiny_preset(folder):
    """The folder, with a preset of 68 landmarks in it."""
    randomize(tiny_lotr(68)).save_to_preset(folder)
    return folder


def randomize(model, seed=0):
    """Weights that are the same on all backends and far from their start."""
    rng = np.random.default_rng(seed)
    for key, variable in named_weights(model).items():
        noise = rng.standard_normal(variable.shape).astype(np.float32)
        if key.endswith("kernel"):
            value = noise / np.sqrt(np.prod(variable.shape[:-1]))
        elif key.endswith(("gamma", "moving_variance")):
            value = 1 + 0.1 * np.tanh(noise)
        else:
            value = 0.3 * noise
        variable.assign(value)
    return model


def weights_of(model):
    return {key: ops.convert_to_numpy(v.value) for key, v in named_weights(model).items()}


def assert_same_weights(first, second):
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


def random_crops(count=2, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


# === Slopes, on the running backend ===
def jax_float64(enabled):
    """A context in which JAX computes with float64, or does not."""
    try:
        from jax import enable_x64
    except ImportError:  # before JAX 0.8
        from jax.experimental import enable_x64
    return enable_x64(enabled)


def value_and_slope(function, x):
    """Of an element-wise function of a 1-D NumPy array, in its dtype."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        with jax_float64(x.dtype == np.float64):
            values, slopes = jax.vmap(jax.value_and_grad(lambda e: function(e[None])[0]))(x)
            return np.asarray(values), np.asarray(slopes)
    if backend == "torch":
        import torch

        tensor = torch.tensor(x, requires_grad=True)
        values = function(tensor)
        values.sum().backward()
        return values.detach().numpy(), tensor.grad.numpy()
    import tensorflow as tf

    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        values = function(tensor)
    return values.numpy(), tape.gradient(values, tensor).numpy()


# === Faces ===
def face_layout():
    """68 landmarks of a symmetric face, fractions of a square: (68, 2)."""

    def ring(center, radii, count):
        angles = np.pi - np.arange(count) * 2 * np.pi / count
        return center + np.stack([np.cos(angles), -np.sin(angles)], -1) * radii

    angles = np.pi * (1 - np.arange(17) / 16)
    contour = np.stack([0.5 + 0.4 * np.cos(angles), 0.4 + 0.5 * np.sin(angles)], -1)
    brow = np.stack([np.linspace(0.2, 0.42, 5), [0.32, 0.29, 0.28, 0.29, 0.31]], -1)
    other_brow = brow[::-1] * [-1, 1] + [1, 0]
    bridge = np.stack([np.full(4, 0.5), np.linspace(0.4, 0.58, 4)], -1)
    nose = np.stack([np.linspace(0.42, 0.58, 5), [0.62, 0.63, 0.64, 0.63, 0.62]], -1)
    eyes = [ring((x, 0.4), (0.07, 0.03), 6) for x in (0.32, 0.68)]
    mouth = [ring((0.5, 0.75), (0.15, 0.06), 12), ring((0.5, 0.75), (0.11, 0.03), 8)]
    return np.concatenate([contour, brow, other_brow, bridge, nose, *eyes, *mouth])


def draw_face(rng, size=120):
    """A face of ellipses somewhere in an image: image (size, size, 3) and points (68, 2)."""
    side = size * rng.uniform(0.5, 0.7)
    points = face_layout() * side + rng.uniform(0.05, 0.25, 2) * size
    image = rng.integers(0, 80, (size, size, 3), dtype=np.uint8)
    skin, dark = rng.integers(130, 250, 3).tolist(), rng.integers(0, 90, 3).tolist()
    for group, color in ((slice(0, 27), skin), (slice(36, 42), dark), (slice(42, 48), dark),
                         (slice(48, 60), dark), (slice(27, 36), dark)):  # fmt: skip
        outline = cv2.convexHull(np.round(points[group] * 16).astype(np.int32))
        cv2.fillPoly(image, [outline], color, cv2.LINE_AA, shift=4)
    return image, points


def write_faces(folder, splits, seed=0):
    """A kit folder with one drawn face for each entry of `splits`; None writes no split."""
    rng = np.random.default_rng(seed)
    folder = Path(folder)
    (folder / "images").mkdir(parents=True)
    labels = []
    for i, split in enumerate(splits):
        image, points = draw_face(rng)
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        entry = {"image": f"{i}.png", "points68": points.tolist()}
        labels.append(entry if split is None else {**entry, "split": split})
    (folder / "labels.json").write_text(json.dumps(labels))
    return folder


def write_video(path):
    """A video of 20 frames, 160 x 160, of a rendered face that moves to the left."""
    face = Path(__file__).parents[1] / "examples" / "rendered2.jpg"
    face = cv2.resize(cv2.imread(str(face)), (160, 160))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 25, (160, 160))
    for i in range(20):
        writer.write(np.roll(face, -i, axis=1))
    writer.release()
    return path


# === Results ===
# What `keras-lotr evaluate` writes, as far as cards and lists read it.
_PART = {
    "faces": 2,
    "nme": 3.25,
    "failure_rate": {"8": 0, "10": 5},
    "auc": {"8": 59.375, "10": 67.5},
}
MEASURED = {
    **{"preset": "runs/tiny/preset", "scheme": "ibug68", "data": "drawn", "split": "val"},
    **{"flip": True, "regions": {"eyes": 2.5}},
    **{"normalizer": "outer_eyes", **_PART, "subsets": {"dark": _PART}},
}


# === Servers ===
def free_port():
    """Number of a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running_demo(*options, python_path=None):
    """`keras-lotr demo` in a process of its own, of the package on `python_path`; its address."""
    command = [sys.executable, "-c", "from keras_lotr.cli import main; main()", "demo"]
    options = options or ("--engine", "onnxruntime")
    port = str(free_port())
    # Started in a folder of its own, as by those who installed the package.
    path = map(str, python_path or filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*command, "--port", port, *options],
            stdout=subprocess.PIPE,
            cwd=folder,
            env=environment,
        ) as process,
    ):
        try:
            said = process.stdout.readline().decode()  # after the models have run once
            assert said.startswith(f"The demo is at http://127.0.0.1:{port}"), said
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def largest_file(size):
    """No file can grow beyond that many bytes, as on a disk that is full."""
    import resource  # not on Windows

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
