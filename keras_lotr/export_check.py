"""An exported file is run beside the model before it is kept."""

import numpy as np
from keras import ops

# Pixels of the crop: what another order of sums may do, and what weights rounded to 16 bits may do
# to noise; faces differ by hundredths.
LARGEST_DIFFERENCE, ROUNDED = 1e-3, 1.0


class ExportDiffers(RuntimeError):
    """The exported file gives other points than the model."""


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
    largest = ROUNDED if rounded else LARGEST_DIFFERENCE
    size = model.image_size
    crops = np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)
    expected = ops.convert_to_numpy(model(crops, training=False))
    difference = float(np.abs(predict(crops) - expected).max())
    if not difference <= largest:
        raise ExportDiffers(
            f"Expected the exported file to give the points of the model, within "
            f"{largest} pixel. They differ by {difference:.3g}; nothing was written."
        )
