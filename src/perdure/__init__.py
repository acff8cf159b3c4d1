"""Explanations that last: across time steps, down to the input, and from one training run to the next."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.attribution.attribute import attribute as attribute
    from perdure.core.attribution import Attribution as Attribution
    from perdure.core.attribution import Provenance as Provenance
    from perdure.core.batch import Batch as Batch
    from perdure.core.errors import PerdureError as PerdureError
    from perdure.core.query import Query as Query
    from perdure.core.registry import DATASETS as DATASETS
    from perdure.core.registry import METHODS as METHODS
    from perdure.core.registry import METRICS as METRICS
    from perdure.core.registry import MODELS as MODELS
    from perdure.core.target import AtStep as AtStep
    from perdure.core.target import Logit as Logit
    from perdure.core.target import LogOdds as LogOdds
    from perdure.core.target import LogProbability as LogProbability
    from perdure.core.target import Margin as Margin
    from perdure.core.target import Probability as Probability
    from perdure.core.trial import Score as Score
    from perdure.core.trial import Trial as Trial
    from perdure.metrics.evaluate import evaluate as evaluate
    from perdure.models.adapted import Adapted as Adapted
    from perdure.models.token_model import TokenModel as TokenModel
    from perdure.report.show import show as show

_HOMES = {
    "Adapted": "perdure.models.adapted",
    "AtStep": "perdure.core.target",
    "Attribution": "perdure.core.attribution",
    "Batch": "perdure.core.batch",
    "DATASETS": "perdure.core.registry",
    "LogOdds": "perdure.core.target",
    "LogProbability": "perdure.core.target",
    "Logit": "perdure.core.target",
    "METHODS": "perdure.core.registry",
    "METRICS": "perdure.core.registry",
    "MODELS": "perdure.core.registry",
    "Margin": "perdure.core.target",
    "PerdureError": "perdure.core.errors",
    "Probability": "perdure.core.target",
    "Provenance": "perdure.core.attribution",
    "Query": "perdure.core.query",
    "Score": "perdure.core.trial",
    "TokenModel": "perdure.models.token_model",
    "Trial": "perdure.core.trial",
    "attribute": "perdure.attribution.attribute",
    "evaluate": "perdure.metrics.evaluate",
    "show": "perdure.report.show",
}

__all__ = [
    *_HOMES,
]

__version__: str


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used; `import perdure` itself imports nothing heavy."""
    if name == "__version__":
        return import_module("importlib.metadata").version("perdure")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    try:
        return import_module(f"perdure.{name}")
    except ModuleNotFoundError:
        raise AttributeError(f"module 'perdure' has no attribute '{name}'") from None


def __dir__() -> list[str]:
    """List what a user is meant to find; rooms such as `perdure.data` can be imported all the same."""
    return sorted([*_HOMES, "__doc__", "__version__"])
