"""State: a hidden state decides which of two features determines the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from perdure.core.check import check_choice
from perdure.data._switching import Chain, Switching

__all__ = ["State"]

STAY, DWELL, ENTER = 0.95, 500, 0.05
STEPS = 200


@dataclass(frozen=True)
class State(Switching):
    r"""Series of 200 steps and 3 features from two hidden states; the second or the third feature decides.

    .. math:: P(s_t = 1 \mid s_{t-1} = 1) = 0.95 - d / 500, \quad P(s_t = 1 \mid s_{t-1} = 0) = 0.05, \quad
        P(y_t = 1) = \sigma(2 x_{t, 1 + s_t})

    with d the number of steps since the last change. Features are normal with variance 0.801, mean (0.1, 1.6, 0.5) in
    state 0 and (-0.1, -0.4, -1.5) in state 1.

    With all steps as task a third of the elements are true and 57 % of the labels are positive; a predictor that is
    given the states is right for 90.7 % of the steps. `ideal` infers them from past steps, and `measure_facts` returns
    prevalence, base rate and the accuracy of `ideal`.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        task: "last" predicts the label of the last step, which one element determines: the deciding feature there.
            "steps" predicts the labels of all steps, and the deciding feature of every step is true, as in the tables
            of Dynamask and later papers. "changes" also predicts all steps, and only the first step and steps where
            the state changes are true, as in the paper that introduced the data.
        as_published: None for the data of the published code; "paper" for the law that later papers print: each state
            is followed by state 1 with probability 0.9, the logistic function has no factor 2, and the correlated
            features are the last two in state 0 and the first two in state 1.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        tonekaboni2020what

    Example:
        >>> splits = State(train=2, validation=1, test=1, task="steps").load(0)
        >>> splits.train.inputs.shape, splits.train.label.shape, splits.train.truth.sum((1, 2)).tolist()
        (torch.Size([2, 200, 3]), torch.Size([2, 200]), [200, 200])
    """

    as_published: Literal["paper"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("as_published", self.as_published, ("paper", None))

    @property
    def steps(self) -> int:
        """Number of steps of a series."""
        return STEPS

    def chain(self) -> Chain:
        """Return the law of the data.

        Returns:
            Node 0 is state 0; the others are state 1, after 0, 1, ... steps without a change.
        """
        printed = self.as_published == "paper"
        stay = torch.full((STEPS + 1,), 0.9) if printed else STAY - torch.arange(STEPS + 1) / DWELL
        enter = 0.9 if printed else ENTER
        transition = torch.zeros(STEPS + 2, STEPS + 2, dtype=torch.float64)
        transition[0, 0], transition[0, 1] = 1 - enter, enter
        transition[1:, 0] = 1 - stay
        transition[torch.arange(1, STEPS + 2), torch.arange(2, STEPS + 3).clamp_max(STEPS + 1)] = stay.double()
        before = torch.zeros(STEPS + 2, dtype=torch.float64)
        before[:2] = 0.5
        pairs = ((1, 2), (0, 1)) if printed else ((0, 1), (0, 2))
        covariance = 0.801 * torch.eye(3, dtype=torch.float64).repeat(2, 1, 1)
        for entry, (first, second) in zip(covariance, pairs, strict=True):
            entry[first, second] = entry[second, first] = 0.01
        return Chain(
            start=before @ transition,
            transition=transition,
            state=(torch.arange(STEPS + 2) > 0).long(),
            mean=torch.tensor([[0.1, 1.6, 0.5], [-0.1, -0.4, -1.5]], dtype=torch.float64),
            covariance=covariance,
            deciding=torch.tensor([1, 2]),
            gain=1.0 if printed else 2.0,
        )
