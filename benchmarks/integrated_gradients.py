"""Integrated gradients to a completeness gap of 1e-3: gradient evaluations against Captum's 50 steps."""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from torch import Tensor, nn

import perdure
from benchmarks.harness import Row
from perdure.core.errors import CompletenessWarning
from perdure.data.boxes import Boxes
from perdure.models.presets import PRESETS
from perdure.training.ensemble import train
from perdure.training.settings import CLEAN

GAP, CAPTUM_STEPS, TARGET, UNIT = 1e-3, 50, 0.5, "gradients"
CASES = (
    ("gru", 16, "latter"),
    ("rnn", 16, "latter"),
    ("lstm", 5, "latter"),
    ("lstm", 32, "latter"),
    ("lstm", 32, "middle"),
    ("gru", 32, "middle"),
    ("lstm_input_cell_attention", 5, "earlier"),
    ("lstm_input_cell_attention", 32, "middle"),
)


def run() -> list[Row]:
    torch.set_num_threads(2)
    rows, strict, alike = [], [], []
    for name, hidden, variant in CASES:
        model, x, label = _trained(name, hidden, variant)
        peer = CaptumIntegratedGradients(model).attribute(x, torch.zeros_like(x), label, n_steps=CAPTUM_STEPS)
        captum = _gap(model, x, label, peer)
        spent = {tolerance: _ours(model, x, label, tolerance) for tolerance in {GAP, max(GAP, captum)}}
        strict.append(spent[GAP][0])
        alike.append(spent[max(GAP, captum)][0])
        case = f"{name}, hidden {hidden}, {variant}; largest gap ours {spent[GAP][1]:.2g}, Captum {captum:.2g}"
        rows.append(Row("gradients to 1e-3", case, strict[-1], CAPTUM_STEPS, strict[-1] / CAPTUM_STEPS, "", None, UNIT))
    mean, easier = (sum(some) / len(some) for some in (strict, alike))
    share, name = mean / CAPTUM_STEPS, "mean over networks"
    every = Row("gradients to 1e-3", name, mean, CAPTUM_STEPS, share, "<= 1/2", share <= TARGET, UNIT)
    looser = "gradients to the larger of 1e-3 and Captum's gap"
    return [every, Row(looser, name, easier, CAPTUM_STEPS, easier / CAPTUM_STEPS, "", None, UNIT), *rows]


def _trained(name: str, hidden: int, variant: str) -> tuple[nn.Module, Tensor, Tensor]:
    splits = Boxes(variant, train=600, size=60, test=32).load(0)
    model = train(replace(PRESETS[name], hidden_size=hidden), splits, CLEAN, 0).model
    return model, splits.test.inputs, splits.test.label


def _ours(model: nn.Module, x: Tensor, label: Tensor, tolerance: float) -> tuple[float, float]:
    """Give our gradients per sample and the largest gap that is left."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CompletenessWarning)
        found = perdure.attribute(model, x, f"integrated_gradients:tolerance={tolerance}", target=label)
    return found.provenance.backward / len(x), _gap(model, x, label, found.values)


def _gap(model: nn.Module, x: Tensor, label: Tensor, values: Tensor) -> float:
    with torch.no_grad():
        change = (model(x) - model(torch.zeros_like(x))).gather(1, label[:, None])[:, 0]
    return (values.flatten(1).sum(1) - change).abs().max().item()
