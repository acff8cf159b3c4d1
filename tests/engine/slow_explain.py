"""`python -m tests.engine.slow_explain FOLDER WORKERS`: explain 12 shards, slowly enough to be killed."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.engine.explain import ExplainJob
from perdure.engine.pool import Engine, Progress, run_pieces
from perdure.records.parts import finished_parts
from perdure.records.run import open_run

SHARDS = 12


@dataclass(frozen=True)
class Slow:
    """The gradient, after a while."""

    seconds: float = field(compare=False)

    def scores(self, query):
        time.sleep(self.seconds)
        return query.gradient(query.x)


def run(
    folder: Path,
    workers: int | Engine,
    seconds: float = 0.0,
    wrap: Callable = lambda work: work,
    progress: Progress | None = None,
) -> None:
    open_run(folder, {"what": "test"})
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4 * SHARDS, 5, 3, generator=generator)
    model = nn.Sequential(nn.Flatten(), nn.Linear(15, 2))
    for weight in model.parameters():
        nn.init.normal_(weight, generator=generator)
    work = ExplainJob(model, Batch(x, torch.zeros(len(x)).long()), Slow(seconds), folder / "maps", "linear", shard=4)
    run_pieces(wrap(work), [i for i in range(SHARDS) if i not in finished_parts(work.folder)], workers, progress)


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]), 0.1)
