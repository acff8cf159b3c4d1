"""Work of a cell: explain the test samples, evaluate the maps, measure the accuracy."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._attribute import attribute
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.registry import METHODS, METRICS
from perdure.core.target import Target
from perdure.metrics._evaluate import evaluate
from perdure.ops.sequence import lengths_of
from perdure.studies._table import Cell, Row
from perdure.training.predict import accuracy

__all__ = ["explain_and_evaluate", "measure_accuracy"]


def explain_and_evaluate(
    model: nn.Module, test: Batch, target: Callable[[Tensor], Target], metrics: tuple[str, ...], cell: Cell
) -> tuple[list[Row], Float[Tensor, "batch time feature"]]:
    """Explain test samples by saliency and evaluate the maps; the null has one random map per sample.

    Args:
        model: Trained network.
        test: Samples with truth.
        target: Function that returns the target for labels.
        metrics: Names of metrics.
        cell: Cell of the rows.

    Returns:
        Row of each metric, and the maps.
    """
    chosen = target(test.label)
    lengths = lengths_of(test.mask)
    result = attribute(model, test.inputs, METHODS.make("saliency"), target=chosen, lengths=lengths)
    attribution = Attribution(result.values, source=Query(model, test.inputs, chosen, test.mask), truth=test.truth)
    rows = []
    for name in metrics:
        score = evaluate(attribution, METRICS.make(name), draws=1, generator=stream(cell.seed, "null"))
        value, null, ceiling = (part.mean().item() for part in (score.values, score.null, score.ceiling))
        rows.append(Row(cell.dataset, cell.model, "saliency", name, str(cell.seed), value, null, ceiling))
    return rows, result.values


def measure_accuracy(model: nn.Module, test: Batch, cell: Cell, ceiling: float = 1.0) -> Row:
    """Measure the accuracy of a cell's network.

    Args:
        model: Trained network.
        test: Samples that were not used in training.
        cell: Cell of the row.
        ceiling: Accuracy of the best possible classifier.

    Returns:
        Row of the accuracy; its null is the fraction of the most frequent class.
    """
    null = test.label.bincount().max().item() / len(test)
    return Row(cell.dataset, cell.model, "", "accuracy", str(cell.seed), accuracy(model, test), null, ceiling)
