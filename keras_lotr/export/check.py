"""An exported file is run beside the model before it is kept."""

from contextlib import contextmanager

import numpy as np
from keras import ops

# Pixels of the crop: what another order of sums may do, and what weights rounded to 16 bits may do
# to noise; faces differ by hundredths.
LARGEST_DIFFERENCE, ROUNDED = 1e-3, 1.0
# Of features, as a part of the largest: an untrained head hardly moves its points, whatever comes.
LARGEST_PART = 1e-3


class ExportDiffers(RuntimeError):
    """The exported file gives other points than the model."""


def random_crops(model, count):
    """(F, S, S, 3) float32, 0..255."""
    size = model.image_size
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def check_points(model, predict, count=3, rounded=False):
    """Compare what an exported file gives with what the model gives.

    Args:
        model: `LOTR`.
        predict: function that runs the file: crops (F, S, S, 3) float32 -> (F, N, 2) crop pixels.
        count: F, the number of random crops.
        rounded: whether the file's weights have 16 bits.

    Raises:
        ExportDiffers: the points differ by more.
    """
    crops = random_crops(model, count)
    expected = ops.convert_to_numpy(model(crops, training=False))
    check_same(predict(crops), expected, ROUNDED if rounded else LARGEST_DIFFERENCE)


def check_same(found, expected, largest=LARGEST_DIFFERENCE):
    """Compare the points of an exported file with those that are expected.

    Args:
        found, expected: (F, N, 2), crop pixels.
        largest: difference that may be.

    Raises:
        ExportDiffers: they differ by more.
    """
    difference = float(np.abs(found - expected).max())
    if not difference <= largest:
        raise ExportDiffers(
            f"Expected the exported file to give the points of the model, within "
            f"{largest} pixel. They differ by {difference:.3g}; nothing was written."
        )


def check_certainty(model, predict, count=3):
    """Compare how sure an exported file and the model are; arguments as of `check_points`.

    Args:
        predict: function that runs the file: crops -> landmarks and (F, N, 4).
    """
    crops = random_crops(model, count)
    check_features(predict(crops)[1], model.predict_certainty(crops)[1], "certainty")


def check_features(found, expected, name):
    """Compare an array that an exported file computes with the model's.

    Args:
        found, expected: arrays of the same shape.
        name: of what they are.

    Raises:
        ExportDiffers: they differ by more than `LARGEST_PART` of the largest number.
    """
    if found.shape != expected.shape:
        difference = f"shape {found.shape} instead of {expected.shape}"
    else:
        part = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-12)
        if part <= LARGEST_PART:
            return
        difference = f"a difference of {part:.3g}"
    raise ExportDiffers(
        f"Expected the exported file to compute {name!r} as the model does, within {LARGEST_PART} "
        f"of its largest number. Received: {difference}; nothing was written."
    )


@contextmanager
def one_sentence(format):
    """Errors of other packages, which have no base in common, become a ValueError of one line.

    Args:
        format: what is being written.
    """
    try:
        yield
    except (ValueError, OSError, ImportError, MemoryError, ExportDiffers):
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        raise ValueError(
            f"This model cannot be written as {format}: {type(error).__name__}: {reason}"
        ) from error
