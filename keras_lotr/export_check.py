"""An exported file is run beside the model before it is kept."""

import numpy as np
from keras import ops

LARGEST_DIFFERENCE = 1e-3  # pixels of the crop


class ExportDiffers(RuntimeError):
    """The exported file gives other points than the model."""


def check_points(model, predict, count=3):
    """Compare what an exported file gives with what the model gives.

    Args:
        model: `LOTR`.
        predict: function that runs the file: crops (F, S, S, 3) float32 -> (F, N, 2) crop pixels.
        count: F, the number of random crops.

    Raises:
        ExportDiffers: the points differ by more than `LARGEST_DIFFERENCE`.
    """
    size = model.image_size
    crops = np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)
    expected = ops.convert_to_numpy(model(crops, training=False))
    difference = float(np.abs(predict(crops) - expected).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportDiffers(
            f"Expected the exported file to give the points of the model, within "
            f"{LARGEST_DIFFERENCE} pixel. They differ by {difference:.3g}; nothing was written."
        )
