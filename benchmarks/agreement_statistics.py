"""All statistics of agreement of ten runs, each between null and ceiling with its interval over runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.harness import Row
from perdure.core.random import stream
from perdure.stability.agreement import RunExplanations
from perdure.stability.measures import choose_similarities, compare_clusters, compare_samples, estimate_consistency
from perdure.stability.vectors import Vectors

RUNS, SAMPLES, TYPES, CORES, TARGET = 10, 10_000, 500, 2, 60.0
FRACTIONS = {"a fifth of the types in a sample": 0.2, "all types in every sample": 1.0}
"""Texts of up to 128 events hold at most a quarter of 500 types; the other case is the worst there is."""


def run() -> list[Row]:
    torch.set_num_threads(CORES)
    return [row for case, fraction in FRACTIONS.items() for row in _case(case, fraction)]


def _case(case: str, fraction: float) -> list[Row]:
    runs, label = _draw_runs(fraction)
    similarities = {
        similarity.name: similarity
        for method in ("attention", "gradient")
        for similarity in choose_similarities(method, 3)
    }
    work: dict[str, Callable[[], object]] = {
        **{name: partial(compare_samples, runs, similarity, 0) for name, similarity in similarities.items()},
        "ARI and AMI, 2 clusters": lambda: compare_clusters(runs, 2, 0),
        "MeGe and ReCo": lambda: estimate_consistency(runs, label, 0),
    }
    seconds = {}
    for name, function in work.items():
        start = time.perf_counter()
        function()
        seconds[name] = time.perf_counter() - start
        print(f"{case}, {name}: {seconds[name]:.1f} s", flush=True)
    whole = sum(seconds.values())
    size = f"{RUNS} runs x {SAMPLES} samples x {TYPES} types, {case}"
    rows = [Row("all agreement statistics", size, whole, None, whole, f"<= {TARGET:.0f} s", whole <= TARGET)]
    return rows + [Row(name, case, value, None, value, "", None) for name, value in seconds.items()]


def _draw_runs(fraction: float) -> tuple[list[RunExplanations], torch.Tensor]:
    """Draw runs whose explanations have half in common, and that agree on nine predictions in ten."""
    generator = stream(0, "agreement")
    present = torch.rand(SAMPLES, TYPES, generator=generator) < fraction
    label = torch.randint(2, (SAMPLES,), generator=generator)
    shared = torch.rand(SAMPLES, TYPES, generator=generator)
    runs = []
    for _ in range(RUNS):
        own = torch.rand(SAMPLES, TYPES, generator=generator)
        wrong = torch.rand(SAMPLES, generator=generator) < 0.05
        values = (shared + own).masked_fill(~present, 0.0)
        runs.append(RunExplanations(Vectors(values, present), torch.where(wrong, 1 - label, label)))
    return runs, label
