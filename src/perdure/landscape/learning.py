"""Learn a path in steps that can be stored, interrupted and resumed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path as File
from typing import Any, Protocol, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.errors import PartError
from perdure.landscape.path import Path
from perdure.landscape.storage import REMEDY, TimedState, load_tensors, resume_search, run_in_chunks, save_tensors
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, flatten, interpolate, unflatten

__all__ = [
    "DecayingAdam",
    "Learner",
    "LearningState",
    "compute_mean_loss",
    "copy_moments",
    "draw_samples",
    "learn_in_chunks",
    "learn_path",
    "load_learning",
    "make_initial_state",
    "restore_adam",
    "save_learning",
    "split_points",
]


def restore_adam(
    weights: Float[Tensor, "*some"], moments: Float[Tensor, "2 *some"], taken: int, learning_rate: float = 1e-3
) -> torch.optim.Adam:
    """Make an Adam that has taken steps.

    Args:
        weights: Weights, updated in place.
        moments: Running means of gradient and squared gradient, zero before the first step; not written to.
        taken: Number of steps so far.
        learning_rate: Learning rate of the next step.

    Returns:
        The optimiser.
    """
    adam = torch.optim.Adam([weights], learning_rate)
    mean, square = moments.clone().unbind()
    known = {"step": torch.tensor(float(taken)), "exp_avg": mean, "exp_avg_sq": square}
    adam.load_state_dict({**adam.state_dict(), "state": {0: known}})
    return adam


def copy_moments(adam: torch.optim.Adam, weights: Float[Tensor, "*some"]) -> Float[Tensor, "2 *some"]:
    """Copy the moments of an Adam.

    Args:
        adam: Optimiser.
        weights: Weights of the optimiser.

    Returns:
        Running means of gradient and squared gradient.
    """
    known = adam.state[weights]
    return torch.stack([known["exp_avg"], known["exp_avg_sq"]])


class DecayingAdam:
    """An Adam whose learning rate falls to zero over the second half of its steps, resumed from a stored state.

    Args:
        weights: Weights, updated in place.
        moments: Means of gradient and squared gradient before its next step; not written to.
        learning_rate: Learning rate of the first half.
        steps: Number of steps in all.
        taken: Number of steps so far.

    Example:
        >>> weights = torch.zeros(1)
        >>> learner = DecayingAdam(weights, torch.zeros(2, 1), learning_rate=1.0, steps=2)
        >>> learner.step(torch.ones(1)), round(weights.item(), 4)
        (None, -1.0)
        >>> [round(moment.item(), 4) for moment in learner.moments]
        [0.1, 0.001]
    """

    def __init__(self, weights: Tensor, moments: Tensor, learning_rate: float, steps: int, taken: int = 0) -> None:
        self._weights, self._rate, self._steps, self._taken = weights, learning_rate, steps, taken
        self._adam = restore_adam(weights, moments, taken, learning_rate)

    @property
    def moments(self) -> Tensor:
        """Copy the means of gradient and squared gradient."""
        return copy_moments(self._adam, self._weights)

    def step(self, slopes: Tensor) -> None:
        """Take a step.

        Args:
            slopes: Gradient, shaped like the weights.
        """
        self._adam.param_groups[0]["lr"] = self._rate * min(1.0, 2 - 2 * self._taken / self._steps)
        self._weights.grad = slopes
        self._adam.step()
        self._taken += 1


@dataclass(frozen=True, eq=False)
class LearningState:
    """State of the learning of a curve: all that its next step depends on.

    Args:
        points: Weights of first end, points between and second end, each in one row.
        shares: Fraction of the path at each point.
        moments: Running means of gradient and squared gradient that Adam has of the points between.
        random: State of the generator.
        level: Learning ends once the loss is no higher; minus infinity never ends it early.
        steps: Number of steps so far.
        evaluations: Number of losses computed.
        gradients: Number of gradients computed.
        ended: Whether no step is left.
    """

    points: Float[Tensor, "point weight"]
    shares: Float[Tensor, " point"]
    moments: Float[Tensor, "2 between weight"]
    random: Int[Tensor, " byte"]
    level: float = -math.inf
    steps: int = 0
    evaluations: int = 0
    gradients: int = 0
    ended: bool = False


Curve = TypeVar("Curve", bound=Path, covariant=True)


class Learner(Protocol[Curve]):
    """A way to learn a curve, which can be cut between any two steps."""

    @property
    def steps(self) -> int:
        """How many steps it takes, at most."""
        ...

    @property
    def gradients(self) -> int:
        """How many gradients it takes, at most."""
        ...

    @property
    def batch_size(self) -> int:
        """Samples of a gradient."""
        ...

    @property
    def surface(self) -> Surface:
        """What the curve is laid over."""
        ...

    def begin(self, generator: torch.Generator) -> LearningState:
        """Return the state before the first step, with a copy of the state of the generator."""
        ...

    def advance(self, state: LearningState, until: int) -> LearningState:
        """Continue from a state, which is not modified, until a number of steps in all."""
        ...

    def path(self, state: LearningState) -> Curve:
        """Return the current curve."""
        ...


def learn_path(learner: Learner[Curve], generator: torch.Generator) -> Curve:
    """Learn a curve in one go.

    Args:
        learner: Learner of the curve.
        generator: Generator of draws, advanced by them.

    Returns:
        The curve.
    """
    state = learner.advance(learner.begin(generator), learner.steps)
    generator.set_state(state.random)
    return learner.path(state)


def make_initial_state(ends: tuple[Params, Params], between: int, generator: torch.Generator) -> LearningState:
    """Return the state before the first step: points evenly on the straight line.

    Args:
        ends: Ends of the curve.
        between: Number of points between them.
        generator: Generator of draws, not advanced.

    Returns:
        The state with zero moments.
    """
    inner = (interpolate(*ends, k / (between + 1)) for k in range(1, between + 1))
    points = torch.stack([flatten(point) for point in (ends[0], *inner, ends[1])])
    shares = torch.linspace(0, 1, len(points), dtype=torch.float64)
    return LearningState(points, shares, points.new_zeros(2, *points[1:-1].shape), generator.get_state())


def split_points(state: LearningState, ends: tuple[Params, Params]) -> tuple[Params, ...]:
    """Cut the points of a state into weights.

    Args:
        state: State of a learning.
        ends: Ends of the curve, returned unchanged.

    Returns:
        The points, ends included.
    """
    return (ends[0], *(unflatten(point, ends[0]) for point in state.points[1:-1]), ends[1])


def draw_samples(size: int, count: int, generator: torch.Generator) -> Tensor | None:
    """Draw samples without repetition.

    Args:
        size: Number of samples or units.
        count: Number of samples to draw.
        generator: Generator of the draw.

    Returns:
        Their positions; None when all are taken.
    """
    return None if count >= size else torch.randperm(size, generator=generator)[:count]


def compute_mean_loss(surface: Surface, point: Params) -> float:
    """Average the loss of all samples at a point.

    Args:
        surface: Loss surface.
        point: Weights.

    Returns:
        The mean.
    """
    return float(surface.losses(point).double().mean())


_TENSORS = ("points", "shares", "moments", "random")

Report = Callable[[LearningState], None]
"""Callback that gets the state of the learning."""


def save_learning(file: File, kept: TimedState[LearningState]) -> None:
    """Store a learning in the place of what was there.

    Args:
        file: A .safetensors file, which then is whole.
        kept: State with its time.

    Raises:
        RunFolderError: If the system cannot write.
    """
    state = asdict(kept.state)
    tensors = {name: state.pop(name).cpu() for name in _TENSORS}
    save_tensors(file, tensors, {"seconds": kept.seconds, "learned": state})


def load_learning(file: File) -> TimedState[LearningState] | None:
    """Load what `save_learning` stored, to the bit.

    Args:
        file: The .safetensors file.

    Returns:
        It, or None where there is none.

    Raises:
        PartError: If the file is damaged.
    """
    if not file.exists():
        return None
    tensors, about = load_tensors(file)
    try:
        values: dict[str, Any] = {name: tensors[name].clone() for name in _TENSORS}  # sums can depend on the alignment
        return TimedState(LearningState(**values, **about["learned"]), about["seconds"])
    except (KeyError, TypeError) as error:
        raise PartError(f"{file} holds no learning of a curve: {error}", REMEDY) from error


def learn_in_chunks(
    learner: Learner[Path], generator: torch.Generator, file: File, report: Report
) -> TimedState[LearningState]:
    """Learn a curve and store it every few seconds; a stored learning is resumed, with the same result.

    Args:
        learner: Learner of the curve.
        generator: Generator of draws of one that begins, not advanced.
        file: File of this learning alone.
        report: Callback after each chunk.

    Returns:
        The learning at its end.

    Raises:
        NonFiniteError: If a gradient is NaN or infinite.
    """

    def keep(kept: TimedState[LearningState]) -> None:
        save_learning(file, kept)
        report(kept.state)

    return run_in_chunks(
        resume_search(lambda: load_learning(file), file) or TimedState(learner.begin(generator)),
        lambda kept: kept.state.ended,
        lambda kept, steps: learner.advance(kept.state, kept.state.steps + steps),
        keep,
    )
