"""The nudged elastic band: a chain whose points descend across it and keep their spacing along it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.landscape.learning import (
    DecayingAdam,
    LearningState,
    compute_mean_loss,
    draw_samples,
    learn_path,
    make_initial_state,
    split_points,
)
from perdure.landscape.path import Chain
from perdure.landscape.surface import Surface
from perdure.ops.params import Params, check_alike, flatten, unflatten

__all__ = ["BandLearner", "BandSettings", "make_band_learner", "relax_band"]


@dataclass(frozen=True)
class BandSettings:
    """How a band is relaxed: Adam, in rounds, whose learning rate falls to zero over the second half of each.

    Args:
        pivots: Points between the ends, at first.
        steps: Steps of Adam in a round; each takes one gradient of each pivot.
        learning_rate: Learning rate of the first half of a round; with high ones the loss rises between pivots.
        batch_size: Samples of one step.
        insertions: Further rounds, each with one more pivot than the one before.

    Raises:
        SettingError: For a value that cannot be used.
    """

    pivots: int = 7
    steps: int = 60
    learning_rate: float = 0.005
    batch_size: int = 128
    insertions: int = 2

    def __post_init__(self) -> None:
        check_counts(pivots=self.pivots, steps=self.steps, batch_size=self.batch_size, insertions=self.insertions + 1)
        if not self.learning_rate > 0:
            raise SettingError(f"learning_rate is {self.learning_rate}", "give a positive number")


def relax_band(
    surface: Surface, first: Params, second: Params, generator: torch.Generator, settings: BandSettings | None = None
) -> Chain:
    """Relax a band between two points.

    Each pivot goes down the part of its gradient that is at right angles to the band. Then all are set back to their
    fractions of its length, as springs of infinite strength would. After each round a pivot is put into the middle of
    that piece whose middle lies highest above its ends, and it keeps this place.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: End of the path.
        generator: Generator of samples.
        settings: Settings of the relaxation; None for the defaults.

    Returns:
        The band; it starts as the straight line.

    Raises:
        ShapeError: If the two ends do not fit.
        NonFiniteError: If a gradient is NaN or infinite.

    Reference:
        draxler2018essentially
    """
    return learn_path(make_band_learner(surface, first, second, settings), generator)


def make_band_learner(
    surface: Surface, first: Params, second: Params, settings: BandSettings | None = None
) -> BandLearner:
    """Make the learner of a band.

    Args:
        surface: Loss surface.
        first: Start of the path.
        second: End of the path.
        settings: Settings of the relaxation; None for the defaults.

    Returns:
        The learner, which can be interrupted and resumed.

    Raises:
        ShapeError: If the two ends do not fit.
    """
    return BandLearner(surface, (first, second), settings or BandSettings())


@dataclass(frozen=True, eq=False)
class BandLearner:
    """Relax a band in rounds, each but the first with one pivot more.

    Args:
        surface: Loss surface.
        ends: Fixed ends of the band.
        settings: Settings of the relaxation.

    Raises:
        ShapeError: If the two ends do not fit.

    Reference:
        draxler2018essentially
    """

    surface: Surface
    ends: tuple[Params, Params]
    settings: BandSettings

    def __post_init__(self) -> None:
        check_alike(*self.ends)

    @property
    def steps(self) -> int:
        """How many steps it takes."""
        return self.settings.steps * (self.settings.insertions + 1)

    @property
    def gradients(self) -> int:
        """How many gradients it takes: one for each pivot and step."""
        return self.settings.steps * sum(self.settings.pivots + k for k in range(self.settings.insertions + 1))

    @property
    def batch_size(self) -> int:
        """Samples of a gradient."""
        return self.settings.batch_size

    def begin(self, generator: torch.Generator) -> LearningState:
        """Space the pivots evenly on the straight line.

        Args:
            generator: Generator of samples, not advanced.

        Returns:
            The state before the first step.
        """
        return make_initial_state(self.ends, self.settings.pivots, generator)

    def advance(self, state: LearningState, until: int) -> LearningState:
        """Continue the current round and later ones.

        Args:
            state: State to continue from; not modified.
            until: Number of steps in all.

        Returns:
            The state there.

        Raises:
            NonFiniteError: If a gradient is NaN or infinite.
        """
        until, a_round = min(until, self.steps), self.settings.steps
        while state.steps < until:
            if state.steps and state.steps % a_round == 0:
                state = self._insert_pivot(state)
            state = self._relax(state, min(until, (state.steps // a_round + 1) * a_round))
        return state

    def path(self, state: LearningState) -> Chain:
        """Return the current band.

        Args:
            state: State of the learning.

        Returns:
            The band; its ends are those that were given.
        """
        return Chain(split_points(state, self.ends))

    def _relax(self, state: LearningState, until: int) -> LearningState:
        """Relax the pivots within the current round."""
        settings, points, generator = self.settings, state.points.clone(), torch.Generator()
        generator.set_state(state.random)
        inner, taken = points[1:-1], state.steps % settings.steps
        learner = DecayingAdam(inner, state.moments, settings.learning_rate, settings.steps, taken)
        for _ in range(state.steps, until):
            subset = draw_samples(self.surface.size, settings.batch_size, generator)
            slopes = [flatten(self.surface.gradient(unflatten(pivot, self.ends[0]), subset)) for pivot in inner]
            learner.step(project_across(torch.stack(slopes), points))
            # Without springs nothing holds pivots apart, and they would slide into the minima at the ends.
            inner.copy_(redistribute(points, state.shares)[1:-1])
        return replace(
            state,
            points=points,
            moments=learner.moments,
            random=generator.get_state(),
            steps=until,
            gradients=state.gradients + len(inner) * (until - state.steps),
            ended=until == self.steps,
        )

    def _insert_pivot(self, state: LearningState) -> LearningState:
        """Insert a pivot in the middle of the piece that is highest there, relative to its ends; Adam restarts."""
        points, shares = state.points, state.shares
        middles = (points[1:] + points[:-1]) / 2
        loss, between = (self._compute_losses(subset) for subset in (points, middles))
        # The height over the mean of both ends finds barriers inside a piece, also where the loss rises along the band.
        k = int((between - (loss[1:] + loss[:-1]) / 2).argmax()) + 1
        middle = (shares[k - 1 : k] + shares[k : k + 1]) / 2
        return replace(
            state,
            points=torch.cat([points[:k], middles[k - 1 : k], points[k:]]),
            shares=torch.cat([shares[:k], middle, shares[k:]]),
            # Moments of the old pivots fit neither the number nor the positions of the new ones.
            moments=points.new_zeros(2, len(points) - 1, points.shape[1]),
            evaluations=state.evaluations + len(loss) + len(between),
        )

    def _compute_losses(self, points: Tensor) -> Tensor:
        result = [compute_mean_loss(self.surface, unflatten(point, self.ends[0])) for point in points]
        return torch.tensor(result, dtype=torch.float64)


def project_across(slopes: Float[Tensor, "pivot weight"], points: Float[Tensor, "point weight"]) -> Tensor:
    """Remove the component of each gradient along a chain, from the previous to the next point.

    Args:
        slopes: Gradient for each point but the ends.
        points: Points of the chain, ends included.

    Returns:
        What is left, at right angles to the chain; all of it where the neighbours of a point are one.
    """
    along = torch.nn.functional.normalize(points[2:] - points[:-2], dim=1)
    return slopes - (slopes * along).sum(1, keepdim=True) * along


def redistribute(points: Float[Tensor, "point weight"], shares: Float[Tensor, " point"]) -> Tensor:
    """Move points to given fractions of the length of the chain through them.

    Args:
        points: Points of the chain.
        shares: Fractions of the length, ascending from 0 to 1.

    Returns:
        Points on the chain, the ends as they are.

    Example:
        >>> redistribute(torch.tensor([[0.0], [3.0], [4.0]]), torch.tensor([0.0, 0.5, 1.0])).flatten().tolist()
        [0.0, 2.0, 4.0]
    """
    steps = (points[1:] - points[:-1]).norm(dim=1).double()
    ends = steps.cumsum(0)
    done = shares.to(ends) * ends[-1]
    piece = torch.searchsorted(ends, done).clamp_max(len(steps) - 1)
    # Clamped, as two points may coincide and their piece has no length.
    part = 1 - (ends[piece] - done) / steps[piece].clamp_min(torch.finfo(steps.dtype).tiny)
    moved = torch.lerp(points[piece], points[piece + 1], part.clamp(0, 1)[:, None].to(points))
    return torch.cat([points[:1], moved[1:-1], points[-1:]])
