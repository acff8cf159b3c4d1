"""Occlusion of a causal LSTM, resumed from states, against Captum's at its best chunking."""

from __future__ import annotations

import torch
from captum.attr import Occlusion as CaptumOcclusion

import perdure
from benchmarks.harness import Row, best_ratio, interleave
from perdure.models.recurrent import Recurrent

STEPS, FEATURES, HIDDEN, TARGET = 400, 100, 64, 1.8
CHUNKS = (1, 8, 16, 64)
"""Captum's perturbations_per_eval; the fastest is the peer."""


def run() -> list[Row]:
    torch.set_num_threads(2)
    return [_row(batch) for batch in (4, 8)]


def _row(batch: int) -> Row:
    generator = torch.Generator().manual_seed(0)
    model = Recurrent(hidden_size=HIDDEN).build(FEATURES, 2, generator).eval()
    x = torch.randn(batch, STEPS, FEATURES, generator=generator)
    label = torch.zeros(batch, dtype=torch.long)

    def ours() -> torch.Tensor:
        return perdure.attribute(model, x, "occlusion", target=label).values

    def captum(chunk: int) -> torch.Tensor:
        with torch.no_grad():
            return CaptumOcclusion(model).attribute(x, (1, FEATURES), target=label, perturbations_per_eval=chunk)

    assert torch.allclose(ours(), captum(16), atol=1e-5)
    peers = {f"captum {chunk}": lambda chunk=chunk: captum(chunk) for chunk in CHUNKS}
    seconds = interleave({"ours": ours, **peers}, 4)
    best = min(peers, key=lambda name: min(seconds[name]))
    ratio = best_ratio(seconds, best, "ours")
    case = f"T {STEPS}, window 1 step, batch {batch}, against {best}"
    return Row("occlusion", case, min(seconds["ours"]), min(seconds[best]), ratio, f">= {TARGET}x", ratio >= TARGET)
