"""The door of an audit: explain, judge and weigh trained models on the same samples."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from perdure.audit.candidate import Candidate, accuracy_number
from perdure.audit.evidence import WINDOWS, over_time_evidence
from perdure.audit.explained import Explained, explained
from perdure.audit.over_time import over_time
from perdure.audit.picture import SHOWN, arrays
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch, select
from perdure.core.protocols import Metric
from perdure.core.registry import METRICS
from perdure.core.verdict import Number, Verdict
from perdure.engine.judge import default_metrics
from perdure.records.files import write_bytes, write_text
from perdure.records.run import Run
from perdure.records.scores import Case

__all__ = ["audit"]


def audit(
    candidates: Sequence[Candidate],
    test: Batch,
    classes: Sequence[str],
    settings: AuditSettings,
    run: Run,
    progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, Any]:
    """Audit trained models and store what was found in the run folder.

    Args:
        candidates: the models, with different names.
        test: samples that no model has seen; accuracy is measured on all, and the first are explained.
        classes: names of the classes.
        settings: what to look at.
        run: the open run; finished parts in it are not computed again.
        progress: told after each shard.

    Returns:
        The record, also stored as `audit.json`, with its arrays in `audit.npz`.
    """
    batch = select(test, slice(0, settings.samples))
    found = {one.name: _explain(one, batch, settings, run, progress) for one in candidates}
    accuracy = {one.name: accuracy_number(one.model, test, settings.seed) for one in candidates}
    verdicts = {name: _verdict(some, batch, accuracy[name], settings.seed) for name, some in found.items()}
    record = {
        "title": " and ".join(found),
        "subtitle": f"{run.config['data']} · {settings.methods[0]} · {len(batch)} test samples",
        "answer": " ".join(f"{name}: {_plainly(verdict)}" for name, verdict in verdicts.items()),
        "models": [
            {"name": name, "accuracy": asdict(accuracy[name]), "verdicts": [asdict(verdict)]}
            for name, verdict in verdicts.items()
        ],
        "scores": [
            {"model": one.model, "method": one.method, "number": asdict(number)}
            for some in found.values()
            for one in some
            for number in one.numbers.values()
        ],
        "labels": [_label(batch, place, classes) for place in range(min(SHOWN, len(batch)))],
        "provenance": {**run.config, "perdure": run.version, "created": run.created, **run.environment},
    }
    _store(run.path, record, arrays([some[0] for some in found.values()], batch, settings.seed))
    return record


def _explain(
    candidate: Candidate,
    batch: Batch,
    settings: AuditSettings,
    run: Run,
    progress: Callable[[int, int], None] | None,
) -> list[Explained]:
    """Explain with every method; without a truth also with occlusion, which then tells where the evidence lies."""
    methods = settings.methods if batch.truth is not None else (*settings.methods, _occlusion(batch))
    return [
        explained(
            candidate,
            method,
            batch,
            _metrics(batch, settings),
            case=Case("audit", run.config["data"], candidate.name, method, settings.seed),
            folder=run.path,
            progress=progress,
        )
        for method in methods
    ]


def _occlusion(batch: Batch) -> str:
    return f"occlusion:window={-(-batch.inputs.shape[1] // WINDOWS)}"


def _metrics(batch: Batch, settings: AuditSettings) -> tuple[Metric, ...]:
    names = dict.fromkeys((*default_metrics(batch), *settings.metrics))
    return tuple(METRICS.make(name) for name in names)


def _verdict(found: list[Explained], batch: Batch, accuracy: Number, seed: int) -> Verdict:
    return over_time(over_time_evidence(found[0], found[-1], batch, accuracy, seed))


def _plainly(verdict: Verdict) -> str:
    return "has not learned the task." if verdict.answer == "not learned" else f"the explanation {verdict.answer}."


def _label(batch: Batch, place: int, classes: Sequence[str]) -> str:
    return f"{batch.id[place]}, class {classes[int(batch.label[place])]}"


def _store(folder: Path, record: Mapping[str, Any], shown: Mapping[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **shown)  # type: ignore[arg-type]
    write_bytes(folder / "audit.npz", buffer.getvalue())
    write_text(folder / "audit.json", json.dumps(record, indent=2))
