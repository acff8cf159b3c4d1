"""Metrics of Quantus with null and ceiling."""

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

from perdure.core.attribution import Attribution
from perdure.core.copy import copy_module
from perdure.core.errors import SettingError, UnknownNameError, UnsupportedError
from perdure.core.forward import NO_SIDE, Side, call_model, evaluation
from perdure.core.method import Method
from perdure.core.metric import Measurement
from perdure.core.optional import require
from perdure.core.outputs import as_classes, probability
from perdure.core.query import Query, slice_query
from perdure.core.random import seed_libraries
from perdure.core.target import OfLabel, Target, copy_target, label_target
from perdure.interop.quantus import QuantusExplainer
from perdure.ops.baseline import seeds_or_fixed

__all__ = ["QuantusMetric"]

COMPARES_SAMPLES = ("Consistency", "Focus", "SensitivityN", "Sufficiency")
"""Metrics that return one number for several samples, or that combine images of several."""

EXPLAINS_AGAIN = ("Robustness", "Randomisation")
QUIET = {"disable_warnings": True, "display_progressbar": False}
FAILURES = (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)
"""Errors by which Quantus reports unsupported input, or fails with a numpy that is too new."""


@dataclass(frozen=True)
class QuantusMetric:
    """Evaluate maps by a metric of Quantus, given by the name of its class.

    Each sample is evaluated separately, cut to its valid steps and with a separate random stream, so that the result
    does not depend on other samples or padding. The target must be a target of labels. A series is passed as an image
    of one channel (steps by features), so that Quantus perturbs single elements; a table as one row. Quantus works on a
    copy of the model, because some of its metrics leave hooks on the model.

    Args:
        metric: Name of a class in `quantus`, such as "FaithfulnessCorrelation".
        settings: Arguments of the class.
        softmax: Whether the metric uses probabilities instead of the outputs; those of a model that returns
            probabilities are used as they are.
        bound: Best possible value, the ceiling of a metric without truth; None for 1 where more is better and 0 where
            less is better.

    Raises:
        DependencyError: when Quantus is not installed.
        UnknownNameError: when Quantus has no such metric.
        SettingError: for an unknown setting.

    Reference:
        hedstrom2023quantus

    Notes:
        Quantus calls models with float32; inputs are converted to the dtype of the model.
    """

    metric: str
    settings: Mapping[str, Any] | None = None
    softmax: bool = False
    bound: float | None = None

    def __post_init__(self) -> None:
        known = inspect.signature(_find_class(self.metric)).parameters
        for name in self.settings or {}:
            if name not in known:
                near = difflib.get_close_matches(name, known, 3, 0.5) or list(known)
                raise SettingError(f"Quantus's {self.metric} has no setting '{name}'", f"choose from {near}")

    @property
    def needs_truth(self) -> bool:
        """Whether the metric compares with the truth, as metrics of localisation do."""
        return bool(_find_class(self.metric).evaluation_category.value == "Localisation")

    @property
    def needs_method(self) -> bool:
        """Whether the metric computes further maps, as metrics of robustness and randomisation do."""
        return bool(_find_class(self.metric).evaluation_category.value in EXPLAINS_AGAIN)

    @property
    def higher_is_better(self) -> bool:
        """Whether higher values are better."""
        return bool(_find_class(self.metric).score_direction.value == "higher")

    @property
    def best(self) -> float:
        """The best possible value."""
        return float(self.higher_is_better) if self.bound is None else self.bound

    def measure(self, attribution: Attribution) -> Measurement:
        """Evaluate each sample separately.

        Args:
            attribution: Map of a target of labels, with its method for metrics that compute further maps. Without
                a method the further maps are random.

        Returns:
            Values of Quantus; the mean and the curve if it returns several numbers per sample.

        Raises:
            UnsupportedError: for a target that is a function, and for errors of Quantus.
        """
        if getattr(attribution.query.target, "label", None) is None:
            raise UnsupportedError(
                "Quantus needs the class of each sample, and the target is a function",
                "pass a target of labels, such as perdure.Logit(labels)",
            )
        model = copy_module(attribution.query.model)
        rows = [self._evaluate_sample(model, _select_sample(attribution, i)) for i in range(len(attribution.values))]
        values = torch.stack([row.mean() for row in rows]).to(attribution.values)
        alike = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
        return Measurement(values, torch.stack(rows).to(values) if alike else None)

    def _evaluate_sample(self, model: Any, attribution: Attribution) -> Tensor:
        query, target = attribution.query, attribution.query.target
        truth = None if attribution.truth is None else _as_image(attribution.truth).any(1, keepdim=True)
        values = _as_image(attribution.values)
        values = values.sum(1, keepdim=True) if self.needs_truth else values  # positions, as in the truth of Quantus
        with evaluation(model), seed_libraries(int(query.seeds[0]), query.x.device), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"quantus\.")
            try:
                values_of_sample = _find_class(self.metric)(**{**QUIET, **(self.settings or {})})(
                    model=_ImageModel(model, query, softmax=self.softmax),
                    x_batch=_to_array(_as_image(query.x)),
                    y_batch=_to_array(target.label),  # type: ignore[attr-defined]
                    a_batch=_to_array(values),
                    s_batch=None if truth is None else _to_array(truth),
                    channel_first=True,
                    softmax=False,  # of the model, by what it returns
                    device=str(query.x.device),
                    explain_func=_draw_random_map
                    if attribution.method is None
                    else _Explainer(attribution.method, _bound_label(query)),
                )
            except FAILURES as error:
                raise UnsupportedError(
                    f"Quantus's {self.metric} fails: {error}",
                    "change its settings, or use a metric of perdure; some metrics of Quantus use functions that "
                    "numpy 2.4 has removed",
                ) from error
        return _to_tensor(values_of_sample, self.metric)


class _Sided(nn.Module):
    """A model with the side inputs of one sample, whatever the rows."""

    def __init__(self, model: Any, side: Side) -> None:
        super().__init__()
        self.model, self.side = model, side

    def forward(self, x: Tensor) -> Tensor:
        return call_model(self.model, x, side=self.side)


class _ImageModel(nn.Module):
    """A model of images in any dtype, with a column for each class, whose passes are counted."""

    def __init__(self, model: Any, query: Query, *, softmax: bool) -> None:
        super().__init__()
        self.model, self.passes, self.softmax = _Sided(model, query.side or NO_SIDE), query.passes, softmax
        self.dtype, self.site, self.kind = query.x.dtype, query.x.shape[1:], _bound_label(query).outputs or "logits"
        self.last = nn.Identity()  # Quantus removes a softmax that is the last module of a model
        self.training = False

    def forward(self, pictures: Tensor) -> Tensor:
        self.passes.forward += len(pictures)
        outputs = call_model(self.model, pictures.reshape(-1, *self.site).to(self.dtype))
        return probability(outputs, self.kind) if self.softmax else as_classes(outputs, self.kind)[0]


@dataclass(frozen=True)
class _Explainer:
    """A method that explains the series or table of an image."""

    method: Method
    target: OfLabel

    def __call__(self, model: _ImageModel, inputs: Any, targets: Any, **_: object) -> np.ndarray:
        x = np.reshape(inputs, (-1, *model.site))
        maps = QuantusExplainer(self.method, target=self._label)(model.model, x, targets)
        return maps.reshape(np.shape(inputs))

    def _label(self, label: Tensor) -> Target:
        """Return the target for other labels, bound to the same outputs."""
        return copy_target(self.target, label=label)


def _bound_label(query: Query) -> OfLabel:
    """Return the target, which is one of labels, bound to what the model returns."""
    label = label_target(query.bound)
    assert label is not None
    return label


def _as_image(values: Tensor) -> Tensor:
    """Add a channel axis to series and tables."""
    return values if values.ndim > 3 else values[:, None]


def _find_class(name: str) -> Any:
    quantus = require("quantus", extra="quantus", purpose="a metric of Quantus")
    named = {cls.__name__: cls for group in quantus.AVAILABLE_METRICS.values() for cls in group.values()}
    known = {key: cls for key, cls in named.items() if key not in COMPARES_SAMPLES}
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5) or sorted(known)
        raise UnknownNameError(f"Quantus has no metric of single samples called '{name}'", f"choose from {near}")
    return known[name]


def _select_sample(attribution: Attribution, index: int) -> Attribution:
    """Select one sample, cut to its valid steps."""
    seeds = seeds_or_fixed(attribution.query.seeds, len(attribution.values))
    query: Query = slice_query(replace(attribution.query, seeds=seeds), slice(index, index + 1))
    steps = query.x.shape[1] if query.lengths is None else int(query.lengths[0])
    truth = None if attribution.truth is None else attribution.truth[index : index + 1, :steps]
    cut = replace(query, x=query.x[:, :steps], mask=None)
    return replace(attribution, source=cut, values=attribution.values[index : index + 1, :steps], truth=truth)


def _to_array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().copy()


def _draw_random_map(*, inputs: Any, **_: object) -> Any:
    return np.random.uniform(size=np.shape(inputs))


def _to_tensor(values: Any, name: str) -> Tensor:
    try:
        return torch.as_tensor(np.asarray(values, dtype=np.float64)).reshape(-1)
    except (TypeError, ValueError):
        raise UnsupportedError(
            f"Quantus's {name} returns {type(values).__name__} for a sample, not numbers",
            "choose settings that return one number per sample, such as return_average_correlation for MPRT",
        ) from None
