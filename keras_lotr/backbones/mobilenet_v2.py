"""MobileNetV2 (Sandler et al., CVPR 2018), laid out so that timm's `mobilenetv2_100` weights fit.

As timm's, and unlike keras.applications: stride-2 layers pad one pixel on each side (TensorFlow's
SAME pads only right and bottom of an even image and samples one pixel off), batch normalisation
has epsilon 1e-5, images are normalised by ImageNet's mean and standard deviation. A layer has the
name of its timm module with "." as "_".
"""

import keras

from keras_lotr.arguments import checked_image_size, refuse_unknown
from keras_lotr.backbones.blocks import conv_bn, imagenet_scaling, inverted_residual
from keras_lotr.configured_model import ConfiguredModel, dtype_policy
from keras_lotr.number_checks import real

# Table 2 of the MobileNetV2 paper: expansion, channels, repeats, stride of the first.
STAGES = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


@keras.saving.register_keras_serializable(package="keras_lotr")
class MobileNetV2(ConfiguredModel):
    """RGB images (B, S, S, 3), 0..255 -> features (B, S/32, S/32, 1280).

    Args:
        image_size: side S of the input in pixels, a multiple of 32.
        width: what the number of channels of every layer but the last is multiplied by (the
            paper's width multiplier), rounded to multiples of 16.
        name, dtype, trainable: as of every Keras layer.

    Example:

    >>> MobileNetV2(image_size=64).output_shape
    (None, 2, 2, 1280)
    """

    def __init__(
        self,
        image_size=192,
        width=1.0,
        name="mobilenet_v2",
        dtype=None,
        trainable=True,
        **unknown,
    ):
        refuse_unknown(MobileNetV2, unknown)
        image_size = checked_image_size(image_size, 32)
        _check_width(width)
        # === Functional model ===
        with dtype_policy(dtype):
            images = keras.Input((image_size, image_size, 3), name="images")
            x = imagenet_scaling(images)
            stem = scaled_channels(32, width)
            x = conv_bn(x, stem, 3, stride=2, conv="conv_stem", bn="bn1", activation="relu6")
            for stage, (expansion, channels, repeats, stride) in enumerate(STAGES):
                for block in range(repeats):
                    x = inverted_residual(
                        x,
                        expansion,
                        scaled_channels(channels, width),
                        stride if block == 0 else 1,
                        f"blocks_{stage}_{block}",
                    )
            x = conv_bn(x, 1280, 1, conv="conv_head", bn="bn2", activation="relu6")
        super().__init__(images, x, name, dtype, trainable)

        # === Config ===
        self.image_size = image_size
        self.width = real(width)

    def get_config(self):
        # Without it the config is that of older versions, which can load it.
        width = {} if self.width == 1 else {"width": self.width}
        return {"image_size": self.image_size, **width, **super().get_config()}


def scaled_channels(channels, width):
    """So many channels times the width, rounded to a multiple of 16, at least 16.

    onnxruntime computes blocks of 16 channels where the processor has registers for them.
    """
    return channels if width == 1 else max(16, round(channels * width / 16) * 16)


def _check_width(width):
    if real(width) is None or not 0 < width <= 4:
        raise ValueError(f"Expected width as a number above 0 and up to 4. Received: {width!r}")
