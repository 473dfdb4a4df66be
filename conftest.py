"""What comes before any test, and before any import of Keras."""

import os
import tempfile

# A user's keras.json may ask for another order of channels or another dtype; processes that tests
# start must not read it either.
_HOME = tempfile.TemporaryDirectory(prefix="keras_home_")
os.environ["KERAS_HOME"] = _HOME.name
