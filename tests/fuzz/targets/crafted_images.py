"""Files that ask for gigabytes or minutes, and what is near them, at the limits of the demo."""

from contextlib import contextmanager

from fuzz.bombs import bombs
from fuzz.mutations import damaged
from keras_lotr.images.decoding import decode

DOCUMENTED = (ValueError,)
MEGABYTES = 300
MAX_PIXELS = 50_000_000  # of the demo


@contextmanager
def prepared():
    files = list(bombs().values())

    def make(rng):
        data = files[rng.integers(len(files))]
        data = damaged(data[:5000], rng) + data[5000:] if rng.integers(4) else data

        def call():
            return 7 * decode(data, "It", MAX_PIXELS).size // 3

        return call

    yield make
