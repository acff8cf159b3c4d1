"""Wrap Captum explainers: lookup by name, accepted settings and rejected models."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from perdure.attribution._captum.forward_module import (
    ForwardModule,
    as_forward_module,
    import_captum,
    require_module,
    with_copied_inputs,
)
from perdure.attribution._captum.rescale_rule import rescale_context
from perdure.core.errors import SettingError, UnknownNameError, UnsupportedError
from perdure.core.query import Query

__all__ = ["accepts", "explainer_context", "find_explainer", "split_settings"]

DEEP_LIFT = ("DeepLift", "DeepLiftShap")
GUIDED = ("Deconvolution", "GuidedBackprop")
MIXES_SAMPLES = "FeaturePermutation"
BASELINES = (
    "give it as the method's own setting: Captum(explainer, baseline=tensor), or baseline=vector.npy on the command "
    "line; for GradientShap and DeepLiftShap background="
)
"""Remedy for Captum's name of a baseline."""

RESERVED = {"inputs", "baselines", "target", "additional_forward_args", "return_convergence_delta"}
"""Arguments of Captum that the query determines."""


def find_explainer(name: str) -> Any:
    """Find a class of Captum that explains inputs sample by sample.

    Args:
        name: Name of the class in `captum.attr`.

    Returns:
        Class whose only required argument is a model.

    Raises:
        DependencyError: when Captum is not installed.
        UnknownNameError: for another name.

    Example:
        >>> find_explainer("Occlusion").__name__
        'Occlusion'
    """
    attr = import_captum()
    classes = {known: getattr(attr, known) for known in attr.__all__ if known != MIXES_SAMPLES}
    known = {key: cls for key, cls in classes.items() if hasattr(cls, "attribute") and _needs_only_a_model(cls)}
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5) or sorted(known)
        raise UnknownNameError(
            f"Captum has no explainer of inputs called '{name}'",
            f"choose from {', '.join(near)}; for layers or noise use 'grad_cam' or 'smooth_grad'",
        )
    return known[name]


def _needs_only_a_model(cls: type) -> bool:
    needed = [name for name, p in inspect.signature(cls).parameters.items() if p.default is inspect.Parameter.empty]
    return needed in (["forward_func"], ["model"])


def accepts(cls: type, argument: str) -> bool:
    """Return whether `attribute` of an explainer has an argument.

    Args:
        cls: Class of the explainer.
        argument: Name of the argument.

    Returns:
        Whether the argument exists.
    """
    return argument in inspect.signature(cls.attribute).parameters  # type: ignore[attr-defined]


def split_settings(cls: type, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split settings into arguments of the class and arguments of its `attribute`.

    Args:
        cls: Class of the explainer.
        settings: Values by Captum's argument names; lists become tuples, as Captum requires.

    Returns:
        Arguments of the class, and arguments of `attribute`.

    Raises:
        SettingError: for an unknown name, or one that the query determines.

    Example:
        >>> split_settings(find_explainer("IntegratedGradients"), {"n_steps": 9, "multiply_by_inputs": False})
        ({'multiply_by_inputs': False}, {'n_steps': 9})
    """
    of_class = list(inspect.signature(cls).parameters)[1:]
    of_attribute = [name for name in inspect.signature(cls.attribute).parameters if name not in {"self", "kwargs"}]  # type: ignore[attr-defined]
    free = {*of_class, *of_attribute} - RESERVED
    for name in settings:
        if name not in free:
            near = difflib.get_close_matches(name, free, 3, 0.5) or sorted(free)
            why = "is determined by the query" if name in RESERVED else "is unknown"
            remedy = BASELINES if name == "baselines" else f"choose from {near}"
            raise SettingError(f"the setting '{name}' of Captum's {cls.__name__} {why}", remedy)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    made = {name: value for name, value in values.items() if name in of_class}
    return made, {name: value for name, value in values.items() if name not in made}


@contextmanager
def explainer_context(query: Query, name: str) -> Iterator[ForwardModule]:
    """Wrap a query for an explainer after checking that it supports the model.

    Args:
        query: Query to explain.
        name: Name of the explainer.

    Yields:
        Module to explain.

    Raises:
        UnsupportedError: for a recurrence with DeepLIFT or LRP, for a function where modules are required, and for
            errors of Captum itself.
    """
    with ExitStack() as stack:
        if name in GUIDED:
            stack.enter_context(_require_relus(require_module(query, name), name))
        if name == "LRP":
            stack.enter_context(_relevance(require_module(query, name)))
        scalar = stack.enter_context(rescale_context(query) if name in DEEP_LIFT else as_forward_module(query))
        try:
            yield scalar
        except (AssertionError, TypeError, ValueError) as error:  # how Captum reports what it does not support
            raise UnsupportedError(
                f"Captum's {name} fails: {error}", "change its settings, or choose another method"
            ) from error


@contextmanager
def _require_relus(model: nn.Module, name: str) -> Iterator[None]:
    """Reject models without ReLU modules, for which the result is the plain gradient; copy the input of each ReLU."""
    if not any(isinstance(module, nn.ReLU) for module in model.modules()):
        raise UnsupportedError(
            f"{type(model).__name__} has no nn.ReLU, so Captum's {name} would equal the plain gradient",
            "use 'gradient', or replace torch.relu in the model by an nn.ReLU module",
        )
    with with_copied_inputs(model, (nn.ReLU,)):
        yield


@contextmanager
def _relevance(model: nn.Module) -> Iterator[None]:
    """Reject recurrences, and delete the attributes that Captum leaves on modules after an error."""
    for name, module in model.named_modules():
        if isinstance(module, nn.RNNBase | nn.RNNCellBase):
            raise UnsupportedError(
                f"module '{name}' is an nn.{type(module).__name__}, and LRP has no rule for recurrences",
                "use 'integrated_gradients' or 'gradient_shap' instead",
            )
    known = {module: set(vars(module)) for module in model.modules()}
    try:
        yield
    finally:
        for module, names in known.items():
            for left in set(vars(module)) - names:
                delattr(module, left)
