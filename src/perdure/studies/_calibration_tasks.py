"""Small tasks of several kinds, each with a network that is trained in seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import sklearn.datasets
import torch

from perdure.core.abilities import Architecture
from perdure.core.batch import Batch
from perdure.core.registry import DATASETS
from perdure.data._splits import Splits, split
from perdure.models._event_types import resolve_event_types
from perdure.models._presets import model_config
from perdure.models.factory import Factory, is_factory
from perdure.training.settings import CLEAN, Training

__all__ = ["TASKS", "Task", "load_table"]

OWN = "perdure.studies._small_networks:make_"

DEVELOPMENT, HELD_OUT = "development", "held-out"


@dataclass(frozen=True)
class Task:
    """A dataset with a network.

    Args:
        data: Dataset with settings; "sklearn:NAME" for a table that comes with scikit-learn.
        model: Network with settings, or a factory.
        training: Settings of training.
        part: "development" for tasks on which the design of neighbours was chosen, "held-out" for those that evaluate
            it.
    """

    data: str
    model: str
    training: Training = CLEAN
    part: str = DEVELOPMENT

    def load(self) -> Splits:
        """Load the data."""
        name, _, settings = self.data.partition(":")
        splits: Splits = load_table(settings) if name == "sklearn" else DATASETS.make(self.data).load(0)
        return splits

    def build_config(self, splits: Splits) -> Architecture:
        """Build the settings of the network."""
        config = Factory(self.model) if is_factory(self.model) else model_config(self.model)
        return resolve_event_types(config, splits)


def load_table(name: str) -> Splits:
    """Load a table of scikit-learn.

    Args:
        name: Name, such as "breast_cancer".

    Returns:
        Standardised rows in three parts.
    """
    stored = getattr(sklearn.datasets, f"load_{name}")()
    rows = torch.tensor(stored.data, dtype=torch.float32)
    rows = (rows - rows.mean(0)) / rows.std(0)
    classes = tuple(str(each) for each in stored.target_names)
    return split(Batch(rows, torch.tensor(stored.target)), classes, seed=0)


QUICK = replace(CLEAN, learning_rate=1e-2, patience=None, stop_at=0.98)
SLOW = replace(CLEAN, learning_rate=1e-3, batch_size=25)
DECAYING = replace(CLEAN, learning_rate=1e-2, weight_decay=0.1, schedule="one_cycle")

BOXES = "boxes:size=20,train=300,validation=100,test=100,variant=middle"
EVENTS = "planted_events:train=400,validation=150,test=100,redundancy=3"
TEXT = "planted_text:train=2000,validation=200,test=100,negation=0.0"
DEEP = "deep_lstm:embedding_size=32,hidden_size=32,layers=1,dropout=0.2"
CELL = "lstm_input_cell_attention:hidden_size=16"

TASKS = MappingProxyType(
    {
        (name.partition(" ")[0], name.partition(" ")[2]): task
        for name, task in {
            "breast_cancer perceptron": Task("sklearn:breast_cancer", OWN + "perceptron"),
            "wine perceptron": Task("sklearn:wine", OWN + "perceptron"),
            "italy_power_demand transformer": Task("sktime:name=ItalyPowerDemand", OWN + "transformer"),
            "gun_point tcn": Task("sktime:name=GunPoint", OWN + "tcn"),
            "basic_motions lstm": Task("sktime:name=BasicMotions", "lstm:pooling=mean"),
            "basic_motions transformer": Task("sktime:name=BasicMotions", OWN + "transformer"),
            "digits gru": Task("digits", "gru"),
            "digits transformer": Task("digits", OWN + "transformer"),
            "japanese_vowels gru": Task("sktime:name=JapaneseVowels", "gru:pooling=mean"),
            "japanese_vowels input_cell_attention": Task("sktime:name=JapaneseVowels", CELL),
            "arrow_head lstm": Task("sktime:name=ArrowHead", "lstm:pooling=max", DECAYING, HELD_OUT),
            "gun_point lstm": Task("sktime:name=GunPoint", "lstm:pooling=mean", QUICK, HELD_OUT),
            "italy_power_demand gru": Task("sktime:name=ItalyPowerDemand", "gru", SLOW, HELD_OUT),
            "redundant_events gru": Task(EVENTS, "gru:pooling=max", QUICK, HELD_OUT),
            "middle_boxes tcn": Task(BOXES, OWN + "tcn", DECAYING, HELD_OUT),
            "planted_text lstm": Task(TEXT, DEEP, QUICK, HELD_OUT),
        }.items()
    }
)
"""Tasks by names of dataset and network."""
