"""The panel of an audit: attribution methods that suit data and model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from perdure.attribution.input_iba import InputIBA
from perdure.attribution.integrated_gradients import IntegratedGradients
from perdure.attribution.occlusion import Occlusion
from perdure.attribution.shapley_sampling import ShapleySampling
from perdure.audit.modality import Modality
from perdure.core.spec import format_spec, strip_settings

__all__ = ["CONTROL", "OPTIONAL", "choose_panel", "is_control", "locate_evidence"]

CONTROL = "random"
"""The method that no other may fail to surpass; it is never recommended."""

OPTIONAL = ("attention", "grad_cam")
"""Methods of the panel that are left out where the model has no attention or no convolution."""

WINDOWS = 20
"""Stretches of time that occlusion leaves out, one after the other."""

FEATURES = 6
"""Groups of features that occlusion leaves out."""

PLAYERS = 30
"""Groups of elements of Shapley values, which take 300 forward passes in 10 orders."""

ORDERS = 10

TOLERANCE = 0.01
"""Completeness gap of integrated gradients, in units of the target."""

MOST_GRADIENTS = 64


def choose_panel(modality: Modality, sizes: Sequence[int]) -> tuple[str, ...]:
    """Choose the methods of an audit where none is named.

    Windows grow with the data, so that the number of forward passes of a sample does not.

    Args:
        modality: Modality of the data.
        sizes: Size of a sample, after the embedding of texts: steps and features, or channels, rows and columns.

    Returns:
        Registry names with settings: gradients, perturbations, InputIBA, what the model may have, and random maps.

    Example:
        >>> from perdure.audit.modality import SERIES
        >>> choose_panel(SERIES, (100, 6))[3]
        'occlusion:window=[5, 1]'
    """
    perturbing = _perturb_image(sizes) if len(sizes) == 3 else _perturb_series(modality, sizes)
    made = (
        IntegratedGradients(tolerance=TOLERANCE, max_steps=MOST_GRADIENTS),
        *perturbing,
        InputIBA(granularity=modality.granularity),
    )
    return ("saliency", "input_x_gradient", *map(format_spec, made), *OPTIONAL, CONTROL)


def _perturb_series(modality: Modality, sizes: Sequence[int]) -> tuple[Occlusion, ShapleySampling]:
    """Cover a series by some windows; the numbers of an embedding stay together."""
    steps, features = sizes
    if modality.granularity == "position":
        occlusion = Occlusion(window=math.ceil(steps / (WINDOWS * FEATURES)))
        return occlusion, ShapleySampling(samples=ORDERS, window=math.ceil(steps / PLAYERS))
    occlusion = Occlusion(window=(math.ceil(steps / WINDOWS), math.ceil(features / FEATURES)))
    few = features <= FEATURES
    window = math.ceil(steps * (features if few else 1) / PLAYERS)
    return occlusion, ShapleySampling(
        samples=ORDERS, window=min(window, steps), granularity="element" if few else "position"
    )


def _perturb_image(sizes: Sequence[int]) -> tuple[Occlusion, ShapleySampling]:
    side = min(sizes[1:])
    return Occlusion(window=math.ceil(side / 10)), ShapleySampling(samples=ORDERS, window=math.ceil(side / 6))


def is_control(method: str) -> bool:
    """Return whether a method explains nothing and only shows what chance achieves.

    Args:
        method: Registry name, with settings.

    Returns:
        True for random maps.

    Example:
        >>> is_control("random"), is_control("saliency")
        (True, False)
    """
    return strip_settings(method) == CONTROL


def locate_evidence(methods: Sequence[str], steps: int) -> str:
    """Choose the occlusion that locates the evidence in time where the data has no truth.

    Args:
        methods: Methods of the panel.
        steps: Number of steps of a series.

    Returns:
        The first occlusion of the panel, or another with all features in its windows.

    Example:
        >>> locate_evidence(("saliency",), 100)
        'occlusion:window=5'
    """
    own = (method for method in methods if strip_settings(method) == "occlusion")
    return next(own, f"occlusion:window={math.ceil(steps / WINDOWS)}")
