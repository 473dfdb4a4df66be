"""ImageNet weights for a backbone, of timm or keras.applications, from a file or the Hub."""

from pathlib import Path

from safetensors import safe_open

from keras_lotr.backbones.keras_weights import load_keras_mobilenet_v2
from keras_lotr.backbones.timm_weights import load_timm_weights


def load_backbone_weights(backbone, source):
    """Fill a backbone with pre-trained weights.

    Args:
        backbone: `MobileNetV2`, `ResNet50` or `HRNet`.
        source: a safetensors file, or "hf://timm/mobilenetv2_100.ra_in1k[@revision]".
    """
    source = str(source)
    if source.startswith("hf://"):
        source = _fetch(source)
    if not Path(source).is_file():
        raise FileNotFoundError(f"Expected a safetensors file of ImageNet weights in {source}.")
    with safe_open(source, framework="numpy") as file:
        from_keras = any(key.endswith("/kernel") for key in file.keys())  # noqa: SIM118
    (load_keras_mobilenet_v2 if from_keras else load_timm_weights)(backbone, source)


def _fetch(handle):
    """The path of a timm checkpoint on the Hub, from the cache or downloaded."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    repo, _, revision = handle.removeprefix("hf://").partition("@")
    try:
        return hf_hub_download(repo, "model.safetensors", revision=revision or None)
    except (OSError, HfHubHTTPError) as error:
        raise OSError(
            f"{handle} is not in the cache and cannot be downloaded ({type(error).__name__}): "
            "give the path of a file with ImageNet weights (--backbone-weights FILE)."
        ) from None
