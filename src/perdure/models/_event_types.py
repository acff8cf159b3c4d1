"""Event types of an architecture, resolved from its data."""

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
    """Resolve the number of event types from the data, where the settings leave it open.

    Args:
        config: Settings of any architecture.
        splits: Data that it is trained on.

    Returns:
        The settings with a number of types: 0 where all features are types. Other settings are unchanged.

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
            f"'{name_of(config)}' attends to event types, and the features of these data mark none",
            "use data with events, such as planted_events, events or event_texts; set how many of the last features "
            "are types, as in hierarchical:types=40; or use attention, which needs none",
        )
    return replace(config, types=types if types < splits.features else 0)
