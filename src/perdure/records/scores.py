"""Scores as tables: one row per sample and metric, the value always between its null and its ceiling."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pyarrow as pa
from torch import Tensor

from perdure.core.metric import Score

__all__ = ["Case", "score_table"]


@dataclass(frozen=True)
class Case:
    """The names of what was evaluated.

    Args:
        study: Name of the study or command.
        dataset: Name of the dataset.
        model: Name of the model.
        method: Name of the attribution method.
        seed: Seed of the training run of the model.
    """

    study: str
    dataset: str
    model: str
    method: str
    seed: int


def score_table(score: Score, ids: tuple[str, ...], case: Case) -> pa.Table:
    """Write a score as rows of a table.

    Further numbers of the metric follow as separate rows, named `metric.number`, without null and ceiling.

    Args:
        score: Score of one metric on some samples; its name contains the settings that are not the default.
        ids: Names of the samples.
        case: The names of what was evaluated.

    Returns:
        Columns study, dataset, model, method, seed, metric, sample_id, value, null, ceiling, curve and nulls, the
        scores of the draws of the null; the last two are null where there are none.

    Example:
        >>> import torch
        >>> score = Score("auroc", torch.tensor([0.75]), torch.tensor([0.5]), torch.tensor([1.0]))
        >>> table = score_table(score, ("a",), Case("audit", "boxes", "lstm", "gradient", 0))
        >>> table.select(["metric", "sample_id", "value", "null", "ceiling"]).to_pylist()
        [{'metric': 'auroc', 'sample_id': 'a', 'value': 0.75, 'null': 0.5, 'ceiling': 1.0}]
    """
    nulls = None if score.nulls is None else score.nulls.T
    main = {"value": score.values, "null": score.null, "ceiling": score.ceiling, "curve": score.curve, "nulls": nulls}
    tables = [_rows(score.metric, ids, main)]
    tables += [_rows(f"{score.metric}.{name}", ids, {"value": values}) for name, values in score.aux.items()]
    table = pa.concat_tables(tables)
    for place, (name, value) in enumerate(asdict(case).items()):
        table = table.add_column(place, name, pa.array([value] * len(table)))
    return table


def _rows(metric: str, ids: tuple[str, ...], numbers: dict[str, Tensor | None]) -> pa.Table:
    single, many = pa.float64(), pa.list_(pa.float64())
    types = {"value": single, "null": single, "ceiling": single, "curve": many, "nulls": many}
    columns = {"metric": pa.array([metric] * len(ids)), "sample_id": pa.array(ids)}
    for name, kind in types.items():
        values = numbers.get(name)
        columns[name] = pa.nulls(len(ids), kind) if values is None else pa.array(values.tolist(), kind)
    return pa.table(columns)
