"""The work that studies share: explain the test samples, judge the maps, measure the network."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.registry import METHODS, METRICS
from perdure.core.target import Target
from perdure.core.trial import Trial
from perdure.metrics._evaluate import evaluate
from perdure.ops.sequence import lengths_of
from perdure.studies._table import Cell, Row
from perdure.training.predict import accuracy

__all__ = ["explain_and_evaluate", "measure_accuracy"]


def explain_and_evaluate(
    model: nn.Module, test: Batch, target: Callable[[Tensor], Target], metrics: tuple[str, ...], cell: Cell
) -> tuple[list[Row], Float[Tensor, "batch time feature"]]:
    """Explain test samples by saliency and judge the maps; the null has one random map for each sample.

    Args:
        model: a trained network.
        test: samples with truth.
        target: makes the target of labels.
        metrics: registry names.
        cell: for the rows.

    Returns:
        A row per metric, and the maps.
    """
    asked = target(test.label)
    lengths = lengths_of(test.mask)
    found = attribute(model, test.inputs, METHODS.make("saliency"), target=asked, lengths=lengths)
    trial = Trial(Query(model, test.inputs, asked, test.mask), found.values, test.truth)
    rows = []
    for name in metrics:
        score = evaluate(trial, METRICS.make(name), draws=1, generator=stream(cell.seed, "null"))
        numbers = (part.mean().item() for part in (score.values, score.null, score.ceiling))
        rows.append(Row(cell.dataset, cell.model, "saliency", name, str(cell.seed), *numbers))
    return rows, found.values


def measure_accuracy(model: nn.Module, test: Batch, cell: Cell, ceiling: float = 1.0) -> Row:
    """Measure the accuracy of a cell's network.

    Args:
        model: a trained network.
        test: samples it has not seen.
        cell: for the row.
        ceiling: accuracy of the best possible classifier.

    Returns:
        The row; its null is the share of the most frequent class.
    """
    null = test.label.bincount().max().item() / len(test)
    return Row(cell.dataset, cell.model, "", "accuracy", str(cell.seed), accuracy(model, test), null, ceiling)
