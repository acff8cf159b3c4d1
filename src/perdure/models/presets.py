"""Presets: the networks of the papers by name."""

from __future__ import annotations

import dataclasses
import difflib

from perdure.core.errors import UnknownNameError
from perdure.core.registry import MODELS, settings_of
from perdure.models.recurrent import Recurrent

__all__ = ["PRESETS", "model_config"]

PRESETS: dict[str, Recurrent] = {
    "rnn": Recurrent(cell="rnn"),
    "gru": Recurrent(cell="gru"),
    "lstm": Recurrent(),
    "bi_lstm": Recurrent(bidirectional=True),
    "lstm_mean_pooling": Recurrent(pooling="mean"),
    "lstm_max_pooling": Recurrent(pooling="max"),
    "lstm_self_attention": Recurrent(pooling="self_attention"),
    "lstm_input_cell_attention": Recurrent(input_attention="mean"),
    "lstm_positional_input_cell_attention": Recurrent(input_attention="mean", position="sinusoidal"),
}


def model_config(text: str) -> Recurrent:
    """Read a model written as on the command line.

    Args:
        text: a preset or "recurrent", with settings behind it: "lstm:hidden_size=5,layers=2".

    Returns:
        The settings of the model.

    Raises:
        UnknownNameError: when no preset has this name, with the nearest ones.
        SettingError: when a setting has an unknown name or a wrong value.

    Example:
        >>> model_config("gru:hidden_size=5").hidden_size
        5
    """
    name, _, settings = text.partition(":")
    known = {"recurrent": Recurrent(), **PRESETS}
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5) or sorted(known)
        raise UnknownNameError(
            f"no model is called '{name}'", f"did you mean {' or '.join(f'{one!r}' for one in near)}?"
        )
    config: Recurrent = MODELS.make("recurrent", {**dataclasses.asdict(known[name]), **settings_of(settings)})
    return config
