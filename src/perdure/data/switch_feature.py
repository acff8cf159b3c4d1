"""Switch-Feature: each of three hidden states makes another feature determine the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from perdure.core.check import check_choice
from perdure.data._switching import Chain, Switching

__all__ = ["SwitchFeature"]


@dataclass(frozen=True)
class SwitchFeature(Switching):
    r"""Series of 100 steps and 3 features from three hidden states; feature s decides in state s.

    .. math:: P(y_t = 1) = \sigma(3 x_{t, s_t})

    A state is kept with probability 0.95. Features are independent and normal with variance 0.1 and mean
    (0.8, -0.5, -0.2), (0, -1, 0) or (-0.2, -0.2, 0.8). The published Gaussian process has a length scale of 0.2 at
    steps of 1, so that its correlation at the next step is 4e-6: it is this white noise.

    With all steps as task a third of the elements are true and 66 % of the labels are positive; a predictor that is
    given the states is right for 90.2 % of the steps. `ideal` infers them from past steps, and `measure_facts` returns
    prevalence, base rate and the accuracy of `ideal`.

    Args:
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        task: "last" predicts the label of the last step, which one element determines: the deciding feature there.
            "steps" predicts the labels of all steps, and the deciding feature of every step is true, as in published
            tables. "changes" also predicts all steps, and only the first step and steps where the state changes are
            true.
        as_published: None for a uniform start; "code" for the published start, in state 0 or 1 with probabilities 2/3
            and 1/3 and never in state 2; "paper" for a uniform start and a logistic function without the factor 3, as
            printed.

    Raises:
        SettingError: For a setting out of range.

    Reference:
        liu2024explaining

    Example:
        >>> splits = SwitchFeature(train=2, validation=1, test=1).load(0)
        >>> splits.train.inputs.shape, splits.train.label.shape, splits.train.truth.sum((1, 2)).tolist()
        (torch.Size([2, 100, 3]), torch.Size([2]), [1, 1])
    """

    as_published: Literal["code", "paper"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("as_published", self.as_published, ("code", "paper", None))

    @property
    def steps(self) -> int:
        """Number of steps of a series."""
        return 100

    def chain(self) -> Chain:
        """Return the law of the data.

        Returns:
            One node for each state.
        """
        start = [2 / 3, 1 / 3, 0.0] if self.as_published == "code" else [1 / 3] * 3
        return Chain(
            start=torch.tensor(start, dtype=torch.float64),
            transition=torch.tensor([[0.95, 0.02, 0.03], [0.02, 0.95, 0.03], [0.03, 0.02, 0.95]], dtype=torch.float64),
            state=torch.arange(3),
            mean=torch.tensor([[0.8, -0.5, -0.2], [0.0, -1.0, 0.0], [-0.2, -0.2, 0.8]], dtype=torch.float64),
            covariance=0.1 * torch.eye(3, dtype=torch.float64).repeat(3, 1, 1),
            deciding=torch.arange(3),
            gain=1.0 if self.as_published == "paper" else 3.0,
        )
