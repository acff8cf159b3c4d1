"""InputIBA on recurrent networks that find one planted step: five chose its settings, three did not.

The goal is the planted step in 95 % of the samples; docs/notes/input-iba.md lists the networks that miss it. The test
holds 85 % and what the masks keep.

`pytest -s -m slow tests/attribution/iba/test_planted_networks.py` trains and measures all of them.
"""

from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize

from perdure.attribution._attribute import attribute
from perdure.attribution.input_iba import InputIBA
from perdure.core.batch import Batch
from perdure.core.random import global_stream
from tests.cases import stream

AMPLITUDE, NOISE = 3.0, 0.5
SAMPLES = 64


class Task(NamedTuple):
    """Size of the data and of the network."""

    steps: int
    features: int
    classes: int
    hidden: int
    cell: type[nn.RNNBase]
    layers: int = 1


DEVELOPMENT = {
    "a": Task(12, 4, 2, 16, nn.LSTM),
    "b": Task(40, 3, 3, 24, nn.LSTM),
    "c": Task(25, 6, 4, 32, nn.LSTM, 2),
    "d": Task(20, 5, 2, 16, nn.GRU),
    "e": Task(60, 4, 3, 32, nn.GRU),
}
HELD_OUT = {
    "f": Task(16, 4, 3, 20, nn.LSTM),
    "g": Task(80, 6, 5, 40, nn.GRU),
    "h": Task(30, 4, 2, 24, nn.LSTM, 3),
}
"""Networks on which no setting was chosen."""


class ReadsLastState(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.recurrence = task.cell(task.features, task.hidden, task.layers, batch_first=True)
        self.head = nn.Linear(task.hidden, task.classes)

    def forward(self, x):
        return self.head(self.recurrence(x)[0][:, -1])


def draw(task, count, seed):
    """Draw noise with the direction of the class at one step."""
    generator = stream(seed)
    direction = normalize(torch.randn(task.classes, task.features, generator=stream(99)))
    x = NOISE * torch.randn(count, task.steps, task.features, generator=generator)
    label = torch.randint(task.classes, (count,), generator=generator)
    step = torch.randint(task.steps, (count,), generator=generator)
    x[torch.arange(count), step] += AMPLITUDE * direction[label]
    return x, label, step


def train(task, seed, epochs=60):
    """Train until the network recognises nearly all held-out series."""
    with global_stream(stream(seed), torch.device("cpu")):
        model = ReadsLastState(task)
    (x, label, _), (new, truth, _) = draw(task, 3000, seed), draw(task, 500, seed + 100)
    adam, generator = torch.optim.Adam(model.parameters(), 5e-3), stream(seed)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(64):
            adam.zero_grad()
            cross_entropy(model(x[rows]), label[rows]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
        with torch.no_grad():
            if (model(new).argmax(1) == truth).float().mean() > 0.985:
                break
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DEVELOPMENT, *HELD_OUT])
def test_the_highest_step_is_the_planted_one_and_the_mask_keeps_the_prediction(name):
    task = (DEVELOPMENT | HELD_OUT)[name]
    seed = "abcdefgh".index(name)
    model = train(task, seed)
    x, label, step = draw(task, 1000, seed + 200)
    right = (model(x).argmax(1) == label).nonzero()[:SAMPLES, 0]
    x, label, step = x[right], label[right], step[right]
    fitted = draw(task, 512, seed + 300)[0]
    method = InputIBA().fit(model, Batch(fitted, torch.zeros(len(fitted), dtype=torch.int64)))
    result = attribute(model, x, method, target=label)
    highest = (result.values.sum(2).argmax(1) == step).double().mean().item()
    kept, converged = result.aux["kept"], result.aux["converged"].double().mean().item()
    integrated = attribute(model, x, "integrated_gradients:steps=64", target=label).values.sum(2).argmax(1)
    print(  # noqa: T201 - the figures, with -s
        f"{name}: highest step right {highest:.3f}, integrated gradients {(integrated == step).double().mean():.3f}, "
        f"kept {kept.mean():.3f}, at least .85 in {(kept >= 0.85).double().mean():.3f}, converged {converged:.3f}"
    )
    assert highest >= 0.85
    assert (kept >= 0.85).double().mean() >= 0.95
    assert converged >= 0.95
