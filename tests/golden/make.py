"""Makes the golden files, once, with the JAX backend: `python tests/golden/make.py`.

`preset/` holds a tiny LOTR with weights drawn by NumPy, `expected.npz` crops and what the network
made of them before and after ten training steps. `test_golden.py` asks all backends for the same.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from tiny import random_crops, randomize, tiny_lotr  # noqa: E402

from keras_lotr import LOTR, SmoothWing  # noqa: E402


def ten_steps(model, crops, points):
    """Ten AdamW steps on the same batch."""
    model.compile(keras.optimizers.AdamW(1e-3, weight_decay=1e-4), SmoothWing())
    model.fit(crops, points, batch_size=len(crops), epochs=10, shuffle=False, verbose=0)


def main():
    model = randomize(tiny_lotr(68, deconv_filters=(16,)))
    model.save_to_preset(FOLDER / "preset")
    model = LOTR.from_preset(FOLDER / "preset")
    crops = random_crops(4)
    points = np.random.default_rng(1).uniform(0, 64, (4, 68, 2)).astype("float32")
    before = model.predict(crops, verbose=0)
    ten_steps(model, crops, points)
    after = model.predict(crops, verbose=0)
    np.savez_compressed(
        FOLDER / "expected.npz", crops=crops, points=points, before=before, after=after
    )
    print(f"before {np.ptp(before):.2f} pixels wide, moved {np.abs(after - before).max():.2f}")


if __name__ == "__main__":
    main()
