"""HRNet (Wang et al., TPAMI 2020), laid out so that timm's `hrnet_w18` .. `hrnet_w64` weights fit.

Branches at 1/4, 1/8, 1/16 and 1/32 of the image run side by side and are fused again and again.
The end is that of the paper's ImageNet classifier: each branch is widened, and they are joined from
the finest to the coarsest. Paddings are symmetric, the fusions upsample by repetition, images are
normalised by ImageNet's mean and standard deviation. A layer has the name of its timm module with
"." as "_".
"""

import keras
from keras import layers

from keras_lotr.arguments import checked_image_size, refuse_unknown
from keras_lotr.backbones.blocks import conv_bn, imagenet_scaling
from keras_lotr.backbones.resnet import add_relu, bottleneck
from keras_lotr.configured_model import ConfiguredModel, dtype_policy

WIDTHS = (18, 32, 48, 64)

# The paper's stage s has s branches, and this many rounds of residual blocks and fusion.
ROUNDS = {2: 1, 3: 4, 4: 3}


@keras.saving.register_keras_serializable(package="keras_lotr")
class HRNet(ConfiguredModel):
    """RGB images (B, S, S, 3), 0..255 -> features (B, S/32, S/32, 2048).

    Args:
        width: channels of the finest branch: 18, 32, 48 or 64.
        image_size: side S of the input in pixels, a multiple of 32.
        name, dtype, trainable: as of every Keras layer.

    Example:

    >>> HRNet(width=18, image_size=64).output_shape
    (None, 2, 2, 2048)
    """

    def __init__(self, width=64, image_size=256, name=None, dtype=None, trainable=True, **unknown):
        refuse_unknown(HRNet, unknown)
        image_size = checked_image_size(image_size, 32)
        if width not in WIDTHS:
            raise ValueError(f"Expected a width among {WIDTHS}. Received: width={width}")

        # === Functional model ===
        with dtype_policy(dtype):
            images = keras.Input((image_size, image_size, 3), name="images")
            x = imagenet_scaling(images)
            x = conv_bn(x, 64, 3, stride=2, conv="conv1", bn="bn1", activation="relu")
            x = conv_bn(x, 64, 3, stride=2, conv="conv2", bn="bn2", activation="relu")
            for block in range(4):
                x = bottleneck(x, 64, f"layer1_{block}")
            branches = [x]  # one (B, S/4, S/4, C) to begin with, four down to S/32 in the end
            for stage, rounds in ROUNDS.items():
                branches = _add_branch(branches, width, f"transition{stage - 1}")
                for index in range(rounds):
                    branches = _blocks_and_fusion(branches, f"stage{stage}_{index}")
            x = _join(branches)
        super().__init__(images, x, name or f"hrnet_w{width}", dtype, trainable)

        # === Config ===
        self.width = int(width)
        self.image_size = image_size

    def get_config(self):
        sizes = {"width": self.width, "image_size": self.image_size}
        return {**sizes, **super().get_config()}


def _add_branch(branches, width, name):
    """One more branch, from the coarsest: half its resolution, twice its channels."""
    new, coarsest = len(branches), branches[-1]
    if new == 1:
        conv, bn = f"{name}_0_0", f"{name}_0_1"
        branches = [conv_bn(coarsest, width, 3, conv=conv, bn=bn, activation="relu")]
    conv, bn = f"{name}_{new}_0_0", f"{name}_{new}_0_1"
    x = conv_bn(coarsest, width * 2**new, 3, stride=2, conv=conv, bn=bn, activation="relu")
    return [*branches, x]


def _blocks_and_fusion(branches, name):
    """Four residual blocks on each branch, then each branch receives the sum of all."""
    refined = []
    for index, x in enumerate(branches):
        for block in range(4):
            x = _basic_block(x, f"{name}_branches_{index}_{block}")
        refined.append(x)
    return [_fuse(refined, index, f"{name}_fuse_layers_{index}") for index in range(len(refined))]


def _basic_block(inputs, name):
    """Two 3x3 convolutions; add the input."""
    channels = inputs.shape[-1]
    x = conv_bn(inputs, channels, 3, conv=f"{name}_conv1", bn=f"{name}_bn1", activation="relu")
    x = conv_bn(x, channels, 3, conv=f"{name}_conv2", bn=f"{name}_bn2")
    return add_relu([x, inputs], name)


def _fuse(branches, target, name):
    """All branches at the resolution and with the channels of branch `target`, summed."""
    channels = branches[target].shape[-1]
    terms = []
    for source, x in enumerate(branches):
        if source > target:
            x = conv_bn(x, channels, 1, conv=f"{name}_{source}_0", bn=f"{name}_{source}_1")
            times = 2 ** (source - target)
            x = layers.UpSampling2D(times, data_format="channels_last", name=f"{name}_{source}_2")(
                x
            )
        else:
            x = _halve(x, target - source, channels, f"{name}_{source}")
        terms.append(x)
    return add_relu(terms, name)


def _halve(x, times, channels, name):
    """Halve the resolution `times` times; only the last time changes the channels, without ReLU."""
    for index in range(times):
        last = index == times - 1
        filters, activation = (channels, None) if last else (x.shape[-1], "relu")
        conv, bn = f"{name}_{index}_0", f"{name}_{index}_1"
        x = conv_bn(x, filters, 3, stride=2, conv=conv, bn=bn, activation=activation)
    return x


def _join(branches):
    """Widen each branch to 128, 256, 512, 1024 channels and add it to the finer ones, halved."""
    settings = {"use_bias": True, "activation": "relu"}
    x = None
    for index, branch in enumerate(branches):
        widened = bottleneck(branch, 32 * 2**index, f"incre_modules_{index}_0")
        if index > 0:
            name = f"downsamp_modules_{index - 1}"
            channels = widened.shape[-1]
            x = conv_bn(x, channels, 3, stride=2, conv=f"{name}_0", bn=f"{name}_1", **settings)
            widened = layers.Add(name=f"{name}_add")([widened, x])
        x = widened
    return conv_bn(x, 2048, 1, conv="final_layer_0", bn="final_layer_1", **settings)
