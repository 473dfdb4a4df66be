"""ResNet-50 (He et al., CVPR 2016), laid out so that timm's `resnet50` weights fit.

As timm's and torchvision's "v1.5", and unlike the paper and keras.applications: a block that
halves the resolution does so in its 3x3 convolution, not in its first 1x1. Paddings are symmetric,
images are normalised by ImageNet's mean and standard deviation. A layer has the name of its timm
module with "." as "_".
"""

import keras
from keras import layers

from keras_lotr.arguments import checked_image_size, refuse_unknown
from keras_lotr.backbones.blocks import conv_bn, imagenet_scaling, zero_padding
from keras_lotr.configured_model import ConfiguredModel, dtype_policy

# Table 1 of the ResNet paper, column "50-layer": blocks and inner channels of conv2_x .. conv5_x.
STAGES = [(3, 64), (4, 128), (6, 256), (3, 512)]


@keras.saving.register_keras_serializable(package="keras_lotr")
class ResNet50(ConfiguredModel):
    """RGB images (B, S, S, 3), 0..255 -> features (B, S/32, S/32, 2048).

    Args:
        image_size: side S of the input in pixels, a multiple of 32.
        name, dtype, trainable: as of every Keras layer.

    Example:

    >>> ResNet50(image_size=64).output_shape
    (None, 2, 2, 2048)
    """

    def __init__(self, image_size=192, name="resnet50", dtype=None, trainable=True, **unknown):
        refuse_unknown(ResNet50, unknown)
        image_size = checked_image_size(image_size, 32)
        # === Functional model ===
        with dtype_policy(dtype):
            images = keras.Input((image_size, image_size, 3), name="images")
            x = imagenet_scaling(images)
            x = conv_bn(x, 64, 7, stride=2, conv="conv1", bn="bn1", activation="relu")
            # After a ReLU a border of zeros raises no maximum, no more than the -inf of PyTorch.
            x = zero_padding(x, 1, "maxpool_pad")
            x = layers.MaxPooling2D(3, strides=2, data_format="channels_last", name="maxpool")(x)
            for stage, (blocks, channels) in enumerate(STAGES, start=1):
                for block in range(blocks):
                    stride = 2 if stage > 1 and block == 0 else 1
                    x = bottleneck(x, channels, f"layer{stage}_{block}", stride=stride)
        super().__init__(images, x, name, dtype, trainable)

        # === Config ===
        self.image_size = image_size

    def get_config(self):
        return {"image_size": self.image_size, **super().get_config()}


def bottleneck(inputs, channels, name, stride=1):
    """Narrow (1x1), filter (3x3), widen to 4 * `channels` (1x1); add the input.

    The input is projected (1x1) where its resolution or its channels are others.
    """
    x, shortcut = inputs, inputs
    x = conv_bn(x, channels, 1, conv=f"{name}_conv1", bn=f"{name}_bn1", activation="relu")
    conv, bn = f"{name}_conv2", f"{name}_bn2"
    x = conv_bn(x, channels, 3, stride=stride, conv=conv, bn=bn, activation="relu")
    x = conv_bn(x, 4 * channels, 1, conv=f"{name}_conv3", bn=f"{name}_bn3")
    if stride > 1 or inputs.shape[-1] != 4 * channels:
        conv, bn = f"{name}_downsample_0", f"{name}_downsample_1"
        shortcut = conv_bn(inputs, 4 * channels, 1, stride=stride, conv=conv, bn=bn)
    return add_relu([x, shortcut], name)


def add_relu(tensors, name):
    """The end of a residual block: sum, then ReLU."""
    return layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=f"{name}_add")(tensors))
