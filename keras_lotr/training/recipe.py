"""Recipes: what a training is made of, as a JSON file that travels with the preset."""

import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import keras
import numpy as np

from keras_lotr.arguments import arguments_of, with_current_names
from keras_lotr.datasets.augmentation import Augmentation
from keras_lotr.losses import SmoothWing
from keras_lotr.lotr import LOTR
from keras_lotr.number_checks import real, whole
from keras_lotr.presets.files import read_json
from keras_lotr.presets.hub import PREFIX
from keras_lotr.presets.preset import CONFIG, PREPROCESSOR, RECIPE, resolve
from keras_lotr.schemes import get_scheme, named_scheme
from keras_lotr.training import optimizers
from keras_lotr.training.group_recipe import GroupRecipe, is_list_of_names
from keras_lotr.variants import VARIANTS

# Arguments of `LOTR` that are not a recipe's `model`.
_NOT_OF_MODEL = {"backbone", "num_landmarks", "mean_shape", "name", "certainty_dim"}

# What each number is, the least that it can be, and what it must stay below.
_TINY = 1e-12
_NUMBERS = {
    **dict.fromkeys(
        ("image_size", "batch_size", "epochs", "samples_per_epoch"), (int, 1, math.inf)
    ),
    "warmup_steps": (int, 0, math.inf),
    "seed": (int, 0, 2**32),  # what NumPy's and Keras' generators take
    **dict.fromkeys(("margin", "learning_rate", "clipnorm"), (int | float, _TINY, math.inf)),
    **dict.fromkeys(
        ("backbone_rate", "weight_decay", "opening_weight"), (int | float, 0, math.inf)
    ),
    "ema": (int | float, 0, 1),
}
_KINDS = {
    **dict.fromkeys(("init", "backbone_weights"), (str | None, "a text or null")),
    "freeze_batch_norm": (bool, "true or false"),
    "detector_boxes": (bool | None, "true, false or null"),
    "frozen_layers": (list, "a list of texts"),
    "mixture": (list, "a list of groups"),
}


@dataclass(frozen=True)
class Recipe:
    """All that a training is made of but the data; `recipe.json` of a preset.

    Attributes:
        variant: of the paper's Table 1, see `keras_lotr.variants.VARIANTS`.
        scheme: name of the landmark scheme, or what `LandmarkScheme.to_config` says of one's own.
        image_size: side of the crop; None: that of the preset that the training starts from, or
            else the variant's.
        margin: of the preprocessor.
        model: further arguments of `LOTR`.
        init: what the training starts from if not told: a preset. Words that name none say what it
            was ("the sixth stage of lotr_m_68"); training then asks what to start from.
        backbone_weights: ImageNet start, see `load_backbone_weights`; None or "none": random
            weights.
        frozen_layers: beginnings of names of backbone layers that are not trained.
        freeze_batch_norm: keep the backbone's batch norm as pre-trained (faster on a CPU); that of
            a backbone that nobody has trained is trained.
        optimizer: "adamw", or "lamb" as in the paper.
        learning_rate: peak; warm-up rises to it, the schedule leads down from it.
        schedule: "cosine" to zero, or "steps": x 0.1 after 50 % and 75 %, as in the paper.
        warmup_steps: steps of the linear rise.
        backbone_rate: the backbone's learning rate over that of the rest; 0 freezes it.
        weight_decay, clipnorm: of the optimizer.
        opening_weight: of `opening_loss` of eyes and mouth, beside the smooth-Wing loss.
        ema: momentum of the moving average of the weights that is evaluated and kept; 0: none.
        batch_size, epochs: as usual.
        samples_per_epoch: None: as many as the first data folder has, times the folders.
        augmentation: fields of `Augmentation`.
        detector_boxes: half of the crops are made with the boxes of the built-in detector (where
            it finds the face), not with those of the data set. None: only if the landmarks cover a
            part of the face (`Preprocessor.landmarks_in_box`).
        dtype: "mixed_bfloat16" computes in 16 bits and keeps weights in 32, for GPUs since Ampere
            and TPUs; None: Keras' own.
        seed: of weights and data.
        mixture: groups of faces with landmarks of their own that are trained together, fields of
            `GroupRecipe`; empty: one scheme, the recipe's.
        notes: what one should know of this recipe; carried along.
    """

    variant: str = "lotr_m"
    scheme: str = "ibug68"
    image_size: int | None = None
    margin: float = 1.3
    model: dict = field(default_factory=dict)
    init: str | None = None
    backbone_weights: str | None = None
    frozen_layers: list = field(default_factory=list)
    freeze_batch_norm: bool = True
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup_steps: int = 100
    backbone_rate: float = 0.5
    weight_decay: float = 1e-4
    clipnorm: float = 10.0
    opening_weight: float = 0.0
    ema: float = 0.998
    batch_size: int = 16
    epochs: int = 100
    samples_per_epoch: int | None = None
    augmentation: dict = field(default_factory=dict)
    detector_boxes: bool | None = None
    dtype: str | None = None
    seed: int = 0
    mixture: list = field(default_factory=list)
    notes: str = ""

    @classmethod
    def load(cls, preset):
        """The recipe in a JSON file, or that of a preset.

        Raises:
            ValueError: unknown keys or values, naming the known ones.
        """
        if str(preset).endswith(".json"):
            path = Path(preset)
            if not path.is_file():
                raise FileNotFoundError(f"Expected a recipe. There is no {path}.")
        else:
            path = resolve(preset).path(RECIPE)
            if path is None:
                raise ValueError(f"The preset {preset} has no {RECIPE}.")
        entries = read_json(path)
        if not isinstance(entries, dict):
            raise ValueError(f"Expected a recipe as an object in {path}. Received: {entries!r}")
        known = [f.name for f in fields(cls)]
        unknown = sorted(set(entries) - set(known))
        if unknown:
            raise ValueError(f"{path} has unknown keys {unknown}; known are {known}.")
        recipe = cls(**entries)
        if str(preset).startswith("hf://"):
            recipe._check_stranger(preset)
        return recipe

    @classmethod
    def of_own_faces(cls, preset):
        """A preset's recipe for one data set of one's own.

        Of a mixture it is the group with the preset's landmarks alone, which starts as that group
        did, and not the other groups, whose data sets nobody else has.

        Raises:
            ValueError: as of `load`.
        """
        recipe = cls.load(preset)
        scheme = (resolve(preset).json(PREPROCESSOR) or {}).get("scheme")
        for group in recipe.groups:
            if scheme is not None and group.scheme == named_scheme(scheme):
                init = group.tables or recipe.init
                return replace(recipe, mixture=[], scheme=group.scheme, init=init)
        return recipe

    def _check_stranger(self, preset):
        """A recipe from the Hub is not to read files of this computer."""
        for key, value in [
            ("backbone_weights", self.backbone_weights),
            ("init", self.init if self.init and Path(self.init).exists() else None),
            *(("tables", group.tables) for group in self.groups),
        ]:
            if not str(value or "hf://").startswith("hf://"):
                raise ValueError(
                    f"Expected {key} hf://... in the recipe of {preset}, which is not to "
                    f"read files of this computer. Received: {value!r}"
                )

    def __post_init__(self):
        for name, choices in (
            ("variant", list(VARIANTS)),
            ("optimizer", ["adamw", "lamb"]),
            ("schedule", ["cosine", "steps"]),
            # mixed_float16 would need its loss scaled.
            ("dtype", [None, "float32", "mixed_bfloat16"]),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"Expected {name} of {choices}. Received: {getattr(self, name)!r}")
        object.__setattr__(self, "scheme", named_scheme(self.scheme))
        for name, (kind, what) in _KINDS.items():
            value = getattr(self, name)
            texts = name != "frozen_layers" or is_list_of_names(value)
            if not isinstance(value, kind) or not texts:
                raise ValueError(f"Expected {name} as {what}. Received: {value!r}")
        for name, (kind, least, below) in _NUMBERS.items():
            self._check_number(name, kind, least, below)
        known = set(arguments_of(LOTR)) - _NOT_OF_MODEL
        if isinstance(self.model, dict):
            object.__setattr__(self, "model", with_current_names(LOTR, self.model))
        _check_keys("model", self.model, known)
        _check_keys("augmentation", self.augmentation, Augmentation.__dataclass_fields__)
        Augmentation(**self.augmentation)  # refuses values that cannot be
        for name in ("model", "augmentation"):
            own = {key: _of_python(value) for key, value in getattr(self, name).items()}
            object.__setattr__(self, name, own)
        names = [group.name for group in self.groups]
        if len(set(names)) < len(names):
            raise ValueError(f"Expected groups of different names in a mixture. Received: {names}")
        if names and not any(group.val_weight for group in self.groups):
            raise ValueError(
                "Expected a val_weight above 0 in at least one group of a mixture, or no weights "
                "would be the best."
            )

    def _check_number(self, name, kind, least, below):
        value = getattr(self, name)
        if value is None and Recipe.__dataclass_fields__[name].default is None:
            return
        number = whole(value) if kind is int else _of_python(value)
        if real(number) is None or not least <= number < below:
            what = "a whole number" if kind is int else "a number"
            raise ValueError(
                f"Expected {name} as {what} of at least {least:g}"
                + (f" and below {below}" if below < math.inf else "")
                + f". Received: {value!r}"
            )
        object.__setattr__(self, name, number)

    @property
    def groups(self):
        """The mixture as a list of `GroupRecipe`."""
        return [GroupRecipe.from_dict(entry) for entry in self.mixture]

    @property
    def size(self):
        """Side of the crop in pixels."""
        return self.image_size or VARIANTS[self.variant][1]

    def optimizer_for(self, model, steps):
        """The Keras optimizer of a training of so many steps."""
        kind = {"adamw": optimizers.AdamW, "lamb": optimizers.Lamb}[self.optimizer]
        return kind(
            self.schedule_of(steps),
            weight_decay=self.weight_decay,
            clipnorm=self.clipnorm,
            use_ema=self.ema > 0,
            ema_momentum=self.ema or 0.99,
            name="optimizer",
            backbone_rate=self.backbone_rate,
            backbone_paths=[v.path for v in model.backbone.trainable_variables],
        )

    def loss_for(self, scheme):
        """The loss for the landmarks of a scheme."""
        if not self.opening_weight:
            return SmoothWing()
        openings = get_scheme(scheme).openings
        return SmoothWing(openings=openings, opening_weight=self.opening_weight)

    def schedule_of(self, steps):
        """The learning rate of each step of a training of so many, a Keras schedule."""
        rest = max(1, steps - self.warmup_steps)
        if self.schedule == "cosine":
            return keras.optimizers.schedules.CosineDecay(
                0.0, rest, warmup_target=self.learning_rate, warmup_steps=self.warmup_steps
            )
        # Keras leaves a rate only after the step of this number, counted from 0.
        bounds = [math.ceil(steps * part) - 1 for part in (0.5, 0.75)]
        rates = [self.learning_rate * factor for factor in (1, 0.1, 0.01)]
        schedule = keras.optimizers.schedules.PiecewiseConstantDecay(bounds, rates)
        return optimizers.WarmUp(schedule, self.warmup_steps) if self.warmup_steps else schedule


def can_be_had(init):
    """Whether what a recipe starts from is a preset that can be loaded, not words about one."""
    if init.startswith(PREFIX):
        return True
    try:
        return resolve(init).path(CONFIG) is not None
    except ValueError:
        return False


def _of_python(value):
    """NumPy's numbers as Python's, which JSON can hold; anything else as it is."""
    if isinstance(value, np.number) and np.ndim(value) == 0:
        return value.item()
    return value


def _check_keys(name, entries, known):
    if not isinstance(entries, dict):
        raise ValueError(f"Expected {name} as an object. Received: {entries!r}")
    unknown = sorted(set(entries) - set(known))
    if unknown:
        raise ValueError(f"{name} has unknown keys {unknown}; known are {sorted(known)}.")
