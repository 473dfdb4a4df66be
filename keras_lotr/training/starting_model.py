"""The model that a training starts from: its network, its weights, and which of them are frozen."""

from dataclasses import replace

import keras
import numpy as np

from keras_lotr.backbones.pretrained import load_backbone_weights
from keras_lotr.datasets.detector_boxes import landmarks_in_box
from keras_lotr.lotr import LOTR
from keras_lotr.presets.files import resolve
from keras_lotr.presets.preset import Preprocessor, load_preprocessor
from keras_lotr.presets.weights import load_fitting_weights
from keras_lotr.schemes import SCHEMES, get_scheme
from keras_lotr.training.recipe import can_be_had

_MOST_FACES = 200_000


def start_of(recipe, init):
    """What a training starts from: what the user gives, or else what the recipe names.

    Args:
        recipe: `Recipe`.
        init: as of `train`; `backbone_weights` of the recipe are used without any.

    Returns:
        A preset or a file of weights; None: the backbone's weights, or random ones.

    Raises:
        ValueError: the recipe continues a training whose weights are not here, or freezes layers
            that nobody has trained.
    """
    trained_backbone = recipe.backbone_weights not in (None, "none")
    hint = "Give what to start from: --initial-weights PRESET, or --backbone-weights FILE."
    if init is None and recipe.init is not None and recipe.backbone_weights is None:
        init = recipe.init
        if not can_be_had(init):
            raise ValueError(
                f"The recipe goes on from {init}, which is not among the presets. {hint}"
            )
    frozen = [*recipe.frozen_layers, *(["the whole backbone"] if not recipe.backbone_rate else [])]
    if init is None and not trained_backbone and frozen:
        raise ValueError(
            f"The recipe freezes layers that nobody has trained ({', '.join(frozen)}). {hint}"
        )
    return init


def with_size_of_start(recipe, init):
    """The recipe; one without `image_size` takes that of the preset that it starts from."""
    start = start_of(recipe, init)
    if recipe.image_size is not None or start is None or not is_preset(start):
        return recipe
    preprocessor = load_preprocessor(resolve(start))
    return recipe if preprocessor is None else replace(recipe, image_size=preprocessor.image_size)


def build(recipe, groups, init):
    """The model of the recipe with its starting weights.

    Args:
        recipe: `Recipe`.
        groups: lists or other sequences of `Sample`; the mean shape is that of all, unless `init`
            is a preset of the same landmarks, whose own it keeps.
        init: as of `train`.

    Raises:
        ValueError: see `start_of`, or arguments of the model that cannot be.
    """
    init = start_of(recipe, init)
    if init is not None and is_preset(init):
        preprocessor = load_preprocessor(resolve(init))
        same = preprocessor is not None and preprocessor.scheme == recipe.scheme
        # The same landmarks stay where the preset has them, also those that no face has.
        shape = None if same else mean_shape_of(groups, recipe.margin)
        count = get_scheme(recipe.scheme).num_landmarks
        model = trained_model(recipe, init, num_landmarks=count, mean_shape=shape)
    else:
        model = starting_model(recipe, mean_shape_of(groups, recipe.margin), init)
    part = part_of_face(recipe.scheme, groups)
    model.preprocessor = Preprocessor(
        recipe.scheme, recipe.size, recipe.margin, landmarks_in_box=part
    )
    freeze(model, recipe, init)
    return model


def part_of_face(scheme, groups):
    """The `landmarks_in_box` of a scheme, as the faces of these lists say.

    The detector's boxes are those of the landmarks of `SCHEMES`, and nothing is measured for them.
    """
    if scheme in SCHEMES:
        return None
    return landmarks_in_box(max(groups, key=len))


def is_preset(init):
    """Whether `init` names a preset; else it is a file of weights."""
    return not str(init).endswith(".safetensors")


def trained_model(recipe, init, **settings):
    """The network and the weights of a preset; settings as of `LOTR.from_preset`."""
    # A head that knows the errors of the old weights would not know those of the new ones.
    model = LOTR.from_preset(init, certainty_dim=None, **settings)
    if model.image_size != recipe.size:
        raise ValueError(
            f"Expected a recipe with image_size {model.image_size}, which the network of {init} "
            f"takes. Received: {recipe.size}"
        )
    return model


def starting_model(recipe, mean_shape, init):
    """The recipe's own network, with ImageNet weights or with what fits of a file of weights."""
    try:
        model = LOTR.from_variant(
            recipe.variant, len(mean_shape), recipe.size, mean_shape=mean_shape, **recipe.model
        )
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"Expected a model {recipe.model} of {recipe.size} pixels that can be built: {reason}"
        ) from error
    if init is None and recipe.backbone_weights not in (None, "none"):
        load_backbone_weights(model.backbone, recipe.backbone_weights)
    if init is not None:
        anew = load_fitting_weights(model, init)
        layers = sorted({key.split("/")[0] for key in anew})
        print(f"Start anew: {', '.join(layers) or 'none'}. All else is that of {init}.")
    return model


def freeze(model, recipe, init):
    """Make layers untrainable, and batch norm as slow as the average of the weights.

    Batch norm that nobody has trained is trained: as it starts it normalises nothing.
    """
    if init is None and recipe.backbone_weights in (None, "none"):
        recipe = replace(recipe, freeze_batch_norm=False)
    if recipe.backbone_rate == 0:
        model.backbone.trainable = False  # weight decay has one rate for all weights
    names = [layer.name for layer in model.backbone.layers]
    strange = [b for b in recipe.frozen_layers if not any(name.startswith(b) for name in names)]
    if strange:
        raise ValueError(
            f"Expected frozen_layers as beginnings of names of the backbone's layers, which are "
            f"{', '.join(names[:3])} ... {names[-1]}. Received: {strange}"
        )
    for layer in model.backbone.layers:
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        if layer.name.startswith(tuple(recipe.frozen_layers)) or (
            normalizes and recipe.freeze_batch_norm
        ):
            layer.trainable = False
    if recipe.ema:
        _average_statistics(model, recipe.ema)


def _average_statistics(model, momentum):
    """Average the statistics of batch norm as slowly as the weights: they have to fit each other.

    An epoch's last batches gave a LOTR-M+ whose last weights had 4.6 % one of 5.8 %.
    """
    for layer in [*model.backbone.layers, *model.layers]:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            layer.momentum = momentum


def mean_shape_of(groups, margin):
    """Mean landmarks as fractions of the crop, (N, 2); of each landmark over the faces with it.

    Args:
        groups: lists or other sequences of `Sample`.
        margin: of the crops.
    """
    # More faces do not change the mean, and may be more than memory holds.
    step = -(-sum(map(len, groups)) // _MOST_FACES)
    samples = [sample for group in groups for sample in group[::step]]
    points = np.stack([s.points_image for s in samples])
    never = np.flatnonzero(np.isnan(points).all(axis=(0, 2)))
    if len(never):
        raise ValueError(
            f"Expected each landmark to have a label on some face. {len(never)} of "
            f"{points.shape[1]} have none on any of the {len(samples)} training faces, the first "
            f"is landmark {never[0]}."
        )
    boxes = np.stack([s.box for s in samples])
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = margin * (boxes[:, 2:] - boxes[:, :2]).max(-1)
    return np.nanmean(0.5 + (points - center[:, None]) / side[:, None, None], axis=0)
