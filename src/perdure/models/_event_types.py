"""Architectures that are told by their data which features are event types."""

from __future__ import annotations

from dataclasses import replace

from perdure.core.abilities import Architecture
from perdure.core.errors import SettingError
from perdure.core.spec import name_of
from perdure.data._event_marks import count_marked_types
from perdure.data._splits import Splits
from perdure.models.attention import Attention

__all__ = ["resolve_event_types"]


def resolve_event_types(config: Architecture, splits: Splits) -> Architecture:
    """Let the data say how many features are event types, where the settings leave that open.

    Args:
        config: Of any architecture.
        splits: What it is trained on.

    Returns:
        The settings with a number of types: 0 where all features are types. Others are as they were.

    Raises:
        SettingError: When the types are left open, and the data has none.

    Example:
        >>> from perdure.data.planted_events import PlantedEvents
        >>> from perdure.models.hierarchical import Hierarchical
        >>> resolve_event_types(Hierarchical(), PlantedEvents(train=2, validation=1, test=1).load(0)).types
        0
    """
    if not isinstance(config, Attention) or config.types is not None:
        return config
    types = count_marked_types(splits)
    if not types:
        raise SettingError(
            f"'{name_of(config)}' attends to event types, and the features of this data mark none",
            "take data with events, such as planted_events, events or event_texts; say how many of the last features "
            "are types, as in hierarchical:types=40; or take attention, which does without",
        )
    return replace(config, types=types if types < splits.features else 0)
