"""What an audit looks at."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.core.errors import SettingError

__all__ = ["AuditSettings"]


@dataclass(frozen=True)
class AuditSettings:
    """How an audit asks its questions.

    Args:
        methods: attribution methods by registry name, with settings; the verdict rests on the first.
        metrics: judges by registry name, in addition to those the verdict needs.
        samples: test samples to explain, at most.
        seed: of the data, the training and all that is drawn.
    """

    methods: tuple[str, ...] = ("saliency", "integrated_gradients:steps=32")
    metrics: tuple[str, ...] = ()
    samples: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.methods:
            raise SettingError("the audit has no attribution method", "name at least one, such as 'saliency'")
        if self.samples < 1:
            raise SettingError(f"the audit explains {self.samples} samples", "explain at least one sample")
