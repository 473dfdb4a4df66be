"""The networks by their names: the paper's Table 1, and two of ours."""

from functools import partial

from keras_lotr.backbones.efficientnet_lite import EfficientNetLite
from keras_lotr.backbones.hrnet import HRNet
from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
from keras_lotr.backbones.resnet import ResNet50

# Backbone, size of the crop, and arguments of `LOTR`. That HR+ takes HRNet's widest network and its
# classification neck is our choice; the paper says HRNet only.
VARIANTS = {
    "lotr_m": (MobileNetV2, 192, {"projection_dim": 64, "deconv_filters": ()}),
    "lotr_m_plus": (MobileNetV2, 192, {"projection_dim": 256, "deconv_filters": (128, 64)}),
    "lotr_r_plus": (ResNet50, 192, {"projection_dim": 256, "deconv_filters": (128, 64)}),
    "lotr_hr_plus": (HRNet, 256, {"projection_dim": 256, "deconv_filters": (128, 64)}),
    # Ours, not the paper's. LOTR-L: with more than four times LOTR-M's multiplications.
    "lotr_l": (
        EfficientNetLite,
        256,
        {
            "projection_dim": 256,
            "deconv_filters": (128,),
            "ffn_dim": 1024,
            "num_decoder_layers": 3,
        },
    ),
    # LOTR-S, ours too: for browsers, video and phones, in a quarter of LOTR-M's time.
    "lotr_s": (
        partial(MobileNetV2, width=0.5),
        128,
        {
            "projection_dim": 64,
            "deconv_filters": (),
            "num_heads": 4,
            "ffn_dim": 256,
            "num_encoder_layers": 1,
            "num_decoder_layers": 1,
            "head_hidden_dim": 128,
        },
    ),
}
