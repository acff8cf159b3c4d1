"""Metrics of Quantus as ours, between null and ceiling."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from perdure.core.call import NO_SIDE, Side, call_model
from perdure.core.copy import copy_module
from perdure.core.errors import DependencyError, SettingError, UnknownNameError, UnsupportedError
from perdure.core.evaluation import evaluation
from perdure.core.protocols import Method
from perdure.core.query import Passes, Query, part
from perdure.core.random import seed_libraries
from perdure.core.trial import Measurement, Trial
from perdure.interop.quantus import QuantusExplainer
from perdure.ops.baseline import seeds_or_fixed

__all__ = ["QuantusMetric"]

COMPARES_SAMPLES = ("Consistency", "Focus", "SensitivityN", "Sufficiency")
"""Metrics that give one number for several samples, or pictures made of several."""

EXPLAINS_AGAIN = ("Robustness", "Randomisation")
QUIET = {"disable_warnings": True, "display_progressbar": False}
FAILURES = (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)
"""How Quantus says what it cannot do, and how it fails with a numpy that is too new for it."""


@dataclass(frozen=True)
class QuantusMetric:
    """Measure with a metric of Quantus, by the name of its class and with its own settings.

    Each sample is measured by itself, cut to its valid steps and with a stream of its own, so that batch mates and
    padding do not matter. The class is that of the target, which must be one of labels. A series is handed over as a
    picture of one channel, steps by features, so that Quantus changes single sites; a table as one row. It works on a
    copy of the model, as some of its metrics leave hooks behind.

    Args:
        metric: name of a class in `quantus`, such as "FaithfulnessCorrelation".
        settings: arguments of the class by Quantus's names.
        softmax: whether Quantus asks for probabilities instead of outputs as they are.
        bound: the best possible value, the ceiling of a metric that needs no truth; None for 1 where more is better
            and 0 where less is.

    Raises:
        DependencyError: when Quantus is not installed.
        UnknownNameError: when it has no such metric.
        SettingError: for a setting that the metric does not know.

    Reference:
        hedstrom2023quantus

    Notes:
        Quantus asks models with float32; inputs are brought back to the dtype of the model.
    """

    metric: str
    settings: Mapping[str, Any] | None = None
    softmax: bool = False
    bound: float | None = None

    def __post_init__(self) -> None:
        known = inspect.signature(_class(self.metric)).parameters
        for name in self.settings or {}:
            if name not in known:
                near = difflib.get_close_matches(name, known, 3, 0.5) or list(known)
                raise SettingError(f"Quantus's {self.metric} has no setting '{name}'", f"choose from {near}")

    @property
    def needs_truth(self) -> bool:
        """Whether it compares with the truth: metrics of localisation do."""
        return bool(_class(self.metric).evaluation_category.value == "Localisation")

    @property
    def needs_method(self) -> bool:
        """Whether it explains again: metrics of robustness and of randomisation do."""
        return bool(_class(self.metric).evaluation_category.value in EXPLAINS_AGAIN)

    @property
    def higher_is_better(self) -> bool:
        """Which way is good, as Quantus says."""
        return bool(_class(self.metric).score_direction.value == "higher")

    @property
    def best(self) -> float:
        """The best possible value."""
        return float(self.higher_is_better) if self.bound is None else self.bound

    def measure(self, trial: Trial) -> Measurement:
        """Let Quantus judge one sample after the other.

        Args:
            trial: about a target of labels; with a method for metrics that explain again. A map without a method is
                compared with random ones.

        Returns:
            What Quantus gives; a curve's mean, with the curve, where it gives several numbers for a sample.

        Raises:
            UnsupportedError: for a target that is a function, and for what Quantus itself refuses.
        """
        if getattr(trial.query.target, "label", None) is None:
            raise UnsupportedError(
                "Quantus asks for the class of each sample, and the target is a function",
                "give a target of labels, such as perdure.Logit(labels)",
            )
        model = copy_module(trial.query.model)
        rows = [self._of_sample(model, _alone(trial, i)) for i in range(len(trial.attribution))]
        values = torch.stack([row.mean() for row in rows]).to(trial.attribution)
        alike = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
        return Measurement(values, torch.stack(rows).to(values) if alike else None)

    def _of_sample(self, model: Any, trial: Trial) -> Tensor:
        query, target = trial.query, trial.query.target
        truth = None if trial.truth is None else _pictured(trial.truth).any(1, keepdim=True)
        values = _pictured(trial.attribution)
        values = values.sum(1, keepdim=True) if self.needs_truth else values  # places, as Quantus's truth tells of them
        with evaluation(model), seed_libraries(int(query.seeds[0]), query.x.device), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"quantus\.")
            try:
                found = _class(self.metric)(**{**QUIET, **(self.settings or {})})(
                    model=_Unpictured(_Sided(model, query.side or NO_SIDE), query.x, query.passes),
                    x_batch=_array(_pictured(query.x)),
                    y_batch=_array(target.label),  # type: ignore[attr-defined]
                    a_batch=_array(values),
                    s_batch=None if truth is None else _array(truth),
                    channel_first=True,
                    softmax=self.softmax,
                    device=str(query.x.device),
                    explain_func=_random_map if trial.method is None else _Explainer(trial.method, query.target),
                )
            except FAILURES as error:
                raise UnsupportedError(
                    f"Quantus's {self.metric} fails: {error}",
                    "change its settings, or use a metric of this library; with numpy 2.4 and later some of Quantus "
                    "stops at functions that numpy has dropped",
                ) from error
        return _numbers(found, self.metric)


class _Sided(nn.Module):
    """A model with the side inputs of one sample, whatever the rows."""

    def __init__(self, model: Any, side: Side) -> None:
        super().__init__()
        self.model, self.side = model, side

    def forward(self, x: Tensor) -> Tensor:
        return call_model(self.model, x, side=self.side)


class _Unpictured(nn.Module):
    """A model that is asked with pictures in any dtype, and whose passes are counted."""

    def __init__(self, model: Any, like: Tensor, passes: Passes) -> None:
        super().__init__()
        self.model, self.dtype, self.site, self.passes = model, like.dtype, like.shape[1:], passes
        self.training = False

    def forward(self, pictures: Tensor) -> Tensor:
        self.passes.forward += len(pictures)
        return call_model(self.model, pictures.reshape(-1, *self.site).to(self.dtype))


@dataclass(frozen=True)
class _Explainer:
    """A method that is asked about the series or table behind a picture."""

    method: Method
    target: Any

    def __call__(self, model: _Unpictured, inputs: Any, targets: Any, **_: object) -> np.ndarray:
        x = np.reshape(inputs, (-1, *model.site))
        maps = QuantusExplainer(self.method, target=type(self.target))(model.model, x, targets)
        return maps.reshape(np.shape(inputs))


def _pictured(values: Tensor) -> Tensor:
    """Give series and tables the axis of a single channel."""
    return values if values.ndim > 3 else values[:, None]


def _class(name: str) -> Any:
    try:
        import quantus
    except ImportError as error:
        raise DependencyError(
            "metrics of Quantus need the package 'quantus'", "pip install 'perdure[quantus]'"
        ) from error
    named = {cls.__name__: cls for some in quantus.AVAILABLE_METRICS.values() for cls in some.values()}
    known = {key: cls for key, cls in named.items() if key not in COMPARES_SAMPLES}
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5) or sorted(known)
        raise UnknownNameError(f"Quantus has no metric of single samples called '{name}'", f"choose from {near}")
    return known[name]


def _alone(trial: Trial, index: int) -> Trial:
    """Cut out one sample, to its valid steps."""
    seeds = seeds_or_fixed(trial.query.seeds, len(trial.attribution))
    query: Query = part(replace(trial.query, seeds=seeds), slice(index, index + 1))
    steps = query.x.shape[1] if query.lengths is None else int(query.lengths[0])
    truth = None if trial.truth is None else trial.truth[index : index + 1, :steps]
    cut = replace(query, x=query.x[:, :steps], mask=None)
    return replace(trial, query=cut, attribution=trial.attribution[index : index + 1, :steps], truth=truth)


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().copy()


def _random_map(*, inputs: Any, **_: object) -> Any:
    return np.random.uniform(size=np.shape(inputs))


def _numbers(found: Any, name: str) -> Tensor:
    try:
        return torch.as_tensor(np.asarray(found, dtype=np.float64)).reshape(-1)
    except (TypeError, ValueError):
        raise UnsupportedError(
            f"Quantus's {name} gives no numbers for a sample but {type(found).__name__}",
            "choose settings that return one number per sample, such as return_average_correlation for MPRT",
        ) from None
