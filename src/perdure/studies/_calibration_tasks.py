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


@dataclass(frozen=True)
class Task:
    """A dataset with a network.

    Args:
        data: Dataset with settings; "sklearn:NAME" for a table that comes with scikit-learn.
        model: Network with settings, or a factory.
        part: "development" for tasks on which a design is chosen, "held-out" for those that evaluate it.
        training: Settings of training.
    """

    data: str
    model: str
    part: str
    training: Training = CLEAN

    def load(self) -> Splits:
        """Load the data; event types are left out where all events have one type."""
        name, _, settings = self.data.partition(":")
        splits: Splits = load_table(settings) if name == "sklearn" else DATASETS.make(self.data).load(0)
        if len(splits.types) != 1:
            return splits
        train, validation, test = (replace(p, event=None) for p in (splits.train, splits.validation, splits.test))
        return replace(splits, train=train, validation=validation, test=test, types=())

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


FAST = replace(CLEAN, learning_rate=1e-2, patience=None, stop_at=0.98)
SHORT = replace(CLEAN, epochs=10)

BOXES = "boxes:size=20,train=300,validation=100,test=100,variant="
EVENTS = "planted_events:train=400,validation=150,test=100"
TEXT = "planted_text:train=2000,validation=200,test=100,negation=0.0"
FMRI = "simulated_fmri:train=40,validation=15,test=15"
SHAPES = "shapes:train=800,validation=150,test=100,size=32,strokes=2"
DEEP = "deep_lstm:embedding_size=32,hidden_size=32,layers=1,dropout=0.2"
CELL = "lstm_input_cell_attention:hidden_size=16"

TASKS = MappingProxyType(
    {
        (name.partition(" ")[0], name.partition(" ")[2]): task
        for name, task in {
            "breast_cancer perceptron": Task("sklearn:breast_cancer", OWN + "perceptron", "development"),
            "wine perceptron": Task("sklearn:wine", OWN + "perceptron", "held-out"),
            "italy_power_demand transformer": Task("sktime:name=ItalyPowerDemand", OWN + "transformer", "development"),
            "gun_point tcn": Task("sktime:name=GunPoint", OWN + "tcn", "held-out"),
            "basic_motions lstm": Task("sktime:name=BasicMotions", "lstm:pooling=mean", "development"),
            "basic_motions transformer": Task("sktime:name=BasicMotions", OWN + "transformer", "held-out"),
            "digits gru": Task("digits", "gru", "development"),
            "digits transformer": Task("digits", OWN + "transformer", "held-out"),
            "japanese_vowels gru": Task("sktime:name=JapaneseVowels", "gru:pooling=mean", "development"),
            "japanese_vowels input_cell_attention": Task("sktime:name=JapaneseVowels", CELL, "held-out"),
            "arrow_head lstm": Task("sktime:name=ArrowHead", "lstm:pooling=max", "held-out"),
            "middle_boxes tcn": Task(BOXES + "middle", OWN + "tcn", "held-out"),
            "latter_boxes input_cell_attention": Task(BOXES + "latter", CELL, "development"),
            "redundant_events gru": Task(EVENTS + ",redundancy=3", "gru:pooling=max", "held-out", SHORT),
            "planted_events attention": Task(EVENTS, "attention", "development", SHORT),
            "shapes cnn": Task(SHAPES, "small_cnn:width=10,blocks=2", "held-out", SHORT),
            "fmri tcn": Task(FMRI, OWN + "tcn", "development", SHORT),
            "planted_text lstm": Task(TEXT, DEEP, "held-out", FAST),
        }.items()
    }
)
"""Tasks by names of dataset and network."""
