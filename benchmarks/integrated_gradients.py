"""Integrated gradients to a completeness gap of 1e-3: gradient evaluations against Captum's 50 steps."""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from torch import Tensor, nn

import perdure
from benchmarks.harness import Row
from perdure.data.boxes import Boxes
from perdure.models.presets import PRESETS
from perdure.training.ensemble import train
from perdure.training.settings import CLEAN

GAP, CAPTUM_STEPS, TARGET = 1e-3, 50, 0.5
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
    measured = [_measure(*case) for case in CASES]
    names = [f"{name}, hidden {hidden}, {variant}" for name, hidden, variant in CASES]
    rows = [_row(name, *found) for name, found in zip(names, measured, strict=True)]
    evaluations = sum(found[0] for found in measured) / len(measured)
    share = evaluations / CAPTUM_STEPS
    name = "gradient evaluations per sample to a gap of 1e-3"
    mean = Row(name, "mean over networks", evaluations, CAPTUM_STEPS, share, "<= 1/2", share <= TARGET, "gradients")
    return [mean, *rows]


def _row(case: str, evaluations: float, ours: float, captum: float) -> Row:
    about = f"{case}; largest gap ours {ours:.2g}, Captum {captum:.2g}"
    return Row("gradients", about, evaluations, CAPTUM_STEPS, evaluations / CAPTUM_STEPS, "informs", None, "gradients")


def _measure(name: str, hidden: int, variant: str) -> tuple[float, float, float]:
    """Train a network; give our gradients per sample and the largest gap of either side."""
    splits = Boxes(variant, train=600, size=60, test=32).load(0)
    model = train(replace(PRESETS[name], hidden_size=hidden), splits, CLEAN, 0).model
    x, label = splits.test.inputs, splits.test.label
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        method = f"integrated_gradients:tolerance={GAP}"
        found = perdure.attribute(model, x, method, target=label)
    peer = CaptumIntegratedGradients(model).attribute(x, torch.zeros_like(x), label, n_steps=CAPTUM_STEPS)
    gaps = [_gap(model, x, label, values) for values in (found.values, peer)]
    return found.provenance.backward / len(x), *gaps


def _gap(model: nn.Module, x: Tensor, label: Tensor, values: Tensor) -> float:
    with torch.no_grad():
        change = (model(x) - model(torch.zeros_like(x))).gather(1, label[:, None])[:, 0]
    return (values.flatten(1).sum(1) - change).abs().max().item()
