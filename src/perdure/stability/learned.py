"""Whether a model has learned its task at all: one rule, asked before anything is explained."""

from __future__ import annotations

from perdure.core.verdict import Number

__all__ = ["has_learned", "not_learned"]


def has_learned(accuracy: Number) -> bool:
    """Tell whether there is anything to explain, by the one rule of all verdicts.

    Args:
        accuracy: of a model on test samples; its null is the share of the most frequent class.

    Returns:
        True when the whole interval lies above the null.

    Example:
        >>> has_learned(Number("accuracy", 0.6, 0.49, 0.7, 0.5, 1.0))
        False
    """
    return accuracy.low > accuracy.null


def not_learned(accuracy: Number) -> str:
    """Say that there is nothing to explain.

    Args:
        accuracy: of the model.

    Returns:
        A sentence.
    """
    return (
        f"The model is right on {accuracy.value:.0%} of the test samples, which is no better than always naming the "
        f"most frequent class ({accuracy.null:.0%}): there is nothing to explain yet."
    )
