"""The network of the face detector: a photo -> boxes and five points at strides 8, 16 and 32.

Of the kind of YuNet (Wu, Peng, Yu, Machine Intelligence Research 2023): depthwise convolutions, a
small feature pyramid, one prediction per cell, no anchor boxes. Its numbers mean what YuNet's mean,
so that they can be learned from YuNet's and OpenCV's `FaceDetectorYN` decodes them.
"""

import keras
from keras import layers

from keras_lotr.arguments import refuse_unknown
from keras_lotr.backbones.blocks import conv_bn, he_normal, zero_padding
from keras_lotr.configured_model import ConfiguredModel, dtype_policy
from keras_lotr.inference.detector_network import STRIDES
from keras_lotr.presets.preset import CONFIG, WEIGHTS, build, config_of, read_config, resolve
from keras_lotr.presets.saving import save_preset
from keras_lotr.presets.weights import load_weights

NUM_MAPS = 15  # score, box, five points


@keras.saving.register_keras_serializable(package="keras_lotr")
class DetectorNetwork(ConfiguredModel):
    """RGB photos (B, H, W, 3), 0..255 -> (B, cells, 15); H and W are multiples of 32.

    Cells are those of stride 8, row by row, then of 16, then of 32. With a cell's place (x, y) in
    its grid and its stride s, its numbers are, in image pixels:

    - 0: the logit of the score,
    - 1..4: centre of the box ((x + v1) s, (y + v2) s), width exp(v3) s, height exp(v4) s,
    - 5..14: five points ((x + v5) s, (y + v6) s), ...: eye on the left of the image, eye on the
      right, nose tip, mouth corner on the left, on the right.

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32.
        depths: further units at strides 4, 8, 16 and 32.
        pyramid_width: channels of the feature pyramid.
        name, dtype, trainable: as of every Keras layer.

    Example:

    >>> DetectorNetwork().output_shape
    (None, None, 15)
    """

    def __init__(
        self,
        widths=(16, 32, 64, 128, 128),
        depths=(1, 2, 2, 2),
        pyramid_width=64,
        name="face_detector",
        dtype=None,
        trainable=True,
        **unknown,
    ):
        refuse_unknown(DetectorNetwork, unknown)
        # === Functional model ===
        with dtype_policy(dtype):
            images = keras.Input((None, None, 3), name="images")
            x = layers.Rescaling(1 / 64, name="scaling")(images)
            x = conv_bn(
                x, widths[0], 3, stride=2, conv="stem_conv", bn="stem_bn", activation="relu"
            )
            features = []
            for stage, (width, depth) in enumerate(zip(widths[1:], depths, strict=True)):
                x = _unit(x, width, f"stage{stage}_unit0", stride=2)
                for unit in range(1, depth + 1):
                    x = _unit(x, width, f"stage{stage}_unit{unit}")
                features.append(x)
            maps = [
                _maps(level, f"stride{stride}")
                for level, stride in zip(
                    _pyramid(features[1:], pyramid_width), STRIDES, strict=True
                )
            ]
            flat = [
                layers.Reshape((-1, NUM_MAPS), name=f"stride{stride}_cells")(level)
                for level, stride in zip(maps, STRIDES, strict=True)
            ]
            cells = layers.Concatenate(axis=1, name="cells")(flat)
        super().__init__(images, cells, name, dtype, trainable)

        # === Config ===
        self.widths, self.depths, self.pyramid_width = list(widths), list(depths), pyramid_width

    def get_config(self):
        sizes = {name: getattr(self, name) for name in ("widths", "depths", "pyramid_width")}
        return {**sizes, **super().get_config()}

    @classmethod
    def from_preset(cls, preset):
        """The trained network of a preset: short name, folder or "hf://org/name[@revision]"."""
        files = resolve(preset)
        weights = files.path(WEIGHTS)
        if weights is None:
            raise ValueError(f"Expected a trained face detector. {preset} has no {WEIGHTS}.")
        model = build(cls, read_config(files, cls), files, weights=weights)
        load_weights(model, weights)
        return model

    def save_to_preset(self, folder, dtype=None, plain=False):
        """Write config and weights into a folder that `from_preset` reads.

        Args:
            folder, dtype, plain: as of `LOTR.save_to_preset`.

        Raises:
            ValueError: `folder` is a file.
            OSError: it cannot be written there. After an error the folder is as it was.
        """
        save_preset(self, folder, {CONFIG: config_of(self, plain)}, dtype)


def _unit(inputs, filters, name, stride=1):
    """Filter each channel (3x3), mix the channels (1x1); add the input where shapes agree."""
    padding = "same"
    x = inputs
    if stride > 1:
        padding = "valid"
        x = zero_padding(x, 1, f"{name}_pad")
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding=padding,
        use_bias=False,
        data_format="channels_last",
        depthwise_initializer=he_normal,
        name=f"{name}_depthwise",
    )(x)
    x = conv_bn(x, filters, 1, conv=f"{name}_mix", bn=f"{name}_bn")
    if stride == 1 and inputs.shape[-1] == filters:
        x = layers.Add(name=f"{name}_sum")([x, inputs])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _pyramid(features, width):
    """Top-down feature pyramid (Lin et al., CVPR 2017): coarse features are added to finer ones."""
    levels = []
    for stride, x in zip(STRIDES[::-1], features[::-1], strict=True):
        lateral = f"stride{stride}_lateral"
        x = conv_bn(x, width, 1, conv=lateral, bn=f"{lateral}_bn", activation="relu")
        if levels:
            coarse = layers.UpSampling2D(
                data_format="channels_last", name=f"stride{stride}_upsampled"
            )(levels[-1])
            x = layers.Add(name=f"stride{stride}_sum")([x, coarse])
        levels.append(_unit(x, width, f"stride{stride}_unit"))
    return levels[::-1]


def _maps(x, name):
    x = _unit(x, x.shape[-1], f"{name}_head")
    # Few cells hold a face: scores start at 0.01.
    bias = keras.initializers.Constant([-4.6] + [0.0] * (NUM_MAPS - 1))
    return layers.Conv2D(
        NUM_MAPS,
        1,
        data_format="channels_last",
        kernel_initializer="glorot_uniform",
        bias_initializer=bias,
        name=f"{name}_maps",
    )(x)
