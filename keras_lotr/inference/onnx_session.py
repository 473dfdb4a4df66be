"""onnxruntime's session of an .onnx file, and the weights that some files read from another one."""

import hashlib
import os
from pathlib import Path

from keras_lotr.number_checks import whole
from keras_lotr.presets.files import WEIGHTS
from keras_lotr.presets.layout import layout_of

# Keys in the metadata of a file that reads its weights from another one: of SHA-256 of that one's
# header; and of that whole file, if other numbers in the same places would not fit.
WEIGHTS_DIGEST, WEIGHTS_SHA256 = "keras_lotr_weights", "keras_lotr_weights_sha256"


def has_weights(content):
    """Whether an .onnx file, given as bytes, reads no weights from another file."""
    return WEIGHTS_DIGEST.encode() not in content


def weights_path(source, name, weights):
    """The safetensors file that an .onnx file reads: the given one, or that beside it.

    Args:
        source: path of the .onnx file, or its content.
        name: what errors call it.
        weights: path, a function that gives it, or None.

    Raises:
        ValueError: there is none.
    """
    if callable(weights):
        weights = weights()
    if weights is None and not isinstance(source, bytes):
        beside = Path(source).with_name(WEIGHTS)
        weights = beside if beside.is_file() else None
    if weights is None:
        raise ValueError(
            f"Expected {WEIGHTS} beside {name}, which reads its weights from there. "
            "`keras-lotr export PRESET --output FILE` writes one file that has all."
        )
    return weights


def fitting_weights(weights, content, name):
    """The content of a safetensors file, if it is what an .onnx file was written for.

    Args:
        weights: path of the safetensors file.
        content: of the .onnx file.
        name: what errors call it.

    Raises:
        ValueError: it has other weights.
    """
    arrays, digests = Path(weights).read_bytes(), [layout_of(weights).digest]
    if WEIGHTS_SHA256.encode() in content:
        digests.append(hashlib.sha256(arrays).hexdigest())
    if not all(digest.encode() in content for digest in digests):
        raise ValueError(
            f"Expected the weights that {name} was written for. Received: {weights}, which has "
            "others; write the .onnx file again with `keras-lotr export`."
        )
    return arrays


def open_session(source, name, threads=None, providers=None, weights=None):
    """onnxruntime's session of a file.

    Args:
        source: path, or content as bytes.
        name: what errors call it.
        threads, providers: see `OnnxModel`.
        weights: content of the safetensors file that it reads, bytes; None: it reads none.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ImportError(
            "Running .onnx files needs onnxruntime: pip install 'keras-lotr[runtime]'"
        ) from None
    if threads is not None and (whole(threads) is None or threads < 1):
        raise ValueError(
            f"Expected threads as a whole number from 1, or None. Received: {threads!r}"
        )
    providers = [providers] if isinstance(providers, str) else providers
    providers = list(providers or ["CPUExecutionProvider"])
    available = onnxruntime.get_available_providers()
    if not set(providers) <= set(available):
        raise ValueError(
            f"Expected providers of onnxruntime, of {available}. Received: {providers}"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(threads or 0)
    # Waiting threads sleep: spinning ones take the cores from the detector and from other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = source if isinstance(source, bytes) else os.fspath(source)
    if weights is not None:  # as bytes: the Hub's cache has links, which onnxruntime refuses
        options.add_external_initializers_from_files_in_memory([WEIGHTS], [weights], [len(weights)])
    # It tries again with the CPU's provider, and prints that; here there may be nothing else.
    again = int(providers != ["CPUExecutionProvider"])
    try:
        return onnxruntime.InferenceSession(
            source, options, providers=providers, enable_fallback=again
        )
    except Exception as error:  # onnxruntime's own, which have no other base
        reason = str(error).splitlines()[0]
        raise ValueError(f"Expected an .onnx file. Received: {name}: {reason}") from None
