"""Verdict calibration: how often an audit is wrong, on maps and runs whose right answers are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from perdure.core.errors import SettingError
from perdure.core.resources import single_thread
from perdure.report.pages.page import render
from perdure.studies._calibration_page import compose_page, draw_rates, write_rates
from perdure.studies._calibration_table import count_answers, find_rates, list_rows, write_record
from perdure.studies._planted_runs import DEVELOPMENT_RUNS, HELD_OUT_RUNS
from perdure.studies._planted_tasks import DEVELOPMENT, HELD_OUT, make_task, train_on_permuted_labels
from perdure.studies._table import Cell, CellResult, Row
from perdure.studies._verdict_cases import VerdictCase, collect_map_cases, collect_run_cases

__all__ = ["VerdictCalibration"]

RUNS = "runs: "
"""Start of the names of cells about training runs."""

SMOKE = ("keywords", "bars", f"{RUNS}same", f"{RUNS}saturating: own")
"""Cells of the small size."""


@dataclass(frozen=True)
class VerdictCalibration:
    """Audit networks with known contributions by maps that are right, half right and wrong, and count the verdicts.

    The networks read small windows of series, texts and images, so that the Shapley value of each input has a closed
    form. Maps are made from it: exact, half right, negated, shifted, of another sample or network; others are made from
    the input alone, or from noise, or by common methods. Networks that were trained after the labels were permuted have
    learned nothing. Training runs read one copy or another of the same evidence, so that their maps agree as much as is
    planted. The rules of the verdicts were chosen on one half of the networks; error rates are those on the other.

    Args:
        seeds: Number of seeds of data and weights of each network, and of each set of runs.
        smoke: Whether to use a size that runs in seconds.
        samples: Number of explained samples of each network.
        first_seed: First seed.

    Raises:
        SettingError: Without a sample.

    Reference:
        perdure

    Notes:
        Cases of one network are not independent, so that the intervals, which count cases, are rather too narrow.
    """

    seeds: int = 3
    smoke: bool = False
    samples: int = 32
    first_seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise SettingError(f"samples={self.samples}", "explain at least two samples, as intervals are over samples")

    def cells(self) -> Sequence[Cell]:
        """List networks and sets of runs x seeds."""
        halves = {
            "development": (*DEVELOPMENT, *(f"{RUNS}{name}" for name in DEVELOPMENT_RUNS)),
            "held out": (*HELD_OUT, *(f"{RUNS}{name}" for name in HELD_OUT_RUNS)),
        }
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        return [
            Cell(half, name, seed)
            for half, names in halves.items()
            for name in names
            if not self.smoke or name in SMOKE
            for seed in seeds
        ]

    def work(self, cell: Cell) -> CellResult:
        """Collect the evidence about the cases of a network, or of a set of runs."""
        with single_thread():
            cases = self._collect(cell)
        text = json.dumps([asdict(case) for case in cases])
        return CellResult([], {"cases": np.array(text)})

    def compare_cells(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Sequence[Row]:
        """Decide all cases, and count the answers by half, question and right answer."""
        return list_rows(count_answers(_read(arrays)))

    def write_conclusion(self, rows: Sequence[Row]) -> str:
        """Describe the error rates of every answer."""
        return write_rates(find_rates(rows))

    def write_records(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, str]:
        """Write the counts, as the package contains them, as JSON."""
        settings = {"seeds": self.seeds, "samples": self.samples, "first_seed": self.first_seed, "smoke": self.smoke}
        return {"error_rates": write_record(count_answers(_read(arrays)), settings)}

    def list_published(self) -> Sequence[Row]:
        """List nothing: no audit with known error rates is published."""
        return []

    def draw_figures(
        self, rows: Sequence[Row], _arrays: Mapping[Cell, Mapping[str, np.ndarray]]
    ) -> Mapping[str, bytes]:
        """Draw the fractions of right answers."""
        return {"right_answers": draw_rates(rows)}

    def render_pages(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, str]:
        """Render the error rates and all cases that were decided otherwise."""
        return {"report": render(compose_page(_read(arrays)))}

    def _collect(self, cell: Cell) -> list[VerdictCase]:
        if cell.model.startswith(RUNS):
            return list(collect_run_cases(cell.model.removeprefix(RUNS), cell.seed))
        task = make_task(cell.model, cell.seed)
        cases = list(collect_map_cases(task, self.samples, cell.seed))
        if cell.seed == self.first_seed:
            permuted = train_on_permuted_labels(task, cell.seed)
            cases += collect_map_cases(permuted, self.samples, cell.seed, permuted=True)
        return cases


def _read(arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> dict[Cell, list[VerdictCase]]:
    return {
        cell: [VerdictCase(**record) for record in json.loads(str(of_cell["cases"]))]
        for cell, of_cell in arrays.items()
    }
