"""A time budget: how many samples and which methods of a panel fit into it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from perdure.audit.decide import collect_panel_evidence
from perdure.audit.explain import AuditRequest, explain_panel
from perdure.audit.panel import is_control
from perdure.audit.samples import FEWEST
from perdure.core.batch import slice_batch
from perdure.core.errors import BudgetError, RunFolderError, SettingError, user_code_errors
from perdure.core.estimate import Estimate
from perdure.records.documents import from_json, to_json
from perdure.records.files import write_bytes
from perdure.records.place import exists
from perdure.records.scores import Case
from perdure.stability.members import TrainedModel

__all__ = ["BudgetPlan", "Cost", "choose_plan", "measure_costs", "open_plan", "parse_duration"]

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

RESERVE = 0.15
"""Fraction of the budget for the page, and for what was measured too low."""

FEW, MORE = 2, 8
"""Numbers of samples whose time is measured: the second shows how much one sample more costs."""

MEASURING = 0.25
"""Fraction of the budget after which no further method is measured."""

ACCURACY = Estimate(1.0, 0.0, 1.0, (1.0, 1.0))
"""Accuracy for evidence of which only the time counts."""


@dataclass(frozen=True)
class Cost:
    """Seconds as a linear function of the number of samples.

    Args:
        fixed: Seconds without any sample.
        each: Seconds per sample.
    """

    fixed: float
    each: float

    def at(self, samples: int) -> float:
        """Return the seconds for a number of samples."""
        return self.fixed + self.each * samples


@dataclass(frozen=True)
class BudgetPlan:
    """The part of an audit that fits into a budget.

    Args:
        samples: Number of samples to explain.
        left_out: Methods that are left out.
    """

    samples: int
    left_out: tuple[str, ...] = ()


def parse_duration(text: str) -> float:
    """Read a duration as written on the command line.

    Args:
        text: Number with a unit: 90, 90s, 2m or 1.5h.

    Returns:
        Seconds.

    Raises:
        SettingError: For anything else.

    Example:
        >>> parse_duration("2m")
        120.0
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    if match is None or float(match[1]) == 0:
        raise SettingError(f"the budget is '{text}'", "give a time such as 90s, 2m or 1h")
    return float(match[1]) * UNITS[match[2]]


def open_plan(
    models: Mapping[TrainedModel, Sequence[str]], request: AuditRequest, seconds: float, case: Case, folder: Path
) -> BudgetPlan:
    """Plan an audit, or read the plan of an interrupted one.

    Args:
        models: Methods of each model.
        request: Samples and metrics without a budget.
        seconds: Budget.
        case: Names for the record.
        folder: Folder of the run, which keeps the plan.

    Returns:
        The plan.

    Raises:
        BudgetError: When not even one method fits.
        RunFolderError: When the stored plan is damaged.
    """
    path = folder / "budget.json"
    if exists(path):
        remedy = "delete the folder of this audit, or give another one: its results depend on this plan"
        with user_code_errors(RunFolderError, f"{path} is damaged: its reader", remedy):
            stored = from_json(path.read_bytes())
            return BudgetPlan(int(stored["samples"]), tuple(stored["left_out"]))
    start = time.perf_counter()
    shared, costs = measure_costs(models, request, seconds, case)
    plan = choose_plan(shared, costs, seconds, time.perf_counter() - start, len(request.batch))
    missed = {name for methods in models.values() for name in methods} - set(costs)
    plan = replace(plan, left_out=(*plan.left_out, *sorted(missed)))
    write_bytes(path, to_json(asdict(plan)))
    return plan


def measure_costs(
    models: Mapping[TrainedModel, Sequence[str]], request: AuditRequest, seconds: float, case: Case
) -> tuple[Cost, dict[str, Cost]]:
    """Measure what the methods cost on a few samples.

    Args:
        models: Methods of each model.
        request: Samples and metrics.
        seconds: Budget, of which a quarter is spent at most after the first method.
        case: Names for the record.

    Returns:
        The cost that all methods of all models share, and that of each method on all models; those that were not
        measured for lack of time are missing.
    """
    begin = time.perf_counter()
    times: dict[int, dict[str, float]] = {}
    for samples in (FEW, MORE):
        few = replace(request, batch=slice_batch(request.batch, slice(0, samples)), faithfulness_samples=samples)
        known = times.setdefault(samples, {})
        with TemporaryDirectory(prefix="perdure-") as folder:
            for trained, methods in models.items():
                _measure_model(trained, methods, few, (case, Path(folder)), known, begin + MEASURING * seconds)
        if (time.perf_counter() - begin) * MORE / FEW > MEASURING * seconds:
            break
    first, second = times[FEW], times.get(MORE, {})
    costs = {name: _fit_line(first[name], second.get(name)) for name in first}
    return costs.pop("", Cost(0.0, 0.0)), costs


def _measure_model(
    trained: TrainedModel,
    methods: Sequence[str],
    few: AuditRequest,
    place: tuple[Case, Path],
    known: dict[str, float],
    end: float,
) -> None:
    """Add the seconds of each method and, under an empty name, of what all methods share."""
    case, folder = place

    def add(name: str, work: Callable[[], object]) -> object:
        start = time.perf_counter()
        result = work()
        known[name] = known.get(name, 0.0) + time.perf_counter() - start
        return result

    add("", lambda: collect_panel_evidence(trained, (), few, ACCURACY, place))
    for number, name in enumerate(methods):
        if number > 0 and time.perf_counter() > end:
            return
        add(name, lambda name=name: explain_panel(trained, (name,), few, case=case, folder=folder))  # type: ignore[misc]


def _fit_line(few: float, more: float | None) -> Cost:
    if more is None:
        return Cost(0.0, few / FEW)
    each = (more - few) / (MORE - FEW)
    return Cost(few - FEW * each, each) if few > FEW * each > 0 else Cost(0.0, more / MORE)


def choose_plan(shared: Cost, costs: Mapping[str, Cost], seconds: float, spent: float, most: int) -> BudgetPlan:
    """Choose samples and methods: all methods with as many samples as fit, or with few samples the cheaper methods.

    Args:
        shared: Cost that does not depend on the methods.
        costs: Cost of each method.
        seconds: Budget.
        spent: Seconds that are already spent.
        most: Maximum number of samples.

    Returns:
        The plan.

    Raises:
        BudgetError: When not even the cheapest method fits.

    Example:
        >>> choose_plan(Cost(1, 0), {"a": Cost(0, 1), "b": Cost(0, 9)}, 100.0, 0.0, 128)
        BudgetPlan(samples=84, left_out=('b',))
    """
    usable, fewest = seconds * (1 - RESERVE) - spent, min(FEWEST, most)
    kept = sorted(costs, key=lambda name: (not is_control(name), costs[name].at(fewest)))  # the last is left out first
    while len(kept) > 1 and _total(shared, costs, kept, fewest) > usable:
        kept.pop(0 if len(kept) == 2 and is_control(kept[0]) else -1)
    if _total(shared, costs, kept, fewest) > usable:
        needed = (spent + _total(shared, costs, kept, fewest)) / (1 - RESERVE)
        raise BudgetError(
            f"a budget of {seconds:.0f} seconds is too small for one method: {' and '.join(kept)} on {fewest} samples "
            f"needs about {needed:.0f} seconds",
            f"give --budget {needed + 1:.0f}s or more, in Python AuditSettings(budget={needed + 1:.0f})",
        )
    fixed = _total(shared, costs, kept, 0)
    each = _total(shared, costs, kept, 1) - fixed
    samples = most if each <= 0 else int(min(most, max(fewest, (usable - fixed) / each)))
    return BudgetPlan(samples, tuple(name for name in costs if name not in kept))


def _total(shared: Cost, costs: Mapping[str, Cost], names: Sequence[str], samples: int) -> float:
    return shared.at(samples) + sum(costs[name].at(samples) for name in names)
