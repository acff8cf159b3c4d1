"""Series of a hidden Markov chain whose state decides which feature determines the label of a step."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.data._generated import Generated, draw_normal, draw_uniform

__all__ = ["Chain", "Switching", "Task"]

Task = Literal["last", "steps", "changes"]
"""What is predicted and what is true: see `Switching`."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The law of a dataset.

    Args:
        start: Probability of each node at the first step.
        transition: Probability of each next node, by the present one.
        state: State of each node; several nodes of one state differ in the time spent there.
        mean: Mean of the features in each state.
        covariance: Covariance of the features in each state.
        deciding: Feature that determines the label in each state.
        gain: Factor of this feature in the log-odds of the label.
    """

    start: Float[Tensor, " node"]
    transition: Float[Tensor, "node node"]
    state: Int[Tensor, " node"]
    mean: Float[Tensor, "state feature"]
    covariance: Float[Tensor, "state feature feature"]
    deciding: Int[Tensor, " state"]
    gain: float


@dataclass(frozen=True)
class Switching(Generated):
    """Settings that the datasets of a hidden Markov chain share.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        task: "last" predicts the label of the last step, which one element determines: the deciding feature there.
            "steps" predicts the labels of all steps; the deciding feature of every step is true, as in published
            tables, which explain the sum of all outputs. "changes" also predicts all steps, and only the first step
            and steps where the state changes are true.

    Raises:
        SettingError: For a setting out of range.
    """

    task: Task = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("task", self.task, get_args(Task))

    @property
    @abstractmethod
    def steps(self) -> int:
        """Number of steps of a series."""

    @abstractmethod
    def chain(self) -> Chain:
        """Return the law of the data."""

    def draw(self, seeds: Int[Tensor, " sample"]) -> Batch:
        """Draw samples.

        Args:
            seeds: Seed of each sample.

        Returns:
            Series with labels and truth as the task demands.
        """
        chain = self.chain()
        state = self.draw_states(seeds)
        factor = torch.linalg.cholesky(chain.covariance)[state]
        noise = draw_normal(seeds, "noise", self.steps, chain.mean.shape[1])
        x = chain.mean[state] + (factor @ noise[..., None])[..., 0]
        feature = chain.deciding[state][..., None]
        positive = torch.sigmoid(chain.gain * x.gather(2, feature)[..., 0])
        label = (draw_uniform(seeds, "label", self.steps) < positive).long()
        truth = torch.zeros(x.shape, dtype=torch.bool).scatter_(2, feature, True)
        return Batch(x.float(), label[:, -1] if self.task == "last" else label, truth=truth & self._mark_steps(state))

    def draw_states(self, seeds: Int[Tensor, " sample"]) -> Int[Tensor, "sample time"]:
        """Draw the hidden states of samples.

        Args:
            seeds: Seed of each sample, as for `draw`.

        Returns:
            The state at each step.
        """
        chain = self.chain()
        below, last = chain.transition.cumsum(1), len(chain.start) - 1
        draws = draw_uniform(seeds, "state", self.steps)
        node = (draws[:, :1] >= chain.start.cumsum(0)).sum(1).clamp_max(last)
        nodes = [node]
        for draw in draws[:, 1:].T:
            node = (draw[:, None] >= below[node]).sum(1).clamp_max(last)
            nodes.append(node)
        return chain.state[torch.stack(nodes, 1)]

    def ideal(self) -> nn.Module:
        """Make the predictor of the labels that has the law of the data and infers the state from past steps.

        Returns:
            A model with the logits of both classes, of the last step or of every step as the task demands.
        """
        return _Filter(self.chain(), self.task == "last")

    def _mark_steps(self, state: Tensor) -> Tensor:
        """Mark the steps whose deciding feature is true."""
        marked = torch.ones_like(state, dtype=torch.bool)
        if self.task == "last":
            marked[:, :-1] = False
        if self.task == "changes":
            marked[:, 1:] = state[:, 1:] != state[:, :-1]
        return marked[..., None]


class _Filter(nn.Module):
    """The probability of the label of each step, given this and earlier steps."""

    def __init__(self, chain: Chain, last: bool) -> None:
        super().__init__()
        self._chain, self._last = chain, last

    def forward(self, x: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch *step class"]:
        """Return the logits of both classes: log-probabilities."""
        chain = self._chain
        wide = x.double()
        law = torch.distributions.MultivariateNormal(chain.mean, chain.covariance)
        density = law.log_prob(wide[:, :, None])
        likelihood = (density - density.amax(2, keepdim=True)).exp()[..., chain.state]
        onto = torch.nn.functional.one_hot(chain.state, len(chain.mean)).double()
        weight, posterior = chain.start.expand(len(x), -1), []
        for step in likelihood.unbind(1):
            weight = weight * step
            weight = weight / weight.sum(1, keepdim=True)
            posterior.append(weight @ onto)
            weight = weight @ chain.transition
        logit = chain.gain * wide[..., chain.deciding]
        both = torch.stack([torch.sigmoid(-logit), torch.sigmoid(logit)], -1)
        mixed = (torch.stack(posterior, 1)[..., None] * both).sum(2)
        result = mixed.clamp_min(torch.finfo(torch.float64).tiny).log().to(x.dtype)
        return result[:, -1] if self._last else result
