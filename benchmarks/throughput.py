"""Explaining 20,000 series through the engine, compared with a bare loop of forward and backward passes."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.harness import Row, best_ratio, interleave
from perdure.attribution.saliency import Saliency
from perdure.core.batch import Batch
from perdure.core.random import stream
from perdure.engine.explain import ExplainJob, explain
from perdure.models._presets import model_config

SERIES, STEPS, FEATURES, SHARD, REPEATS, TARGET = 20_000, 100, 10, 128, 3, 0.9


def run() -> list[Row]:
    torch.set_num_threads(1)
    x = torch.randn(SERIES, STEPS, FEATURES, generator=stream(0, "series"))
    batch = Batch(x, torch.zeros(SERIES, dtype=torch.int64))
    return [_row(name, batch) for name in ("lstm", "lstm_input_cell_attention")]


def _row(name: str, batch: Batch) -> Row:
    model = model_config(name).build(FEATURES, 2, stream(0)).eval()
    with tempfile.TemporaryDirectory() as folder:
        places = (Path(folder) / str(i) for i in count())
        seconds = interleave(
            {
                "ours": lambda: explain(ExplainJob(model, batch, Saliency(), next(places), name, shard=SHARD)),
                "bare": lambda: _bare(model, batch.inputs),
            },
            REPEATS,
        )
    ratio = best_ratio(seconds, "bare", "ours")
    ours, bare = (SERIES / min(seconds[name]) for name in ("ours", "bare"))
    case = f"{name}, {SERIES} series of {STEPS} x {FEATURES}, saliency of the prediction, {SHARD} at once, one thread"
    return Row(
        "throughput of explain", case, ours, bare, ratio, f">= {TARGET} of bare passes", ratio >= TARGET, "series/s"
    )


def _bare(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Differentiate the largest logit of each sample, batch after batch; nothing is checked or stored."""
    maps = []
    for part in x.split(SHARD):
        leaf = part.clone().requires_grad_()
        maps.append(torch.autograd.grad(model(leaf).amax(1).sum(), leaf)[0].abs())
    return maps
