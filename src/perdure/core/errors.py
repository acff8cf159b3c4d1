"""Named errors: each says what happened, the cause, and the remedy."""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "CompletenessWarning",
    "CorruptFileWarning",
    "DataError",
    "DependencyError",
    "EmptyDataError",
    "IndependentOutputError",
    "LabelError",
    "LengthError",
    "NonFiniteError",
    "PartError",
    "PerdureError",
    "ProbabilityWarning",
    "RunFolderError",
    "SettingError",
    "ShapeError",
    "UnknownNameError",
    "UnsupportedError",
    "VocabularyError",
]


class PerdureError(Exception):
    """Base of every error that a user can mend: a cause and a remedy.

    Args:
        cause: what is wrong, with the values that show it.
        remedy: what to do about it.

    Example:
        >>> print(ShapeError("x has rank 2", "pass (batch, time, feature)"))
        x has rank 2. Remedy: pass (batch, time, feature).
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause, remedy)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.cause.rstrip('.')}. Remedy: {self.remedy.rstrip('.')}."


class DataError(PerdureError):
    """A file or array does not hold what was asked of it."""


class EmptyDataError(DataError):
    """A dataset or batch holds no sample."""


class ShapeError(DataError):
    """A tensor has the wrong rank, shape or dtype."""


class NonFiniteError(DataError):
    """A tensor holds NaN or infinity."""


class LengthError(DataError):
    """A sequence length is zero or beyond the number of steps."""


class LabelError(DataError):
    """A label lies outside the classes of the model."""


class VocabularyError(DataError):
    """A token id lies outside the vocabulary, or there is no vocabulary."""


class UnknownNameError(PerdureError):
    """No method, metric, dataset, model or study has this name."""


class SettingError(PerdureError):
    """A setting has an unknown name or a value that cannot be used."""


class UnsupportedError(PerdureError):
    """A model or target cannot be explained in the way that was asked."""


class IndependentOutputError(UnsupportedError):
    """The output of the model does not depend on its input."""


class DependencyError(PerdureError):
    """An optional package is missing."""


class RunFolderError(PerdureError):
    """A run folder belongs to another run, is not one, or cannot be written."""


class PartError(PerdureError):
    """A stored part cannot be read."""


class CheckpointError(PerdureError):
    """A checkpoint cannot be loaded safely or does not fit."""


class ProbabilityWarning(UserWarning):
    """The model returns probabilities where logits are expected."""


class CompletenessWarning(UserWarning):
    """An attribution does not sum to the change of the target within the tolerance that was asked for."""


class CorruptFileWarning(UserWarning):
    """Files of a dataset cannot be read and are left out, as was asked."""
