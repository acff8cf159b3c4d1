"""Places of the boxes of the temporal benchmark."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

__all__ = ["SIZE", "Family", "box_places", "mark_box"]

SIZE = 50
"""Steps and features."""

Family = Literal[
    "middle",
    "small_middle",
    "moving_middle",
    "moving_small_middle",
    "rare_time",
    "moving_rare_time",
    "rare_feature",
    "moving_rare_feature",
    "position_of_time",
    "position_of_features",
]

SHAPES = {
    "middle": (30, 30),
    "small_middle": (14, 14),
    "moving_middle": (30, 30),
    "moving_small_middle": (15, 15),
    "rare_time": (6, 40),
    "moving_rare_time": (6, 40),
    "rare_feature": (40, 6),
    "moving_rare_feature": (40, 6),
    "position_of_time": (20, 20),
    "position_of_features": (20, 20),
}
"""Steps and features of the box of each family."""

LATE, EARLY = 29, 1
"""First step or feature of the box for class 0 and for class 1, where the position decides."""


def box_places(family: Family, label: int) -> list[tuple[int, int]]:
    """List the places of the box of a class.

    Args:
        family: Family of the set.
        label: Class, 0 or 1.

    Returns:
        First step and first feature of each place.

    Example:
        >>> box_places("rare_time", 0), len(box_places("moving_middle", 0)), box_places("position_of_time", 1)[0]
        ([(22, 5)], 400, (1, 0))
    """
    height, width = SHAPES[family]
    steps, features = range(SIZE - height), range(SIZE - width)
    fixed = range(EARLY, EARLY + 1) if label else range(LATE, LATE + 1)
    if family == "position_of_time":
        steps = fixed
    elif family == "position_of_features":
        features = fixed
    elif not family.startswith("moving"):
        return [((SIZE - height) // 2, (SIZE - width) // 2)]
    return [(step, feature) for step in steps for feature in features]


def mark_box(family: Family, step: int, feature: int) -> Bool[Tensor, "time feature"]:
    """Mark the box at a place.

    Args:
        family: Family of the set.
        step: First step.
        feature: First feature.

    Returns:
        True inside.
    """
    height, width = SHAPES[family]
    inside = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    inside[step : step + height, feature : feature + width] = True
    return inside
