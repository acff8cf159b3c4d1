"""Settings of an audit."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.core.check import check_counts
from perdure.core.errors import SettingError

__all__ = ["AuditSettings"]


@dataclass(frozen=True)
class AuditSettings:
    """Methods, metrics and numbers of samples of an audit.

    Args:
        methods: Attribution methods by registry name, with settings. None for a panel of methods that suits model and
            data: gradients, perturbations, InputIBA, attention or Grad-CAM where the model has it, and random maps.
        metrics: Metrics by registry name, in addition to those that the verdicts need.
        samples: Maximum number of test samples to explain.
        faithfulness_samples: Number of these samples for the metrics that need many forward passes.
        runs: Training runs of each model on the command line, for the verdict across runs; 0 for none.
        seed: Seed of the data, the training and all random draws.
        budget: Seconds for the audit, without trainings; it reduces the number of samples, and of methods where even
            ten samples of all do not fit. None for no limit.
        nearby: Whether a model without further training runs is retrained briefly for the verdict across runs: three
            times, by up to 1000 optimiser steps each.

    Raises:
        SettingError: Without a method, sample or second, or with a single run.

    Example:
        >>> AuditSettings(methods=("saliency",), samples=10).faithfulness_samples
        32
    """

    methods: tuple[str, ...] | None = None
    metrics: tuple[str, ...] = ()
    samples: int = 128
    faithfulness_samples: int = 32
    runs: int = 0
    seed: int = 0
    budget: float | None = None
    nearby: bool = False

    def __post_init__(self) -> None:
        if self.methods is not None and not self.methods:
            raise SettingError("the audit has no attribution method", "name at least one, such as 'saliency'")
        if isinstance(self.methods, str):
            raise SettingError(f"the methods are the text '{self.methods}'", f"pass a tuple: ('{self.methods}',)")
        if self.samples < 1:
            raise SettingError(f"the audit explains {self.samples} samples", "explain at least one sample")
        if self.budget is not None and not self.budget > 0:
            raise SettingError(f"the budget is {self.budget} seconds", "give a number above 0, or None for no limit")
        check_counts(faithfulness_samples=self.faithfulness_samples)
        if self.runs and self.runs < 2:
            raise SettingError(
                f"runs={self.runs} leaves nothing to compare", "train at least two runs, better five; or 0"
            )
