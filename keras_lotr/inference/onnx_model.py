"""A LOTR exported as ONNX, run by onnxruntime: no Keras and no backend is imported."""

import json
import os
from pathlib import Path

import numpy as np

from keras_lotr.inference.onnx_session import (
    fitting_weights,
    has_weights,
    open_session,
    weights_path,
)
from keras_lotr.preprocessor import Preprocessor
from keras_lotr.presets.files import DETECTOR, ONNX, ONNX_INT8, WEIGHTS, resolve
from keras_lotr.running.crop_batches import NO_CERTAINTY, predict_points
from keras_lotr.schemes import get_scheme

FACTS = "keras_lotr"  # key of the preprocessor in the file's metadata
# The second output, of files that say how sure the landmarks are.
CERTAINTY = "certainty"

FILES = {"float32": ONNX, "int8": ONNX_INT8}  # of a preset, by their precision


class OnnxModel:
    """A `.onnx` file of `keras-lotr export`, with `LOTR`'s `predict_points`.

    May be called from several threads: a session of onnxruntime keeps nothing between calls. Can be
    pickled, for other processes; with the path, if it was loaded from one.

    Args:
        source: path of the file, or its content as bytes.
        threads: of one call; None leaves it to onnxruntime, which takes one for each core.
        providers: of onnxruntime, in the order in which they are tried, such as
            ["CUDAExecutionProvider", "CPUExecutionProvider"]; None: the CPU's.
        weights: path of the safetensors file that an .onnx file without weights of its own reads
            them from, or a function that gives it, which is called for such a file only; None:
            model.safetensors beside it, as in a preset.

    Attributes:
        preprocessor: what the file says of its crops (`crop_contract` is the former name).
        image_size: S, side of the crops in pixels.
        num_landmarks: N.
        precision: "float32", or "int8" of a file whose backbone computes in 8-bit integers.
        has_certainty: whether the file says how sure the landmarks are.

    Raises:
        FileNotFoundError, ValueError: the file is missing, damaged, or none of keras-lotr; a
            provider is not available.
        ImportError: onnxruntime is missing.

    Example:

    >>> import numpy as np
    >>> model = OnnxModel.from_preset("lotr_m_68", threads=1)
    >>> model.predict_points(np.zeros((2, 192, 192, 3), np.uint8)).shape
    (2, 68, 2)
    """

    def __init__(self, source, threads=None, providers=None, weights=None):
        name = "bytes" if isinstance(source, bytes) else os.fspath(source)
        if not isinstance(source, bytes):
            if not Path(source).is_file():
                raise FileNotFoundError(f"There is no file {name}.")
            source = os.path.abspath(source)
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        beside = not has_weights(content)
        weights = weights_path(source, name, weights) if beside else None
        self.precision = "int8" if b"QuantizeLinear" in content else "float32"
        self._arguments = source, threads, providers, weights
        self._name = name
        arrays = fitting_weights(weights, content, name) if beside else None
        self._session = open_session(source, name, threads, providers, arrays)
        self.preprocessor = self._read_preprocessor(name)
        self.image_size = self.preprocessor.image_size
        self.num_landmarks = get_scheme(self.preprocessor.scheme).num_landmarks
        self._check_shapes(name)
        self._check_weights(name)

    @classmethod
    def from_preset(cls, preset, threads=None, providers=None, token=None, precision="float32"):
        """The model.onnx of a preset, or its model_int8.onnx.

        Args:
            preset: short name, folder or "hf://org/name[@revision]".
            threads, providers: see above.
            token: access token of the Hub; None takes that of HF_TOKEN or `hf auth login`.
            precision: "float32" or "int8".

        Raises:
            ValueError: unknown preset, or one without this file.
            OSError: the preset cannot be had from the Hub.
        """
        files, wanted = resolve(preset, token), FILES[precision]
        if files.kind == DETECTOR:
            raise ValueError(
                f"Expected a preset of landmarks. {files.name} is a face detector's: give it as "
                "the detector."
            )
        path = files.path(wanted)
        if path is None:
            options = " --int8 --calibration PHOTOS" if precision == "int8" else ""
            raise ValueError(
                f"The preset {files.name!r} has no {wanted}: write it with `keras-lotr export "
                f"{files.name}{options} --output FOLDER/{wanted}`."
            )
        return cls(path, threads, providers, lambda: files.path(WEIGHTS))  # may be fetched

    @property
    def crop_contract(self):
        """The former name of `preprocessor`."""
        return self.preprocessor

    def __repr__(self):
        scheme, size = self.preprocessor.scheme, self.image_size
        precision = " in int8" if self.precision == "int8" else ""
        return (
            f"OnnxModel({self._name!r}, {self.num_landmarks} landmarks ({scheme}), crops {size} x "
            f"{size}, run by onnxruntime on {self._session.get_providers()[0]}{precision})"
        )

    def __reduce__(self):  # a session cannot be pickled
        return type(self), self._arguments

    def predict_points(self, crops, flip=False, batch_size=64):
        """Landmarks of many crops.

        Args:
            crops: (F, S, S, 3), RGB 0..255.
            flip: average with the landmarks of the mirrored crops (twice the time).
            batch_size: crops that onnxruntime gets at a time; a file of fixed batch has its own.

        Returns:
            (F, N, 2) float32 array, crop pixels.

        Raises:
            ValueError: crops of another shape, not finite, or not in 0..255.
        """
        return self._predict(self._outputs[:1], 2, crops, flip, batch_size)

    def predict_certainty(self, crops, flip=False, batch_size=64):
        """Landmarks of many crops, and how sure each is; see `LOTR.predict_certainty`."""
        if not self.has_certainty:
            raise ValueError(NO_CERTAINTY)
        found = self._predict(self._outputs, 6, crops, flip, batch_size)
        return found[..., :2], found[..., 2:]

    def _predict(self, outputs, columns, crops, flip, batch_size):
        """What outputs of the file, laid side by side, say of many crops."""

        def run(crops):
            images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
            return np.concatenate(self._session.run(outputs, {self._input: images}), axis=-1)

        fixed = self._fixed_batch
        given = self.preprocessor, self.num_landmarks, flip, fixed or batch_size
        return predict_points(run, crops, *given, lambda n: fixed or n, columns)

    def _read_preprocessor(self, name):
        try:
            facts = self._session.get_modelmeta().custom_metadata_map.get(FACTS)
            if facts is not None:
                return Preprocessor.from_dict(json.loads(facts))
        except (ValueError, RecursionError) as error:  # also metadata that are no text
            reason = str(error)[:500]
            raise ValueError(f"The metadata {FACTS!r} of {name} are not valid: {reason}") from None
        raise ValueError(
            f"Expected an .onnx file of `keras-lotr export`. Received: {name}, which has no "
            f"metadata {FACTS!r}."
        )

    def _check_weights(self, name):
        """Refuse a file with weights that are NaN or infinite: no landmark would be a number."""
        side = self.image_size
        grey = np.full((self._fixed_batch or 1, 3, side, side), 128, np.float32)
        found = self._session.run(self._outputs, {self._input: grey})
        if not all(np.isfinite(output).all() for output in found):
            raise ValueError(
                f"Expected finite weights. The landmarks of {name} are NaN or infinite: the file "
                "is damaged, or the training diverged. Export it again."
            )

    def _check_shapes(self, name):
        """Input and output, and the batch if the file has a fixed one."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = [x.shape for x in (*inputs, *outputs)]
        size, count = self.image_size, self.num_landmarks
        self.has_certainty = [x.name for x in outputs[1:]] == [CERTAINTY]
        expected = [[3, size, size], [count, 2], *[[count, 4]] * self.has_certainty]
        if [shape[1:] for shape in found] != expected or inputs[0].type != "tensor(float)":
            raise ValueError(
                f"Expected crops (B, 3, {size}, {size}) and landmarks (B, {self.num_landmarks}, 2) "
                f"as the metadata of {name} say. Received: {found}"
            )
        self._input, batch = inputs[0].name, found[0][0]
        self._outputs = [x.name for x in outputs]
        self._fixed_batch = batch if isinstance(batch, int) else None
