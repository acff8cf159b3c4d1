"""fMRI saliency: which regions, and which moments, a network reads a task from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.random import stream, sub_seeds, uniform
from perdure.core.target import Logit
from perdure.data._hcp.events import REPETITION
from perdure.data.hcp_task import HCPTask
from perdure.data.simulated_fmri import SimulatedFMRI
from perdure.models._presets import PRESETS
from perdure.ops.rank import descending_rank
from perdure.report.charts.brain import can_draw_brains, draw_brain_maps, draw_region_strips
from perdure.report.charts.figure import to_png
from perdure.report.charts.heatmap import relative_to_uniform
from perdure.report.charts.study_charts import draw_removal
from perdure.studies._cell import explain_and_evaluate, measure_accuracy
from perdure.studies._figures import draw_means
from perdure.studies._table import Cell, CellResult, Row
from perdure.training.predict import accuracy
from perdure.training.settings import CLEAN
from perdure.training.train import train

__all__ = ["FMRISaliency", "mark_delayed"]

LSTM, ATTENTION = "lstm", "lstm_input_cell_attention"
BOTH = f"{LSTM} and {ATTENTION}"

TRAINING = replace(CLEAN, epochs=40, learning_rate=5e-3, clip=1.0)

WITH_TRUTH = ("auroc", "auprc", "vanishing")
WITHOUT = ("vanishing",)

CURVES = ((LSTM, LSTM), (ATTENTION, ATTENTION), (LSTM, ATTENTION))
"""Network whose accuracy is measured, and network whose map determines the removed elements."""

FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
TOP = 0.05
"""Fraction of the elements that counts as the top of a map."""

DELAY = 6.0
"""Seconds from the event to the height of the response."""

TIMES = ("early", "middle", "late")


@dataclass(frozen=True)
class FMRISaliency:
    """Show the regions that a network uses early, in the middle and late, and whether it needs them.

    An LSTM and an LSTM with input-cell attention learn the task of a scan. The map is the absolute gradient of the
    logit of the true class. The study reports the map of the regions in each third of the scan; the accuracy when the
    top 0 to 50 % of the elements become 0, the mean of their region, by the map of the network and, for the LSTM, by
    that of the other; and how much of the top 5 % falls into on-task steps, six seconds after the events; the rest is
    off task. Simulated scans also have a truth to compare with; its own curve is the ceiling of the removal.

    Args:
        path: folder of the task data of the Human Connectome Project; empty for simulated scans.
        seeds: Number of training runs.
        smoke: Whether to use a size that runs in seconds.

    Reference:
        ismail2019inputcell

    Notes:
        The map explains the true class, so it removes evidence for that class: a curve may fall below chance.
    """

    path: str = ""
    seeds: int = 3
    smoke: bool = False

    def cells(self) -> Sequence[Cell]:
        """List the seeds; one cell trains both networks, since one is evaluated by the map of the other."""
        name = "hcp_task" if self.path else "simulated_fmri"
        return [Cell(name, BOTH, seed) for seed in range(self.seeds)]

    def work(self, cell: Cell) -> CellResult:
        """Train both networks, explain the test scans, evaluate the maps and remove their top elements."""
        splits = self._dataset().load(cell.seed)
        test = splits.test
        rows: list[Row] = []
        networks: dict[str, nn.Module] = {}
        maps: dict[str, Tensor] = {}
        for name in (LSTM, ATTENTION):
            mine = replace(cell, model=name)
            config = replace(PRESETS[name], hidden_size=32)
            settings = replace(TRAINING, epochs=1) if self.smoke else TRAINING
            networks[name] = train(config, splits, settings, cell.seed).model
            metrics = WITHOUT if test.truth is None else WITH_TRUTH
            scores, maps[name] = explain_and_evaluate(networks[name], test, Logit, metrics, mine)
            rows += [measure_accuracy(networks[name], test, mine), *scores, _on_task(maps[name], test, mine)]
        rows += [row for curve in CURVES for row in _removal(networks, maps, curve, test, cell)]
        first = test.label == test.label[0]
        shown = maps if test.truth is None else {"truth": test.truth.float(), **maps}
        return CellResult(rows, {name: _thirds(values[first]) for name, values in shown.items()})

    def list_published(self) -> Sequence[Row]:
        """List nothing: the paper shows pictures and curves only."""
        return []

    def draw_figures(self, rows: Sequence[Row], arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, bytes]:
        """Draw a chart per metric, the curves of removal, and regions as strips and, where possible, on the surface."""
        metrics = dict.fromkeys(row.metric for row in rows if not row.metric.startswith(_REMOVED))
        charts = {name: draw_means(rows, name) for name in metrics}
        mean = {name: np.mean([thirds[name] for thirds in arrays.values()], 0) for name in next(iter(arrays.values()))}
        pictures = {"removal": _removal_chart(rows), "regions": to_png(draw_region_strips(mean, TIMES))}
        if not self.smoke and can_draw_brains(self._dataset().regions()):
            pictures["brains"] = to_png(draw_brain_maps(mean, TIMES))
        return {**charts, **pictures}

    def _dataset(self) -> HCPTask | SimulatedFMRI:
        if self.path:
            return HCPTask(self.path)
        return SimulatedFMRI(train=4, validation=1, test=2, steps=45) if self.smoke else SimulatedFMRI()


_REMOVED = "accuracy without top "


def mark_delayed(event: Int[Tensor, "batch time"], steps: int) -> Bool[Tensor, "batch time"]:
    """Mark the steps that come a delay after an event.

    Args:
        event: Event of each step, -1 for none.
        steps: the delay.

    Returns:
        True on task; the first steps have no event before them.

    Example:
        >>> mark_delayed(torch.tensor([[0, 0, -1, 1]]), 1).int().tolist()
        [[0, 1, 1, 0]]
    """
    on = torch.zeros_like(event, dtype=torch.bool)
    on[:, steps:] = event[:, : event.shape[1] - steps] >= 0
    return on


def _on_task(maps: Float[Tensor, "batch time region"], test: Batch, cell: Cell) -> Row:
    """Count how much of what a map shows is on task; a map without a preference shows as much as there is."""
    assert test.event is not None
    on = mark_delayed(test.event, round(DELAY / REPETITION))[..., None].expand_as(maps)
    value, null = on[_top(maps, TOP)].float().mean().item(), on.float().mean().item()
    return Row(cell.dataset, cell.model, "saliency", "on_task", str(cell.seed), value, null, 1.0)


def _removal(
    networks: Mapping[str, nn.Module], maps: Mapping[str, Tensor], curve: tuple[str, str], test: Batch, cell: Cell
) -> list[Row]:
    """Follow the accuracy of a network; the null takes sites at random, the ceiling those of the truth first."""
    reader, guide = curve
    method = "saliency" if reader == guide else f"saliency of {guide}"
    any_map = uniform(sub_seeds(stream(cell.seed, "removal"), len(test)), tuple(test.inputs.shape[1:]), test.inputs)
    orders = {"value": maps[guide], "null": any_map}
    if test.truth is not None:
        orders["ceiling"] = test.truth + any_map / 2
    rows = []
    for fraction in FRACTIONS:
        numbers = {name: _without(networks[reader], test, order, fraction) for name, order in orders.items()}
        ends = numbers["value"], numbers["null"], numbers.get("ceiling")
        rows.append(Row(cell.dataset, reader, method, f"{_REMOVED}{fraction:.0%}", str(cell.seed), *ends))
    return rows


def _without(network: nn.Module, test: Batch, order: Float[Tensor, "batch time region"], fraction: float) -> float:
    return accuracy(network, replace(test, inputs=test.inputs.masked_fill(_top(order, fraction), 0.0)))


def _top(values: Float[Tensor, "batch time region"], fraction: float) -> Bool[Tensor, "batch time region"]:
    flat = values.flatten(1)
    count = round(fraction * flat.shape[1])
    return (descending_rank(flat, torch.ones_like(flat, dtype=torch.bool)) < count).reshape(values.shape)


def _thirds(maps: Float[Tensor, "batch time region"]) -> Float[np.ndarray, "third region"]:
    """Average maps, relative to a uniform map, over samples and each third of the steps."""
    mean = relative_to_uniform(maps.double().numpy()).mean(0)
    return np.stack([part.mean(0) for part in np.array_split(mean, len(TIMES))])


def _removal_chart(rows: Sequence[Row]) -> bytes:
    """Draw the mean curves over seeds, with the bounds of each network."""
    curves: dict[str, list[float]] = {}
    bounds: dict[str, list[float]] = {}
    for reader, guide in CURVES:
        method = "saliency" if reader == guide else f"saliency of {guide}"
        removed = [
            row for row in rows if (row.model, row.method) == (reader, method) and row.metric.startswith(_REMOVED)
        ]
        points = {
            metric: [row for row in removed if row.metric == metric]
            for metric in dict.fromkeys(r.metric for r in removed)
        }
        name = reader if reader == guide else f"{reader}, map of {guide}"
        curves[name] = [float(np.mean([row.value for row in point])) for point in points.values()]
        for bound, kind in (("truth", "ceiling"), ("random", "null")):
            known = [[getattr(row, kind) for row in point] for point in points.values()]
            if known[0][0] is not None and reader == guide:
                bounds[f"{reader}, {bound}"] = [float(np.mean(numbers)) for numbers in known]
    return to_png(draw_removal(FRACTIONS, curves, bounds))
