"""Insertion and deletion against the loop that perturbs one sample after the other, one step after the other.

The second case is a picture on black ground: four fifths of its pixels are at the baseline already, and the map is zero
there, as that of input x gradient is. The last rows are the limit for inputs that all differ: nothing but the passes.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmarks.harness import Row, best_ratio, interleave
from perdure.core.attribution import Attribution
from perdure.core.query import Query
from perdure.core.target import Logit
from perdure.metrics.deletion import Deletion
from perdure.metrics.insertion import Insertion

BATCH, POINTS, TARGET = 8, 64, 3.0
BACKGROUND = 0.8
"""Fraction of black pixels of an image, as in scenes of a few shapes."""

CALL = 64
"""Images in one call of the model, near the best for its caches."""


class Series(nn.Module):
    """A plain LSTM classifier that cannot resume from a state."""

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
    cases = {
        "1024 pixels, CNN": (images, (3, 32, 32), 0.0),
        "1024 pixels, 80 % of them black, CNN": (images, (3, 32, 32), BACKGROUND),
        "T 100, LSTM": (Series, (100, 16), 0.0),
    }
    rows = [_row(threads, name, *case) for threads in (1, 2) for name, case in cases.items()]
    return [*rows, *(_limit(threads) for threads in (1, 2))]


def _limit(threads: int) -> Row:
    """Time the passes alone, for as many different inputs as the two curves of the first case have."""
    torch.set_num_threads(threads)
    model, x = images().eval(), torch.randn(CALL, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    passes = 2 * BATCH * (POINTS + 1)

    def run_passes() -> None:
        with torch.no_grad():
            for _ in range(passes // CALL):
                model(x)

    seconds = min(interleave({"passes": run_passes}, 4)["passes"]) * passes / (passes // CALL * CALL)
    return Row("the passes alone", f"1024 pixels, CNN, {threads} threads", seconds, None, seconds, "informs", None)


def _row(threads: int, name: str, make: type[nn.Module], sites: tuple[int, ...], black: float) -> Row:
    torch.set_num_threads(threads)
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        model, x, values = make().eval(), torch.randn(BATCH, *sites), torch.randn(BATCH, *sites)
        shown = torch.rand(BATCH, *sites[1:])[:, None] >= black if len(sites) == 3 else torch.ones(())
    x, values = x * shown, values * shown
    label = torch.zeros(BATCH, dtype=torch.long)
    metrics = [metric(points=POINTS, granularity="position") for metric in (Insertion, Deletion)]

    def ours() -> Tensor:
        attribution = Attribution(values, source=Query(model, x, Logit(label)))
        return torch.stack([metric.measure(attribution).values for metric in metrics])

    def loop() -> Tensor:
        with torch.no_grad():
            pairs = [_areas(model, sample, map_, 0) for sample, map_ in zip(x, values, strict=True)]
        return torch.tensor(pairs).T

    assert torch.allclose(ours(), loop(), atol=1e-5)
    seconds = interleave({"ours": ours, "loop": loop}, 4)
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
        current, target = (ends.movedim(axis, -1).flatten(0, -2).clone() for ends in (start, end))
        shape = x.movedim(axis, -1).shape
        scores = []
        for before, until in zip([0, *ends], ends, strict=False):
            current[order[before:until]] = target[order[before:until]]
            image = current.reshape(shape).movedim(-1, axis)
            scores.append(model(image[None]).softmax(-1)[0, label].item())
        widths = [(b - a) / total for a, b in pairwise(ends)]
        areas.append(sum(w * (s + t) / 2 for w, (s, t) in zip(widths, pairwise(scores), strict=True)))
    return areas[0], areas[1]
