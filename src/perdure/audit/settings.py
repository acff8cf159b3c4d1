"""What an audit looks at."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.audit.kind import SERIES
from perdure.core.check import check_counts
from perdure.core.errors import SettingError

__all__ = ["AuditSettings"]


@dataclass(frozen=True)
class AuditSettings:
    """How an audit asks its questions.

    Args:
        methods: attribution methods by registry name, with settings; the verdicts rest on the first.
        metrics: judges by registry name, in addition to those the verdicts need.
        samples: test samples to explain, at most.
        faithfulness_samples: number of these samples, the first, for the faithfulness metrics of the second verdict.
        runs: training runs of each model, for the verdict across runs; 0 does not ask.
        seed: of the data, the training and all that is drawn.
    """

    methods: tuple[str, ...] = SERIES.methods
    metrics: tuple[str, ...] = ()
    samples: int = 128
    faithfulness_samples: int = 32
    runs: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.methods:
            raise SettingError("the audit has no attribution method", "name at least one, such as 'saliency'")
        if self.samples < 1:
            raise SettingError(f"the audit explains {self.samples} samples", "explain at least one sample")
        check_counts(faithfulness_samples=self.faithfulness_samples)
        if self.runs and self.runs < 2:
            raise SettingError(f"runs={self.runs} leaves nothing to compare", "ask for at least two, better five; or 0")
