"""EfficientNet-Lite (Tan and Le, ICML 2019; Liu, 2020), laid out so that timm's weights fit.

MobileNetV2's blocks, some with filters of 5 x 5, in several sizes: no squeeze-and-excitation and
ReLU6, so that small processors and 8-bit files take it. Padding and names are those of
`MobileNetV2`.
"""

import math

import keras

from keras_lotr.arguments import checked_image_size, refuse_unknown
from keras_lotr.backbones.blocks import conv_bn, imagenet_scaling, inverted_residual
from keras_lotr.configured_model import ConfiguredModel, dtype_policy
from keras_lotr.number_checks import whole

# Table 1 of the EfficientNet paper: expansion, filter, channels, repeats, stride of the first.
STAGES = [
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
]
# What channels and repeats of EfficientNet-Lite0 to 4 are multiplied by.
SIZES = [(1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8)]


@keras.saving.register_keras_serializable(package="keras_lotr")
class EfficientNetLite(ConfiguredModel):
    """RGB images (B, S, S, 3), 0..255 -> features (B, S/32, S/32, 1280).

    Args:
        image_size: side S of the input in pixels, a multiple of 32.
        size: 0 to 4, of EfficientNet-Lite0 to 4.
        name: None: "efficientnet_lite2" and so on.
        dtype, trainable: as of every Keras layer.

    Example:

    >>> EfficientNetLite(image_size=64, size=0).output_shape
    (None, 2, 2, 1280)
    """

    def __init__(self, image_size=256, size=2, name=None, dtype=None, trainable=True, **unknown):
        refuse_unknown(EfficientNetLite, unknown)
        image_size = checked_image_size(image_size, 32)
        if whole(size) is None or size not in range(len(SIZES)):
            raise ValueError(f"Expected size from 0 to {len(SIZES) - 1}. Received: {size!r}")
        width, depth = SIZES[size]
        # === Functional model ===
        with dtype_policy(dtype):
            images = keras.Input((image_size, image_size, 3), name="images")
            x = imagenet_scaling(images)
            x = conv_bn(x, 32, 3, stride=2, conv="conv_stem", bn="bn1", activation="relu6")
            for stage, (expansion, kernel_size, channels, repeats, stride) in enumerate(STAGES):
                is_inner = 0 < stage < len(STAGES) - 1  # the others have one block in all sizes
                for block in range(math.ceil(repeats * depth) if is_inner else repeats):
                    x = inverted_residual(
                        x,
                        expansion,
                        _scaled_channels(channels, width),
                        stride if block == 0 else 1,
                        f"blocks_{stage}_{block}",
                        kernel_size,
                    )
            x = conv_bn(x, 1280, 1, conv="conv_head", bn="bn2", activation="relu6")
        super().__init__(images, x, name or f"efficientnet_lite{size}", dtype, trainable)

        # === Config ===
        self.image_size = image_size
        self.size = int(size)

    def get_config(self):
        return {"image_size": self.image_size, "size": self.size, **super().get_config()}


def _scaled_channels(channels, width):
    """So many channels times the width, in multiples of 8, and less than a tenth below."""
    scaled = max(8, int(channels * width + 4) // 8 * 8)
    return scaled if scaled >= 0.9 * channels * width else scaled + 8
