"""Explaining many sentences through the engine: what is spent outside the passes through the model."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import torch
from torch import nn

from benchmarks.harness import Row
from perdure.attribution.input_x_gradient import InputXGradient
from perdure.core.batch import Batch
from perdure.core.random import stream
from perdure.data.planted_text import PlantedText
from perdure.engine.explain import ExplainJob, explain
from perdure.models._presets import model_config

SENTENCES, REPEATS, TARGET = 2000, 3, 0.10


def run() -> list[Row]:
    torch.set_num_threads(1)
    splits = PlantedText(train=1, validation=1, test=SENTENCES).load(0)
    model = model_config("small_deep_lstm").build(splits.features, 2, stream(0)).eval()
    with tempfile.TemporaryDirectory() as folder:
        places = (Path(folder) / str(i) for i in count())
        work = [_explain(model, splits.test, next(places)) for _ in range(REPEATS + 1)][1:]
    whole, passes = min(work)
    fraction = 1 - passes / whole
    case = f"{SENTENCES} sentences, T {splits.test.inputs.shape[1]}, 4 LSTMs of 64, input x gradient"
    return [
        Row(
            "fraction of time outside forward and backward passes",
            case,
            whole,
            passes,
            fraction,
            f"<= {TARGET:.0%}",
            fraction <= TARGET,
        ),
    ]


def _explain(model: nn.Module, batch: Batch, folder: Path) -> tuple[float, float]:
    """Measure seconds of the whole, and those inside forward and backward passes."""
    with _clock(model) as spent:
        whole = _seconds(lambda: explain(ExplainJob(model, batch, InputXGradient(), folder, "model")))
    return whole, sum(spent)


@contextmanager
def _clock(model: nn.Module) -> Iterator[list[float]]:
    """Note the seconds of each pass through a model."""
    spent: list[float] = []
    forward, backward = model.forward, torch.autograd.grad

    def measure_time(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **settings: object) -> object:
            start = time.perf_counter()
            result = function(*args, **settings)
            spent.append(time.perf_counter() - start)
            return result

        return call

    model.forward, torch.autograd.grad = measure_time(forward), measure_time(backward)
    try:
        yield spent
    finally:
        del model.forward
        torch.autograd.grad = backward


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
