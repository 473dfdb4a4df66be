"""AdamW and LAMB with a slower rate for the backbone, which is pre-trained and needs to learn less.

Keras has one learning rate per optimizer; here it is multiplied in the update step. Of its
schedules only the cosine has a warm-up; `WarmUp` gives one to any.
"""

import keras
from keras import ops

from keras_lotr.training.torch_group import mean_gradients

if keras.backend.backend() == "torch":
    from keras_lotr.training.torch_step import AllAtOnce
else:

    class AllAtOnce:
        """Other backends compile the step, so that it does not matter that it has many parts."""


# Scales, offsets and the landmarks' own tables are not pulled towards zero.
_NO_WEIGHT_DECAY = ["bias", "beta", "gamma", "table"]


class _SlowBackbone:
    """What both optimizers add to Keras': two arguments, and the factor in the update step."""

    def __init__(self, *args, backbone_rate=1.0, backbone_paths=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.backbone_rate, self.backbone_paths = backbone_rate, sorted(backbone_paths)
        self.exclude_from_weight_decay(var_names=_NO_WEIGHT_DECAY)

    def build(self, variables):
        slow = set(self.backbone_paths)
        self._rates = [self.backbone_rate if v.path in slow else 1.0 for v in variables]
        super().build(variables)

    def apply(self, grads, trainable_variables=None):
        super().apply(mean_gradients(grads), trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        rate = self._rates[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * rate)

    def get_config(self):
        return {
            **super().get_config(),
            "backbone_rate": self.backbone_rate,
            "backbone_paths": self.backbone_paths,
        }


@keras.saving.register_keras_serializable(package="keras_lotr")
class AdamW(AllAtOnce, _SlowBackbone, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with a rate of its own for some variables.

    Args:
        *args, **kwargs: of `keras.optimizers.AdamW`.
        backbone_rate: learning rate of these variables over that of the others.
        backbone_paths: their paths.

    Example:

    >>> AdamW(1e-3, backbone_rate=0.5, backbone_paths=["conv/kernel"]).get_config()["backbone_rate"]
    0.5
    """


@keras.saving.register_keras_serializable(package="keras_lotr")
class Lamb(_SlowBackbone, keras.optimizers.Lamb):
    """`keras.optimizers.Lamb` with a rate of its own for some variables; arguments as `AdamW`.

    Example:

    >>> Lamb(1e-3, backbone_rate=0.5, backbone_paths=["conv/kernel"]).get_config()["backbone_rate"]
    0.5
    """


@keras.saving.register_keras_serializable(package="keras_lotr")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule whose first steps rise linearly from zero to it.

    Args:
        schedule: Keras' schedule.
        steps: of the rise, at least 1.

    Example:

    >>> steps = keras.optimizers.schedules.PiecewiseConstantDecay([7], [1.0, 0.1])
    >>> [float(WarmUp(steps, 4)(step)) for step in (0, 1, 4, 8)]
    [0.0, 0.25, 1.0, 0.1...]
    """

    def __init__(self, schedule, steps):
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        return self.schedule(step) * ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "steps": self.steps}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["steps"])
