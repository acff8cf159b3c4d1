"""The same explanation by our methods as Captum's explainers, and by Captum's explainers as our methods."""

from __future__ import annotations

from dataclasses import replace

import torch
from captum import attr
from torch import Tensor, nn

import perdure
from benchmarks.harness import Row
from perdure.attribution.captum import Captum
from perdure.core.query import Query
from perdure.core.random import seed_libraries, sub_seeds
from perdure.data.boxes import Boxes
from perdure.interop.captum import as_captum
from perdure.models._presets import PRESETS
from perdure.training.settings import CLEAN
from perdure.training.train import train

TARGET, SAMPLES, SIZE, STEPS, UNIT = 1e-6, 8, 40, 50, "largest difference"
WINDOW = (2, 5)


def run() -> list[Row]:
    torch.set_num_threads(2)
    splits = Boxes("middle", train=300, size=SIZE, test=SAMPLES).load(0)
    model = train(replace(PRESETS["gru"], hidden_size=16), splits, CLEAN, 0).model.eval()
    x, label, background = splits.test.inputs, splits.test.label, splits.train.inputs[:16]
    rows = []
    for dtype in (torch.float64, torch.float32):
        rows += _rows(model.to(dtype), x.to(dtype), label, background.to(dtype))
    return rows


def _rows(model: nn.Module, x: Tensor, label: Tensor, background: Tensor) -> list[Row]:
    case = f"gru, boxes 'middle', {SAMPLES} x {SIZE} x {SIZE}, {str(x.dtype).removeprefix('torch.')}"
    window = list(WINDOW)
    integrated = attr.IntegratedGradients(model).attribute(x, target=label, n_steps=STEPS)
    occluded = attr.Occlusion(model).attribute(x, WINDOW, strides=WINDOW, target=label)
    sampled = _gradient_shap(model, x, label, background)
    ours_from_captum = {
        "integrated gradients": (Captum("IntegratedGradients", {"n_steps": STEPS}), integrated),
        "occlusion": (Captum("Occlusion", {"sliding_window_shapes": window, "strides": window}), occluded),
        "gradient SHAP": (Captum("GradientShap", {"n_samples": STEPS}, background), sampled),
    }
    captum_from_ours = {
        "integrated gradients": (f"integrated_gradients:steps={STEPS}", None, integrated),
        "occlusion": (f"occlusion:window={window}", None, occluded),
        "gradient SHAP": (f"gradient_shap:samples={STEPS}", background, sampled),
    }
    rows = []
    for name, (method, expected) in ours_from_captum.items():
        values = perdure.attribute(model, x, method, target=label).values
        rows.append(_row(f"Captum's {name} as ours", case, values, expected))
    for name, (method, references, expected) in captum_from_ours.items():
        values = as_captum(method, model).attribute(x, references, label)
        rows.append(_row(f"our {name} as Captum's", case, values, expected))
    return rows


def _gradient_shap(model: nn.Module, x: Tensor, label: Tensor, background: Tensor) -> Tensor:
    """Compute maps by Captum, one sample after the other, with its random streams set to those of the samples."""
    seeds, maps = sub_seeds(torch.Generator().manual_seed(0), len(x)), []
    for i in range(len(x)):
        query = Query(model, x[i : i + 1], lambda logits: logits[:, 0], seeds=seeds[i : i + 1])
        with seed_libraries(int(query.seeds[0]), query.x.device):
            explainer = attr.GradientShap(model)
            maps.append(explainer.attribute(query.x, background, n_samples=STEPS, target=int(label[i])))
    return torch.cat(maps).detach()


def _row(capability: str, case: str, values: Tensor, expected: Tensor) -> Row:
    gap = (values - expected.to(values)).abs().max().item()
    largest = expected.abs().max().item()
    return Row(capability, f"{case}; largest value {largest:.2g}", gap, None, gap, "<= 1e-6", gap <= TARGET, UNIT)
