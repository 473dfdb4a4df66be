"""LOTR: face landmarks by coordinate regression (Watchareeruetai et al., IEEE Access 2022).

Fig. 1 of the paper on one screen: backbone -> tokens -> encoder -> decoder -> head.
"""

import copy

import keras
from keras import layers

from keras_lotr.arguments import refuse_unknown
from keras_lotr.configured_model import ConfiguredModel, dtype_policy
from keras_lotr.layers.certainty_head import CertaintyHead
from keras_lotr.layers.embeddings import Embedding, SinePosition, grid_centers
from keras_lotr.layers.feature_tokens import feature_tokens
from keras_lotr.layers.landmark_head import LandmarkHead
from keras_lotr.layers.mean_shape import checked_mean_shape
from keras_lotr.layers.transformer import DecoderLayer, EncoderLayer
from keras_lotr.losses import spread_weight
from keras_lotr.lotr_arguments import square_input, transformer_width
from keras_lotr.number_checks import check_counts, real
from keras_lotr.preprocessor import checked_preprocessor
from keras_lotr.presets.preset import PresetMixin
from keras_lotr.running.keras_model import check_process
from keras_lotr.running.predict_mixin import PredictMixin
from keras_lotr.variants import VARIANTS

MAX_TOKENS = 2**14  # 128 x 128; attention takes memory with the square of it


@keras.saving.register_keras_serializable(package="keras_lotr")
class LOTR(PredictMixin, PresetMixin, ConfiguredModel):
    """The network: RGB face crops (B, S, S, 3), 0..255 -> landmarks (B, N, 2) float32, crop pixels.

    Points are (x, y), and integer coordinates are pixel centres. The paper does not give the number
    of heads, the width of the feed-forward networks, the placement of the norms and the start of
    the embeddings; these are our choice.

    Args:
        backbone: a `keras.Model` with input (B, S, S, 3), RGB 0..255, and one feature map
            (B, h, w, C) as output: one of `keras_lotr.backbones`, or any keras.applications or
            keras_hub image backbone with its own scaling in front.
        num_landmarks: N.
        mean_shape: (N, 2), mean landmarks of the training faces as fractions of the crop, where
            each landmark looks before training. None spreads them over the face.
        projection_dim: width of the 1x1 convolution on the feature map.
        deconv_filters: filters of the deconvolutions that each double the feature map.
        num_heads: attention heads.
        ffn_dim: hidden width of the Transformer's feed-forward networks.
        num_encoder_layers, num_decoder_layers: the paper found 2 and 2 best.
        head_hidden_dim: width of the head's two hidden layers.
        dropout: rate inside the Transformer.
        preprocessor: `Preprocessor`, how faces are cropped and what the landmarks mean. None takes
            the usual scheme of N landmarks and the margin 1.3.
        dtype: dtype policy of Transformer and head, such as "mixed_bfloat16". The backbone has its
            own.
        trainable: False freezes all layers.
        certainty_dim: hidden width of a second head, which looks at the tokens once more and says
            how sure the landmarks are (see `predict_certainty`). The output of the network stays
            the landmarks; `fit` leaves this head as it is, and `keras_lotr.training.certainty`
            trains and calibrates it, before which `FaceLandmarker` does not ask it. None: no such
            head.

    Raises:
        ValueError: the backbone has no square input of fixed size or not exactly one feature map;
            `mean_shape` has another number of landmarks or is in pixels; the preprocessor has
            another crop or another number of landmarks; or a number is out of its range.
        TypeError: an argument is unknown.

    Example:

    >>> import numpy as np
    >>> from keras_lotr.backbones.mobilenet_v2 import MobileNetV2
    >>> model = LOTR(MobileNetV2(image_size=64), num_landmarks=5)
    >>> model.predict(np.zeros((2, 64, 64, 3)), verbose=0).shape
    (2, 5, 2)

    Any Keras image model can be the backbone; the scaling that it expects goes in front:

    >>> images = keras.Input((64, 64, 3))
    >>> network = keras.applications.MobileNetV2(
    ...     input_shape=(64, 64, 3), alpha=0.35, include_top=False, weights=None)
    >>> scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(images)
    >>> model = LOTR(keras.Model(images, network(scaled)), num_landmarks=5)
    """

    layer_prefix = "lotr_"  # of our layers' names, which share a graph with a backbone's
    former_arguments = {"channels": "projection_dim", "head_dim": "head_hidden_dim"}

    def __init__(
        self,
        backbone,
        num_landmarks,
        mean_shape=None,
        projection_dim=64,
        deconv_filters=(),
        num_heads=8,
        ffn_dim=512,
        num_encoder_layers=2,
        num_decoder_layers=2,
        head_hidden_dim=512,
        dropout=0.0,
        preprocessor=None,
        name="lotr",
        dtype=None,
        trainable=True,
        certainty_dim=None,
        **unknown,
    ):
        check_process()
        projection_dim = unknown.pop("channels", projection_dim)  # see former_arguments
        head_hidden_dim = unknown.pop("head_dim", head_hidden_dim)
        refuse_unknown(LOTR, unknown)
        image_size = square_input(backbone)
        dim = transformer_width(projection_dim, deconv_filters, num_heads)
        check_counts(num_landmarks=num_landmarks, ffn_dim=ffn_dim, head_hidden_dim=head_hidden_dim)
        check_counts(0, num_encoder_layers=num_encoder_layers)
        check_counts(num_decoder_layers=num_decoder_layers)
        if certainty_dim is not None:
            check_counts(certainty_dim=certainty_dim)
            certainty_dim = int(certainty_dim)
        if real(dropout) is None or not 0 <= dropout < 1:
            raise ValueError(f"Expected dropout as a rate 0 <= dropout < 1. Received: {dropout!r}")
        # NumPy's numbers are counted with and saved as Python's.
        num_landmarks, projection_dim = int(num_landmarks), int(projection_dim)
        num_encoder_layers, num_decoder_layers = int(num_encoder_layers), int(num_decoder_layers)
        num_heads, ffn_dim, head_hidden_dim = int(num_heads), int(ffn_dim), int(head_hidden_dim)
        deconv_filters = tuple(map(int, deconv_filters))
        mean_shape = checked_mean_shape(mean_shape, num_landmarks)
        preprocessor = checked_preprocessor(preprocessor, num_landmarks, image_size)
        sizes = {"dim": dim, "num_heads": num_heads, "ffn_dim": ffn_dim, "dropout": dropout}
        prefix = self.layer_prefix

        with dtype_policy(dtype):
            # === Layers ===
            encoder = [
                EncoderLayer(**sizes, name=f"{prefix}encoder{i + 1}")
                for i in range(num_encoder_layers)
            ]
            decoder = [
                DecoderLayer(**sizes, name=f"{prefix}decoder{i + 1}")
                for i in range(num_decoder_layers)
            ]
            encoder_norm = _norm(f"{prefix}encoder_norm")
            decoder_norm = _norm(f"{prefix}decoder_norm")
            query_start = keras.initializers.RandomNormal(stddev=1e-4)
            queries = Embedding(num_landmarks, dim, query_start, name=f"{prefix}landmark_queries")
            start, name_ = SinePosition(mean_shape), f"{prefix}landmark_places"
            query_positions = Embedding(num_landmarks, dim, start, name=name_)
            head = LandmarkHead(image_size, mean_shape, head_hidden_dim, name=f"{prefix}head")

            # === Functional model ===
            features = backbone.outputs[0]
            tokens, grid = feature_tokens(features, projection_dim, deconv_filters, prefix)
            if grid[0] * grid[1] > MAX_TOKENS:
                raise ValueError(
                    f"Expected a backbone that leaves at most {MAX_TOKENS} tokens. Received: {grid}"
                )
            start, name_ = SinePosition(grid_centers(*grid)), f"{prefix}token_positions"
            positions = Embedding(grid[0] * grid[1], dim, start, name=name_)(tokens)
            for layer in encoder:
                tokens = layer(tokens, positions)
            memory = encoder_norm(tokens)
            landmarks, at = queries(memory), query_positions(memory)
            for layer in decoder:
                landmarks = layer(landmarks, at, memory, positions)
            landmarks = decoder_norm(landmarks)
            points_crop = head(landmarks)
            certainty = None
            if certainty_dim is not None:
                certainty = CertaintyHead(
                    image_size, dim, num_heads, certainty_dim, name=f"{prefix}certainty"
                )
                inputs = (landmarks, at, memory, positions, points_crop)
                certainty.build(*(x.shape for x in inputs))
        super().__init__(backbone.inputs[0], points_crop, name, dtype, trainable)
        self.certainty = certainty
        self._freeze_certainty()

        # === Config ===
        self.backbone = backbone
        self.num_landmarks = num_landmarks
        self.mean_shape = mean_shape
        self.projection_dim = projection_dim
        self.deconv_filters = deconv_filters
        self.num_heads = num_heads
        self.ffn_dim = ffn_dim
        self.num_encoder_layers = num_encoder_layers
        self.num_decoder_layers = num_decoder_layers
        self.head_hidden_dim = head_hidden_dim
        self.dropout = float(dropout)
        self.certainty_dim = certainty_dim
        self.image_size = image_size
        self.token_grid = grid
        self._preprocessor = preprocessor

    @classmethod
    def from_variant(cls, variant, num_landmarks, image_size=None, **settings):
        """Build a LOTR of the paper's Table 1, LOTR-L or LOTR-S, with untrained weights.

        Args:
            variant: "lotr_m", "lotr_m_plus", "lotr_r_plus" or "lotr_hr_plus"; or one of ours:
                "lotr_l", a larger network, or "lotr_s", a smaller one for browsers and video.
            num_landmarks: N.
            image_size: side of the crop in pixels; None takes the variant's.
            **settings: further arguments of `LOTR`.

        Example:

        >>> LOTR.from_variant("lotr_m", num_landmarks=68, image_size=64).token_grid
        (2, 2)
        """
        if variant not in VARIANTS:
            raise ValueError(f"Expected a variant, one of {list(VARIANTS)}. Received: {variant!r}")
        backbone, paper_size, numbers = VARIANTS[variant]
        size = paper_size if image_size is None else image_size
        dtype = settings.get("dtype")
        network = backbone(image_size=size, dtype=dtype) if dtype else backbone(image_size=size)
        return cls(network, num_landmarks, **{**numbers, **settings})

    @property
    def preprocessor(self):
        """`Preprocessor`: how faces are cropped, and what the landmarks mean."""
        return self._preprocessor

    @preprocessor.setter
    def preprocessor(self, preprocessor):
        self._preprocessor = checked_preprocessor(preprocessor, self.num_landmarks, self.image_size)

    crop_contract = preprocessor  # its name until 0.1

    def get_layer(self, name=None, index=None):
        """A layer by its name, ours also without their prefix, or by its index."""
        ours = f"{self.layer_prefix}{name}"
        known = name is not None and any(layer.name == ours for layer in self.layers)
        return super().get_layer(ours if known else name, index)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        # Keras would lay a weight for each face, (B,), along the landmarks of a loss (B, N).
        if sample_weight is not None:
            sample_weight = spread_weight(sample_weight, y_pred[..., 0])
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    @property
    def has_certainty(self):
        """Whether the network was trained, and calibrated, to say how sure its landmarks are."""
        return self.certainty is not None and self.runner.is_calibrated()

    @property
    def trainable(self):
        return super().trainable

    @trainable.setter
    def trainable(self, value):
        keras.Model.trainable.fset(self, value)
        self._freeze_certainty()

    def _freeze_certainty(self):
        """The loss of `fit` knows nothing of this head."""
        if getattr(self, "certainty", None) is not None:
            self.certainty.trainable = False

    def get_config(self):
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "num_landmarks": self.num_landmarks,
            "mean_shape": self.mean_shape.astype(float).round(4).tolist(),
            "projection_dim": self.projection_dim,
            "deconv_filters": list(self.deconv_filters),
            "num_heads": self.num_heads,
            "ffn_dim": self.ffn_dim,
            "num_encoder_layers": self.num_encoder_layers,
            "num_decoder_layers": self.num_decoder_layers,
            "head_hidden_dim": self.head_hidden_dim,
            "dropout": self.dropout,
            "preprocessor": self.preprocessor.to_dict(),
            # Absent without the head, so that older versions read such presets.
            **({} if self.certainty_dim is None else {"certainty_dim": self.certainty_dim}),
            **super().get_config(),
        }

    @classmethod
    def from_config(cls, config):
        check_process()  # before the backbone is built
        # A copy: Keras takes the config of a functional model apart while it reads it.
        backbone = keras.saving.deserialize_keras_object(copy.deepcopy(config["backbone"]))
        config = {**config, "backbone": backbone}
        if config.get("certainty_dim") is None and "layer_settings" in config:
            # Whoever loads a network without its head has no use for the head's settings.
            head, settings = f"{cls.layer_prefix}certainty/", config["layer_settings"]
            config["layer_settings"] = {p: s for p, s in settings.items() if not p.startswith(head)}
        return super().from_config(config)


def _norm(name):
    return layers.LayerNormalization(epsilon=1e-6, name=name)
