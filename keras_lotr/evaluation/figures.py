"""`keras-lotr report`: the paper's figures for any model and data set, drawn with matplotlib.

Matplotlib is an extra (`pip install "keras-lotr[figures]"`) and is imported when a figure is drawn.
"""

import csv
from pathlib import Path

import numpy as np
from keras import ops

from keras_lotr.datasets.batches import load_crops
from keras_lotr.losses import smooth_wing, wing
from keras_lotr.writing import replaced

# What Fig. 3 of the paper calls good, middling and bad, in per cent.
BANDS = (5.0, 6.0)


def draw_losses(path):
    """Fig. 2: Wing and smooth-Wing and their slopes, whole, around w and around zero.

    Args:
        path: PNG, SVG or PDF file to write.
    """
    figure = _figure(12, 6)
    axes = figure.subplots(2, 3)
    for column, (center, half, title) in enumerate(
        ((0, 20, "whole"), (10, 1.5, "around |x| = w"), (0, 0.05, "around x = 0"))
    ):
        x = np.linspace(center - half, center + half, 1001, dtype=np.float32)
        for loss, name, style in ((wing, "Wing", "--"), (smooth_wing, "smooth-Wing", "-")):
            value = _loss_values(loss, x)
            axes[0, column].plot(x, value, style, label=name)
            axes[1, column].plot(x, np.gradient(value, x), style, label=name)
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel("x, pixels")
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("slope")
    axes[0, 0].legend()
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    _save(figure, path)


def _loss_values(loss, x):
    """The loss of errors x: (P,) -> (P,)."""
    points = ops.convert_to_tensor(np.stack([x, x], -1))
    return ops.convert_to_numpy(loss(ops.zeros_like(points), points))


def draw_ced(paths, path, limit=10.0):
    """The cumulative error distribution: the share of faces with an NME up to each value.

    Args:
        paths: `results.json` files, or the CSV files of faces beside them, one for each curve.
        path: PNG, SVG or PDF file to write.
        limit: largest NME of the plot, per cent.

    Raises:
        FileNotFoundError: if there is no CSV of faces beside a `results.json`.
    """
    curves = {_curve_name(source, paths): _face_errors(source) for source in paths}
    figure = _figure(7, 5)
    axis = figure.subplots()
    for name, nme in curves.items():
        ordered = np.concatenate([[0], np.sort(nme), [max(limit, nme.max())]])
        share = 100 * np.minimum(np.arange(len(ordered)), len(nme)) / len(nme)
        axis.step(ordered, share, where="post", label=f"{name}, NME {nme.mean():.2f} %")
    axis.set(xlim=(0, limit), ylim=(0, 100), xlabel="NME, %", ylabel="faces, %")
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    _save(figure, path)


def _curve_name(source, paths):
    """File names where they tell the curves apart, whole paths where they do not."""
    stems = [Path(other).stem for other in paths]
    return Path(source).stem if stems.count(Path(source).stem) == 1 else str(source)


def _face_errors(source):
    """The NME of each face, (F,), from the CSV that `evaluate` wrote beside its results."""
    file = Path(source).with_suffix(".csv")
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected the CSV of faces that `keras-lotr evaluate --output` writes. "
            f"There is no {file}."
        )
    with open(file, newline="", encoding="utf-8") as lines:
        try:
            nme = [float(row["nme"]) for row in csv.DictReader(lines)]
        except (KeyError, TypeError, ValueError):
            nme = []
    if not nme:
        raise ValueError(f"Expected a column nme with a number for each face in {file}.")
    return np.array(nme)


def draw_samples(measured, path, bands=BANDS):
    """Fig. 3: a face of all and of each subset (columns) and band of the NME (rows).

    True landmarks are white, predicted ones red. Of each subset and band the face in the middle
    is taken, not the best one.

    Args:
        measured: `MeasuredFaces`, what `keras_lotr.evaluation.measure` returns.
        path: PNG, JPEG, SVG or PDF file to write.
        bands: rising borders of the rows, per cent.

    Raises:
        ValueError: if the borders do not rise.
    """
    names, rows = _band_names(bands), np.digitize(measured.nme, bands)
    subsets = _subsets(measured)
    figure = _figure(2.2 * len(subsets) + 0.4, 2.4 * len(names))
    axes = figure.subplots(len(names), len(subsets), squeeze=False)
    for column, (subset, members) in enumerate(subsets.items()):
        axes[0, column].set_title(subset)
        for row in range(len(names)):
            faces = np.flatnonzero((rows == row) & members)
            middle = faces[np.argsort(measured.nme[faces])][len(faces) // 2 :][:1]
            _draw_face(axes[row, column], measured, middle)
    for row, name in enumerate(names):
        axes[row, 0].set_ylabel(name)
    _save(figure, path)


def draw_worst(measured, path, count=10):
    """The faces with the largest NME of all and of each subset (rows), the worst first.

    Args:
        measured: `MeasuredFaces`, what `keras_lotr.evaluation.measure` returns.
        path: PNG, JPEG, SVG or PDF file to write.
        count: faces in a row.

    Raises:
        ValueError: if `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"Expected at least one face in a row. Received: {count}")
    subsets = _subsets(measured)
    figure = _figure(2.2 * count + 0.4, 2.4 * len(subsets))
    axes = figure.subplots(len(subsets), count, squeeze=False)
    for row, (subset, members) in enumerate(subsets.items()):
        axes[row, 0].set_ylabel(subset)
        faces = np.flatnonzero(members)
        worst = faces[np.argsort(-measured.nme[faces])]
        for column in range(count):
            _draw_face(axes[row, column], measured, worst[column : column + 1])
    _save(figure, path)


def _subsets(measured):
    """{"all" or a tag: (F,) bool, which faces belong to it}."""
    tags = [sample.tags for sample in measured.samples]
    every = {"all": np.ones(len(tags), bool)}
    names = sorted({tag for of_face in tags for tag in of_face})
    return every | {name: np.array([name in of_face for of_face in tags]) for name in names}


def _draw_face(axis, measured, faces):
    """The one face of `faces`, or that there is none."""
    axis.set(xticks=[], yticks=[])
    if not len(faces):
        axis.text(0.5, 0.5, "none", ha="center", va="center", transform=axis.transAxes)
        return
    face, preprocessor = faces[0], measured.preprocessor
    size, margin = preprocessor.image_size, preprocessor.margin
    crops, (truth,) = load_crops([measured.samples[face]], size, margin)
    axis.imshow(crops[0])
    axis.plot(*truth.T, ".", color="white", markersize=2.5, alpha=0.8)
    axis.plot(*measured.predicted[face].T, ".", color="#ff3b30", markersize=2.5)
    axis.set_xlabel(f"NME {measured.nme[face]:.2f} %")


def _band_names(bands):
    if list(bands) != sorted(set(bands)) or not bands:
        raise ValueError(f"Expected rising borders of NME bands in per cent. Received: {bands}")
    between = [f"{a:g} to {b:g} %" for a, b in zip(bands, bands[1:], strict=False)]
    return [f"NME < {bands[0]:g} %", *between, f"> {bands[-1]:g} %"]


def _figure(width, height):
    """A figure of so many inches. Not pyplot's: that would choose a window system for the user."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError('Figures need matplotlib: pip install "keras-lotr[figures]".') from None
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure, path):
    path = Path(path)
    with replaced(path) as unfinished:
        figure.savefig(unfinished, dpi=110, format=path.suffix[1:].lower() or "png")


def draw_reliability(results, path):
    """What of true landmarks lies in ellipses of each probability, a curve for each set.

    Args:
        results: dict of `keras-lotr report certainty`.
        path: PNG, SVG or PDF file to write.
    """
    figure = _figure(6, 5)
    axis = figure.subplots()
    axis.plot((0, 100), (0, 100), "--", color="gray", label="as promised")
    for name, found in results["sets"].items():
        levels = [100 * float(level) for level in found["coverage"]]
        axis.plot(levels, list(found["coverage"].values()), label=name)
    axis.set(xlim=(0, 100), ylim=(0, 100), xlabel="promised, %", ylabel="in the ellipse, %")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left")
    _save(figure, path)


def draw_sparsification(results, path):
    """The mean error of the landmarks that are left when the least certain are dropped.

    Args:
        results: dict of `keras-lotr report certainty`.
        path: PNG, SVG or PDF file to write.
    """
    figure = _figure(6, 5)
    axis = figure.subplots()
    for name, found in results["sets"].items():
        dropped = np.linspace(0, 100, len(found["error_left"]), endpoint=False)
        (line,) = axis.plot(dropped, found["error_left"], label=name)
        axis.plot(dropped, found["error_left_if_known"], ":", color=line.get_color())
    axis.set(xlabel="dropped, % of the landmarks", ylabel="error left, % of the face's size")
    axis.set_title("by the model's certainty; dotted: by the true error", fontsize=9)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend()
    _save(figure, path)
