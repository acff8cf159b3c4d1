"""Insertion and deletion against the loop that perturbs one sample after the other, one step after the other."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmarks.harness import Row, best_ratio, interleaved
from perdure.core.query import Query
from perdure.core.target import Logit
from perdure.core.trial import Trial
from perdure.metrics.deletion import Deletion
from perdure.metrics.insertion import Insertion

BATCH, POINTS, TARGET = 8, 64, 3.0


class Series(nn.Module):
    """A plain LSTM classifier that cannot go on from a state."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrence = nn.LSTM(16, 64, batch_first=True)
        self.head = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrence(x)[0][:, -1])


def images() -> nn.Module:
    """A small convolutional classifier for 32 by 32 pixels."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 64, 10)),
    )


def run() -> list[Row]:
    cases = {"1024 pixels, CNN": (images, (3, 32, 32)), "T 100, LSTM": (Series, (100, 16))}
    return [_row(threads, name, model, sites) for threads in (1, 2) for name, (model, sites) in cases.items()]


def _row(threads: int, name: str, make: type[nn.Module], sites: tuple[int, ...]) -> Row:
    torch.set_num_threads(threads)
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        model, x, values = make().eval(), torch.randn(BATCH, *sites), torch.randn(BATCH, *sites)
    label = torch.zeros(BATCH, dtype=torch.long)
    metrics = [some(points=POINTS, granularity="position") for some in (Insertion, Deletion)]

    def ours() -> Tensor:
        trial = Trial(Query(model, x, Logit(label)), values)
        return torch.stack([metric.measure(trial).values for metric in metrics])

    def loop() -> Tensor:
        with torch.no_grad():
            pairs = [_areas(model, one, map_, 0) for one, map_ in zip(x, values, strict=True)]
        return torch.tensor(pairs).T

    assert torch.allclose(ours(), loop(), atol=1e-5)
    seconds = interleaved({"ours": ours, "loop": loop}, 4)
    ratio = best_ratio(seconds, "loop", "ours")
    case = f"{name}, {POINTS} steps, batch {BATCH}, {threads} threads, against the loop"
    peer = min(seconds["loop"])
    return Row("insertion, deletion", case, min(seconds["ours"]), peer, ratio, f">= {TARGET:g}x", ratio >= TARGET)


def _areas(model: nn.Module, x: Tensor, values: Tensor, label: int) -> tuple[float, float]:
    """Insert and delete the positions of one sample in equal steps, from and to zero."""
    axis = 0 if x.ndim == 3 else 1
    order = values.sum(axis).flatten().argsort(descending=True)
    total = len(order)
    steps = min(total, POINTS)
    ends = [(2 * k * total + steps) // (2 * steps) for k in range(steps + 1)]
    areas = []
    for start, end in ((torch.zeros_like(x), x), (x, torch.zeros_like(x))):
        current, target = (some.movedim(axis, -1).flatten(0, -2).clone() for some in (start, end))
        shape = x.movedim(axis, -1).shape
        scores = []
        for before, until in zip([0, *ends], ends, strict=False):
            current[order[before:until]] = target[order[before:until]]
            image = current.reshape(shape).movedim(-1, axis)
            scores.append(model(image[None]).softmax(-1)[0, label].item())
        widths = [(b - a) / total for a, b in pairwise(ends)]
        areas.append(sum(w * (s + t) / 2 for w, (s, t) in zip(widths, pairwise(scores), strict=True)))
    return areas[0], areas[1]
