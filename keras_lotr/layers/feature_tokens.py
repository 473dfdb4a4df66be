"""Fig. 1 of the paper, between backbone and Transformer: the feature map becomes tokens."""

from keras import layers


def feature_tokens(features, projection_dim, deconv_filters, prefix=""):
    """1x1 convolution, then deconvolutions that double the map (the "+" variants), then a row.

    Deconvolutions are 4x4 with stride 2, batch norm and ReLU; the paper gives their filters and
    size, stride 2 fits its FLOPs, norm and ReLU are our choice.

    Args:
        features: (B, h, w, C).
        projection_dim: width of the 1x1 convolution.
        deconv_filters: filters of each deconvolution, () for none.
        prefix: beginning of the layers' names.

    Returns:
        tokens (B, h' * w', D), and (h', w'), where D is `projection_dim` or the last of
            `deconv_filters`.
    """
    x = layers.Conv2D(
        projection_dim, 1, kernel_initializer="he_normal", data_format="channels_last",
        name=f"{prefix}reduce",
    )(features)  # fmt: skip
    for i, filters in enumerate(deconv_filters, start=1):
        x = layers.Conv2DTranspose(
            filters, 4, strides=2, padding="same", use_bias=False, data_format="channels_last",
            kernel_initializer="he_normal", name=f"{prefix}deconv{i}",
        )(x)  # fmt: skip
        name = f"{prefix}deconv{i}"
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
        x = layers.Activation("relu", name=f"{name}_relu")(x)
    height, width, dim = x.shape[1:]
    return layers.Reshape((height * width, dim), name=f"{prefix}tokens")(x), (height, width)
