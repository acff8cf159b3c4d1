"""The explainers of Captum by name: which explain inputs, what they can be told, and whom they refuse."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import nn

from perdure.attribution._captum.forward_module import Asked, apart, asked, captum_attr, module_of
from perdure.attribution._captum.rescale_rule import rescaling
from perdure.core.errors import SettingError, UnknownNameError, UnsupportedError
from perdure.core.query import Query

__all__ = ["explainer_named", "held", "sorted_settings", "takes"]

DEEP_LIFT = ("DeepLift", "DeepLiftShap")
GUIDED = ("Deconvolution", "GuidedBackprop")
MIXES_SAMPLES = "FeaturePermutation"
RESERVED = {"inputs", "baselines", "target", "additional_forward_args", "return_convergence_delta"}
"""Arguments of Captum that the question answers: its inputs, target and lengths."""


def explainer_named(name: str) -> Any:
    """Find an explainer of Captum that explains inputs, sample by sample.

    Args:
        name: of its class in `captum.attr`.

    Returns:
        The class; it is made from a model alone.

    Raises:
        DependencyError: when Captum is not installed.
        UnknownNameError: for another name.

    Example:
        >>> explainer_named("Occlusion").__name__
        'Occlusion'
    """
    attr = captum_attr()
    classes = {known: getattr(attr, known) for known in attr.__all__ if known != MIXES_SAMPLES}
    known = {key: cls for key, cls in classes.items() if hasattr(cls, "attribute") and _asks_for_a_model(cls)}
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5) or sorted(known)
        raise UnknownNameError(
            f"Captum has no explainer of inputs called '{name}'",
            f"choose from {', '.join(near)}; for layers and noise there are 'grad_cam' and 'smooth_grad'",
        )
    return known[name]


def _asks_for_a_model(cls: type) -> bool:
    needed = [name for name, p in inspect.signature(cls).parameters.items() if p.default is inspect.Parameter.empty]
    return needed in (["forward_func"], ["model"])


def takes(cls: type, argument: str) -> bool:
    """Tell whether `attribute` of an explainer has an argument.

    Args:
        cls: the explainer.
        argument: its name.

    Returns:
        True when it has.
    """
    return argument in inspect.signature(cls.attribute).parameters  # type: ignore[attr-defined]


def sorted_settings(cls: type, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell settings of an explainer itself from those of its `attribute`.

    Args:
        cls: the explainer.
        settings: values by Captum's own names; lists become tuples, as Captum wants them.

    Returns:
        Arguments to make it, and arguments to ask it.

    Raises:
        SettingError: for a name that it does not know, or that the question answers.

    Example:
        >>> sorted_settings(explainer_named("IntegratedGradients"), {"n_steps": 9, "multiply_by_inputs": False})
        ({'multiply_by_inputs': False}, {'n_steps': 9})
    """
    making = list(inspect.signature(cls).parameters)[1:]
    asking = [name for name in inspect.signature(cls.attribute).parameters if name not in {"self", "kwargs"}]  # type: ignore[attr-defined]
    free = {*making, *asking} - RESERVED
    for name in settings:
        if name not in free:
            near = difflib.get_close_matches(name, free, 3, 0.5) or sorted(free)
            why = "is answered by the question itself" if name in RESERVED else "is not known"
            raise SettingError(f"the setting '{name}' of Captum's {cls.__name__} {why}", f"choose from {near}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    made = {name: value for name, value in values.items() if name in making}
    return made, {name: value for name, value in values.items() if name not in made}


@contextmanager
def held(query: Query, name: str) -> Iterator[Asked]:
    """Hand a query to an explainer for a while, if it can explain this model at all.

    Args:
        query: the question.
        name: of the explainer.

    Yields:
        The module to be explained.

    Raises:
        UnsupportedError: for a recurrence with DeepLIFT or LRP, for a function where modules are looked into, and for
            whatever Captum itself refuses.
    """
    with ExitStack() as stack:
        if name in GUIDED:
            stack.enter_context(_guided(module_of(query, name), name))
        if name == "LRP":
            stack.enter_context(_relevance(module_of(query, name)))
        scalar = stack.enter_context(rescaling(query) if name in DEEP_LIFT else asked(query))
        try:
            yield scalar
        except (AssertionError, TypeError) as error:  # how Captum says what it cannot do
            raise UnsupportedError(
                f"Captum's {name} refuses: {error}", "change its settings, or choose another method"
            ) from error


@contextmanager
def _guided(model: nn.Module, name: str) -> Iterator[None]:
    """Refuse what would be the plain gradient; give each ReLU an input of its own."""
    if not any(isinstance(module, nn.ReLU) for module in model.modules()):
        raise UnsupportedError(
            f"{type(model).__name__} holds no nn.ReLU, so Captum's {name} would be the plain gradient",
            "use 'gradient', or write torch.relu in the model as an nn.ReLU module",
        )
    with apart(model, (nn.ReLU,)):
        yield


@contextmanager
def _relevance(model: nn.Module) -> Iterator[None]:
    """Refuse recurrences, and forget the rules that Captum leaves on modules when it stops half-way."""
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
