"""Presets: the networks of the papers by name."""

from __future__ import annotations

import dataclasses
import difflib

from perdure.core.abilities import Architecture
from perdure.core.errors import UnknownNameError
from perdure.core.registry import MODELS
from perdure.core.spec import name_of, parse_settings
from perdure.models.attention import AMAZON, IMDB
from perdure.models.deep_lstm import DeepLSTM
from perdure.models.hierarchical import Hierarchical
from perdure.models.recurrent import Recurrent
from perdure.models.resnet import ResNet

__all__ = ["NAMED", "PRESETS", "model_config"]

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
"""The recurrent networks of series."""

NAMED: dict[str, Architecture] = {
    **PRESETS,
    "small_deep_lstm": DeepLSTM(embedding_size=64, hidden_size=64, dropout=0.2),
    "resnet18": ResNet(18),
    "resnet50": ResNet(50),
    "attention_imdb": IMDB,
    "attention_amazon": AMAZON,
    "hierarchical_imdb": Hierarchical(100, (128, 64, 16), normalise=True, dropout=0.2, types=2538),
    "hierarchical_amazon": Hierarchical(100, (128, 64), normalise=True, dropout=0.2, types=2602),
}
"""All networks with a name of their setting, in addition to the files of this package."""


def model_config(text: str) -> Architecture:
    """Read a model from text, as on the command line.

    Args:
        text: Name in `NAMED` or in the registry of models, with optional settings: "lstm:hidden_size=5,layers=2".

    Returns:
        The settings of the model.

    Raises:
        UnknownNameError: When no model has this name, with the nearest ones.
        SettingError: When a setting has an unknown name or a wrong value.

    Example:
        >>> dataclasses.asdict(model_config("gru:hidden_size=5"))["cell"]
        'gru'
    """
    name, _, settings = text.partition(":")
    known = [*MODELS.names(), *NAMED]
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5) or sorted(known)
        raise UnknownNameError(
            f"no model is called '{name}'", f"did you mean {' or '.join(f'{name!r}' for name in near)}?"
        )
    preset = NAMED.get(name)
    base = {} if preset is None else dataclasses.asdict(preset)
    kind = name if preset is None else name_of(preset)
    config: Architecture = MODELS.make(kind, {**base, **parse_settings(settings)})
    return config
