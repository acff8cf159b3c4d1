"""Adam that can be put down and taken up: it goes on as if it had never stopped."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SlowingAdam", "moments_of", "restored"]


def restored(
    weights: Float[Tensor, "*some"], moments: Float[Tensor, "2 *some"], taken: int, learning_rate: float = 1e-3
) -> torch.optim.Adam:
    """Make an Adam that has taken steps.

    Args:
        weights: what it moves, in place.
        moments: running means of gradient and squared gradient, zero before the first step; not written to.
        taken: how many steps it has taken.
        learning_rate: of its next step.

    Returns:
        The optimiser.
    """
    adam = torch.optim.Adam([weights], learning_rate)
    mean, square = moments.clone().unbind()
    known = {"step": torch.tensor(float(taken)), "exp_avg": mean, "exp_avg_sq": square}
    adam.load_state_dict({**adam.state_dict(), "state": {0: known}})
    return adam


def moments_of(adam: torch.optim.Adam, weights: Float[Tensor, "*some"]) -> Float[Tensor, "2 *some"]:
    """Copy what an Adam remembers.

    Args:
        adam: the optimiser.
        weights: what it moves.

    Returns:
        Running means of gradient and squared gradient.
    """
    known = adam.state[weights]
    return torch.stack([known["exp_avg"], known["exp_avg_sq"]])


class SlowingAdam:
    """An Adam whose learning rate falls to zero over the second half of its steps, taken up where a state left it.

    Args:
        weights: what it moves, in place.
        moments: means of gradient and squared gradient before its next step; not written to.
        learning_rate: of the first half.
        steps: how many it takes in all.
        taken: how many it has taken.

    Example:
        >>> weights = torch.zeros(1)
        >>> learner = SlowingAdam(weights, torch.zeros(2, 1), learning_rate=1.0, steps=2)
        >>> learner.step(torch.ones(1)), round(weights.item(), 4)
        (None, -1.0)
        >>> [round(moment.item(), 4) for moment in learner.moments]
        [0.1, 0.001]
    """

    def __init__(self, weights: Tensor, moments: Tensor, learning_rate: float, steps: int, taken: int = 0) -> None:
        self._weights, self._rate, self._steps, self._taken = weights, learning_rate, steps, taken
        self._adam = restored(weights, moments, taken, learning_rate)

    @property
    def moments(self) -> Tensor:
        """Copy the means of gradient and squared gradient."""
        return moments_of(self._adam, self._weights)

    def step(self, slopes: Tensor) -> None:
        """Take a step.

        Args:
            slopes: the gradient, shaped like the weights.
        """
        self._adam.param_groups[0]["lr"] = self._rate * min(1.0, 2 - 2 * self._taken / self._steps)
        self._weights.grad = slopes
        self._adam.step()
        self._taken += 1
