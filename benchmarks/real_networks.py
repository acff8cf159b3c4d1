"""The study of real networks: what the masks of InputIBA keep, and its curves against every method.

`REVIEWS=movie.csv.gz MNIST=folder make bench ONLY=real_networks`; parts without a package or file are left out.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.harness import Row
from perdure.studies._table import Row as StudyRow
from perdure.studies._table import run_study
from perdure.studies.real_networks import RealNetworks

KEPT = Path("runs/real_networks")
"""Folder of the results, which are kept; a further run resumes it."""

TARGETS = {"kept_enough": 0.95, "converged": 0.95}
"""Fractions of samples that the masks should reach."""


def run() -> list[Row]:
    study = RealNetworks(reviews=os.environ.get("REVIEWS"), mnist=os.environ.get("MNIST"))
    return [_as_row(row) for row in run_study(study, KEPT, workers=2)]


def _as_row(row: StudyRow) -> Row:
    case = f"{row.dataset}, {row.model}, {row.method}"
    if row.kind == "method difference":
        case = f"{case} - {row.comparison}; {row.low:+.3f} to {row.high:+.3f}"
    bound = TARGETS.get(row.metric)
    target, meets = ("", None) if bound is None else (f">= {bound:g}", row.value >= bound)
    return Row(row.metric, case, row.value, row.null, row.value, target, meets, "")
