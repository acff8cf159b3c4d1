"""The numbers of the papers, as data."""

from __future__ import annotations

from perdure.studies._table import Row

__all__ = ["ISMAIL_2019_TABLE_1", "ismail_2019_rows"]

SETS = ("earlier", "middle", "latter", "mixed", "three_earlier", "three_middle")

ISMAIL_2019_TABLE_1 = {
    "lstm": (
        (0.000, 1.006, 53.4),
        (0.000, 1.003, 98.6),
        (0.019, 0.985, 100.0),
        (0.000, 1.003, 49.1),
        (0.000, 1.003, 52.2),
        (0.000, 1.004, 51.8),
    ),
    "bi_lstm": (
        (0.000, 1.004, 50.7),
        (0.000, 1.003, 53.2),
        (0.013, 0.990, 100.0),
        (0.000, 1.002, 51.5),
        (0.000, 1.003, 51.3),
        (0.000, 1.003, 51.3),
    ),
    "lstm_self_attention": (
        (0.048, 0.973, 100.0),
        (0.048, 0.963, 100.0),
        (0.045, 0.973, 100.0),
        (0.060, 0.953, 100.0),
        (0.025, 0.985, 100.0),
        (0.075, 0.939, 99.9),
    ),
    "lstm_input_cell_attention": (
        (0.103, 0.914, 100.0),
        (0.124, 0.891, 100.0),
        (0.110, 0.903, 100.0),
        (0.104, 0.912, 77.6),
        (0.108, 0.903, 100.0),
        (0.106, 0.905, 100.0),
    ),
}
"""Weighted Jaccard, Euclidean distance and test accuracy in percent, by model, in the order of SETS."""


def ismail_2019_rows() -> list[Row]:
    """List Table 1 of the input-cell attention paper as rows of a study.

    Returns:
        Three rows per model and set, with the seed "paper" and accuracy as a share.

    Reference:
        ismail2019inputcell

    Example:
        >>> [row.value for row in ismail_2019_rows()[:3]]
        [0.0, 1.006, 0.534]
    """
    rows = []
    for model, numbers in ISMAIL_2019_TABLE_1.items():
        for name, (jaccard, euclidean, percent) in zip(SETS, numbers, strict=True):
            rows.append(Row(name, model, "saliency", "weighted_jaccard", "paper", jaccard))
            rows.append(Row(name, model, "saliency", "euclidean", "paper", euclidean))
            rows.append(Row(name, model, "", "accuracy", "paper", round(percent / 100, 3)))
    return rows
