"""InputIBA: exactness of its parts, time compared with the published form, and a network of the size of VGG16."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

import perdure
from benchmarks.harness import Row, best_ratio, interleave
from perdure.core.batch import Batch
from perdure.core.registry import METHODS
from perdure.models._presets import model_config
from perdure.ops.information import Mask, capacity
from perdure.studies.bottleneck_text import BottleneckText
from perdure.studies.bottleneck_vision import BottleneckVision

SERIES_TARGET, IMAGE_TARGET = 15.0, 20.0
TOGETHER, ALONE, ROUNDS = 8, 1, 2
"""Samples of a call of the default and of the published form, and calls of each."""

PUBLISHED = {study.dataset: study.methods["input_iba_published"] for study in (BottleneckText, BottleneckVision)}
"""The published form with its settings for this kind of data."""


def run() -> list[Row]:
    torch.set_num_threads(1)
    series = ("4-layer LSTM H 64, T 50", "small_deep_lstm", torch.randn(64, 50, 64), "planted_text", SERIES_TARGET)
    images = ("CNN 3x32x32", "small_cnn", torch.randn(64, 3, 32, 32), "shapes", IMAGE_TARGET)
    return [_formulas(), *_one_by_one(*images[1:3]), _speed(*series), _speed(*images), *_large()]


def _built(name: str, features: int, classes: int = 4) -> nn.Module:
    return model_config(name).build(features, classes, torch.Generator().manual_seed(0)).eval()


def _formulas() -> Row:
    """Compare with the divergence of two Gaussians, with and without a prior mask."""
    x = 3 * torch.randn(100_000, dtype=torch.float64)
    keep, m = (torch.rand(2, 100_000, dtype=torch.float64) * 0.998 + 0.001).unbind()
    away = 0.0
    for prior, fraction in ((None, torch.zeros(())), (Mask(m, 1 - m), m)):
        slow = kl_divergence(Normal(keep * x, 1 - keep), Normal(keep * fraction * x, 1 - keep * fraction))
        away = max(away, (capacity(Mask(keep, 1 - keep), x, prior) - slow).abs().max().item())
    return Row("capacity against a closed form", "float64", away, None, away, "< 1e-10", away < 1e-10, "nats")


def _one_by_one(name: str, x: Tensor) -> list[Row]:
    """Explain samples together and one by one; their noise belongs to the sample."""
    model, label = _built(name, 3), torch.arange(6) % 4
    rows = []
    for prior in ("noise", "none", "moments", "adversarial"):
        method = METHODS.make(f"input_iba:prior={prior},steps=10").fit(model, _as_batch(x))
        together = perdure.attribute(model, x[:6], method, target=label).values
        alone = perdure.attribute(model, x[:6], method, target=label, batch_size=1).values
        away = (together - alone).abs().max().item()
        case = f"6 images, prior {prior}, mask"
        rows.append(Row("many samples against one by one", case, away, None, away, "<= 1e-5", away <= 1e-5, ""))
    return rows


def _as_batch(x: Tensor) -> Batch:
    return Batch(x, torch.zeros(len(x), dtype=torch.int64))


def _speed(case: str, name: str, x: Tensor, data: str, target: float) -> Row:
    model = _built(name, 3 if x.ndim == 4 else 10)
    published = METHODS.make(PUBLISHED[data]).fit(model, _as_batch(x))
    default = METHODS.make("input_iba").fit(model, _as_batch(x))

    def explain(method: object, count: int) -> Callable[[], object]:
        label = torch.zeros(count, dtype=torch.int64)
        return lambda: perdure.attribute(model, x[:count], method, target=label)  # type: ignore[arg-type]

    functions = {"ours": explain(default, TOGETHER), "published": explain(published, ALONE)}
    seconds = interleave(functions, ROUNDS)
    ratio = best_ratio(seconds, "published", "ours") * TOGETHER / ALONE
    ours, peer = min(seconds["ours"]) / TOGETHER, min(seconds["published"]) / ALONE
    what = "seconds per sample, default against the published form"
    return Row(
        what, f"{case}, one thread, {TOGETHER} samples at once", ours, peer, ratio, f">= {target:g}x", ratio >= target
    )


def _large() -> list[Row]:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        seconds, gigabytes = pool.submit(_vgg16).result()
    case = "VGG16, one image 224x224, CPU"
    return [
        Row("a large network: time", case, seconds, None, seconds, "completes", True),
        Row("a large network: peak memory", case, gigabytes, None, gigabytes, "completes", True, "GiB"),
    ]


def _vgg16() -> tuple[float, float]:
    """Explain one image in a separate process, whose peak memory is then that of the explanation."""
    model, x = _built("vgg16", 3, 1000), torch.randn(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    method = METHODS.make("input_iba").fit(model, _as_batch(x[1:]))
    start = time.perf_counter()
    perdure.attribute(model, x[:1], method, target=torch.tensor([0]))
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
