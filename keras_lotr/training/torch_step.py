"""The step of an optimizer on PyTorch, for all weights at once.

Keras does so for its own optimizers only, and takes the weights of a subclass one by one: half of
the time of a step of LOTR-M with small batches.
"""

import torch


class AllAtOnce:
    """What an optimizer with `_rates` overrides of `keras.optimizers.AdamW`."""

    def _clip_gradients(self, grads):
        return clipped(grads, self.clipnorm) if self.clipnorm else super()._clip_gradients(grads)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        if self.amsgrad:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        rates = [self._rates[self._get_variable_index(v)] for v in trainable_variables]
        adam_step(self, grads, trainable_variables, rates, learning_rate)

    def _update_model_variables_moving_average(self, trainable_variables):
        if not self.use_ema:
            return
        pairs = zip(self._model_variables_moving_average, trainable_variables, strict=True)
        averages, variables = zip(*(pair for pair in pairs if pair[0] is not None), strict=True)
        move_averages(averages, variables, self.ema_momentum, self.iterations)


@torch.no_grad()
def clipped(gradients, norm):
    """Gradients, each no longer than `norm`."""
    lengths = torch.stack(torch._foreach_norm(gradients))
    factors = norm / lengths.clamp(min=norm)
    return torch._foreach_mul(gradients, list(factors.unbind()))


@torch.no_grad()
def adam_step(optimizer, gradients, variables, rates, learning_rate):
    """Algorithm 1 of Kingma and Ba (ICLR 2015), in its efficient order, on weights in place.

    Args:
        optimizer: `keras.optimizers.AdamW`, whose moments are moved, too.
        gradients, variables: of the same order.
        rates: of each variable, what its learning rate is multiplied by.
        learning_rate: 0-dimensional tensor.
    """
    step = optimizer.iterations.value + 1
    corrected = (1 - optimizer.beta_2**step) ** 0.5 / (1 - optimizer.beta_1**step)
    for rate in sorted(set(rates)):
        of_rate = [i for i, other in enumerate(rates) if other == rate]
        weights = [variables[i].value for i in of_rate]
        indices = [optimizer._get_variable_index(variables[i]) for i in of_rate]
        slopes = [gradients[i] for i in of_rate]
        means = [optimizer._momentums[i].value for i in indices]
        squares = [optimizer._velocities[i].value for i in indices]
        torch._foreach_lerp_(means, slopes, 1 - optimizer.beta_1)
        torch._foreach_lerp_(squares, torch._foreach_mul(slopes, slopes), 1 - optimizer.beta_2)
        divisors = torch._foreach_add(torch._foreach_sqrt(squares), optimizer.epsilon)
        moves = torch._foreach_div(means, divisors)
        torch._foreach_sub_(weights, torch._foreach_mul(moves, learning_rate * rate * corrected))


@torch.no_grad()
def move_averages(averages, variables, momentum, iterations):
    """Moving averages of weights, which are the weights after the first step."""
    momentum = momentum * (iterations.value != 0)
    averages, weights = [a.value for a in averages], [v.value for v in variables]
    torch._foreach_mul_(averages, momentum)
    torch._foreach_add_(averages, torch._foreach_mul(weights, 1 - momentum))
