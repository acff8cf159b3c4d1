"""The verdict across runs from a single checkpoint, by short retrainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from torch import nn

from perdure.audit.across_runs import RETRAIN, compare_runs_by, skip_across_runs
from perdure.core.errors import LabelError, NonFiniteError, UnsupportedError
from perdure.core.estimate import Estimate, Level, Verdict
from perdure.data._splits import Splits
from perdure.stability.members import Ensemble
from perdure.stability.neighbours import draw_neighbours

__all__ = ["NEARBY", "compare_neighbours"]

KIND = "short_retraining"
"""The one kind of neighbours that passed the calibration."""

COUNT = 3
"""Number of neighbours."""

FEWEST = 2
"""Fewest neighbours of about the loss of the model: with the model these are three networks, which have an interval."""

IN_TIME = 3
"""Number of axes of a batch of series; the calibration has tables, series, events and texts."""

SAMPLES = 24
"""Largest number of explained samples of each network, as in the calibration."""

NEARBY: Mapping[str, str] = MappingProxyType(
    {
        "yes": "steady nearby",
        "partly": "partly steady nearby",
        "no": "not steady nearby",
        "unclear": "unclear nearby",
    }
)
"""Weaker words for the answers of the verdict across runs."""

TAILS = {
    "yes": "Short retrainings show what this network shows.",
    "partly": "Short retrainings show part of what this network shows.",
    "no": "Short retrainings show something else than this network.",
    "unclear": "Where the agreement of further retrainings would lie stays open.",
}

WEAKER = (
    "This is weaker than real training runs, which --runs 5 or perdure.reproduce compare; "
    "its calibration is on the page 'Nearby agreement' of the documentation."
)


def compare_neighbours(
    model: nn.Module, splits: Splits, samples: int, methods: Sequence[str], place: Path, seed: int
) -> dict[str, Verdict]:
    """Test whether short retrainings of a model, with about its loss, are explained the same way.

    Args:
        model: Trained classifier; not modified.
        splits: Training and held-out samples for the retrainings, and test samples to explain.
        samples: Maximum number of test samples to explain.
        methods: Registry names, with settings.
        place: Folder for the maps.
        seed: Seed of weights, order of samples, noise and null.

    Returns:
        The verdict by method: "steady nearby", "partly steady nearby", "not steady nearby" or "unclear nearby"; "not
        tested" for a model that cannot be trained, or whose loss is not reached again.
    """
    if splits.test.inputs.ndim > IN_TIME:
        return dict.fromkeys(methods, skip_across_runs(f"Short retrainings are not calibrated on images. {RETRAIN}"))
    try:
        drawn = draw_neighbours(KIND, model, splits, seed, COUNT)
    except (LabelError, NonFiniteError, UnsupportedError) as error:
        return dict.fromkeys(methods, skip_across_runs(f"The model cannot be trained again: {error}"))
    equal = [neighbour.model for neighbour in drawn if neighbour.is_equal]
    if len(equal) < FEWEST:
        return dict.fromkeys(methods, skip_across_runs(_describe_unequal(len(equal))))
    runs: dict[str, Path | nn.Module] = {f"short retraining {i}": made for i, made in enumerate(equal, 1)}
    ensemble = Ensemble({"given weights": model, **runs})
    verdicts = compare_runs_by(ensemble, splits, min(samples, SAMPLES), methods, place, seed)
    return {method: _weaken(verdict, method, len(equal)) for method, verdict in verdicts.items()}


def _describe_unequal(count: int) -> str:
    return (
        f"{count} of {COUNT} short retrainings reach about the loss of the given weights; the others are other models. "
        + RETRAIN
    )


def _weaken(verdict: Verdict, method: str, count: int) -> Verdict:
    """Replace the words of real training runs; "not tested" and "not learned" stay."""
    if verdict.answer not in NEARBY:
        return verdict
    level: Level = "good" if verdict.answer == "yes" else "warning"
    agreement, alike = verdict.numbers
    sentence = f"{_describe_agreement(agreement, alike, method, count)} {TAILS[verdict.answer]} {WEAKER}"
    return replace(verdict, answer=NEARBY[verdict.answer], level=level, sentence=sentence)


def _describe_agreement(agreement: Estimate, alike: Estimate, method: str, count: int) -> str:
    null = round(agreement.null, 2) + 0.0  # not "-0.00"
    return (
        f"The maps of {method} by two of this network and {count} short retrainings have a rank correlation of "
        f"{agreement.value:.2f}, between {null:.2f} of shuffled maps and {agreement.ceiling:.2f} of a second "
        f"explanation of the same network; {alike.value:.0%} of the samples are predicted alike."
    )
