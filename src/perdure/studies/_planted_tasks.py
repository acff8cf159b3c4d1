"""Series, texts and images whose evidence is known, each with the network that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch.nn.functional import cross_entropy

from perdure.core.batch import Batch, slice_batch
from perdure.core.copy import copy_module
from perdure.core.outputs import predicted_class
from perdure.core.random import stream
from perdure.data._splits import Splits
from perdure.models._embed import embed_batch
from perdure.ops.params import redraw
from perdure.studies import _planted_images as images
from perdure.studies import _planted_series as series
from perdure.studies import _planted_texts as texts
from perdure.studies._planted_model import PlantedModel
from perdure.studies._planted_series import Planted

__all__ = ["DEVELOPMENT", "HELD_OUT", "TASKS", "PlantedTask", "make_task", "train_on_permuted_labels"]

WRONG = 0.04
"""Fraction of labels that are changed, so that no accuracy is 1."""

MARGIN = 4.0
"""Root mean square of the difference of two logits."""


STEPS, RATE = 60, 0.01
"""Steps and learning rate of a training on permuted labels: larger steps silence networks of few units."""


@dataclass(frozen=True, eq=False)
class PlantedTask:
    """A network with known contributions, and its data.

    Args:
        name: Name in `TASKS`.
        model: Network.
        splits: Samples; those for training are those for testing where the network is not trained.
    """

    name: str
    model: PlantedModel
    splits: Splits


def make_task(name: str, seed: int) -> PlantedTask:
    """Make a task.

    Args:
        name: Name in `TASKS`.
        seed: Seed of data and weights.

    Returns:
        The task.
    """
    generator = stream(seed, "planted", name)
    planted = TASKS[name](generator)
    lengths = None if planted.mask is None else planted.mask.sum(1)
    with torch.no_grad():
        logits = planted.model(planted.inputs, lengths)
        planted.model.readout["weight"] *= MARGIN / logits.diff(dim=1).square().mean().sqrt()
    label, classes = predicted_class(logits, "logits"), logits.shape[1]
    wrong = torch.rand(len(label), generator=generator) < WRONG
    batch = Batch(planted.inputs, torch.where(wrong, (label + 1) % classes, label), planted.mask)
    names = tuple(f"class {number}" for number in range(classes))
    words = () if batch.inputs.is_floating_point() else tuple(f"word {number}" for number in range(texts.WORDS))
    return PlantedTask(name, planted.model, Splits(batch, batch, batch, names, words))


def train_on_permuted_labels(task: PlantedTask, seed: int) -> PlantedTask:
    """Train the network of a task from redrawn weights after its labels were permuted, so that it learns nothing.

    Args:
        task: A task.
        seed: Seed of the order of labels and of the weights.

    Returns:
        The trained network, with the first half of the samples for training and the other half for testing.
    """
    batch, generator = task.splits.test, stream(seed, "permuted labels", task.name)
    permuted = replace(batch, label=batch.label[torch.randperm(len(batch), generator=generator)])
    half = len(batch) // 2
    train, test = slice_batch(permuted, slice(0, half)), slice_batch(permuted, slice(half, None))
    model = copy_module(task.model)
    for parameter in _list_weights(model):
        redraw(parameter, "published" if parameter.ndim == 1 else "matched", generator)  # biases are zero
    _fit(model, embed_batch(model, train))
    return PlantedTask(task.name, model, replace(task.splits, train=train, validation=test, test=test))


def _list_weights(model: PlantedModel) -> list[torch.nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _fit(model: PlantedModel, batch: Batch) -> None:
    """Fit a network to all samples at once."""
    optimiser = torch.optim.Adam(_list_weights(model), lr=RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        cross_entropy(model(batch.inputs, batch.lengths), batch.label).backward()
        optimiser.step()


DEVELOPMENT: Mapping[str, Callable[[torch.Generator], Planted]] = MappingProxyType(
    {
        "linear series": series.plant_linear,
        "late series": series.plant_late,
        "early series": series.plant_early,
        "saturating series": series.plant_saturating,
        "pulses": series.plant_pulses,
        "motifs": series.plant_motifs,
        "sentiment": texts.plant_sentiment,
        "saturating words": texts.plant_saturating_words,
        "keywords": texts.plant_keywords,
        "negation": texts.plant_negation,
        "template": images.plant_template,
        "centre": images.plant_centre,
        "colours": images.plant_colours,
        "patches": images.plant_patches,
    }
)
"""Tasks on which the thresholds of verdicts are chosen."""

HELD_OUT: Mapping[str, Callable[[torch.Generator], Planted]] = MappingProxyType(
    {
        "waves": series.plant_waves,
        "jumps": series.plant_jumps,
        "coincidences": series.plant_coincidences,
        "topics": texts.plant_topics,
        "phrases": texts.plant_phrases,
        "openings": texts.plant_openings,
        "tints": images.plant_tints,
        "dots": images.plant_dots,
        "bars": images.plant_bars,
    }
)
"""Tasks of other networks, on which error rates are measured."""

TASKS = MappingProxyType({**DEVELOPMENT, **HELD_OUT})
