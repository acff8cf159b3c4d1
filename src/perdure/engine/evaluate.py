"""Evaluate stored maps with many metrics, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch
from torch import Tensor, nn

from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import PartError, UnsupportedError
from perdure.core.method import Method, NeedsFit
from perdure.core.metric import Measurement, Metric, NeedsMethod, SharesPasses
from perdure.core.query import Query
from perdure.core.random import stream, sub_seeds
from perdure.core.registry import METHODS, METRICS
from perdure.core.spec import format_spec, name_of, slug
from perdure.core.target import LABEL_TARGETS
from perdure.engine.pool import Engine, Progress, run_pieces
from perdure.metrics._evaluate import prepare
from perdure.metrics._nulls import choose_null, draw_uniform
from perdure.metrics._place import measure_map, place
from perdure.models._embed import embed_batch
from perdure.records.attributions import StoredMaps, limit_maps, read_maps
from perdure.records.parts import (
    damage,
    finished_parts,
    has_digest,
    part_digest,
    part_path,
    part_paths,
    part_source,
    read_part,
    write_part,
)
from perdure.records.scores import Case, score_table

__all__ = ["EvaluateJob", "default_metrics", "evaluate_maps"]

IN_TIME = ("vanishing",)
WITH_TRUTH = ("auprc", "auroc", "weighted_jaccard")
BY_POSITION = ("auprc:granularity=position", "auroc:granularity=position", "hit_rate")
"""With truth, where it marks words or pixels as a whole."""


@dataclass(frozen=True, eq=False)
class EvaluateJob:
    """The evaluation of stored maps, part by part.

    Args:
        model: Classifier that was explained.
        batch: Samples that were explained, in any order.
        maps: Folder of the stored maps.
        metrics: Metrics to compute.
        folder: Folder of the scores, one part for each part of maps.
        case: Names of what is evaluated, for the record.
        fitted: Method of the maps, if it was fitted to samples, for metrics that explain again.
        draws: Random maps per sample, for the null.
        batch_size: Most rows in one call of the model; None for a number that suits the size of a sample.
        shared: Folder of the scores of uniform random maps, which do not depend on the method: jobs about one model
            and the same samples compute them once. None to compute them again.
        limit: Maximum number of samples of a part to evaluate, from its first; None for all.
    """

    model: nn.Module
    batch: Batch
    maps: Path
    metrics: tuple[Metric, ...]
    folder: Path
    case: Case
    fitted: Method | None = None
    draws: int = 5
    batch_size: int | None = None
    shared: Path | None = None
    limit: int | None = None

    def __call__(self, index: int) -> None:
        """Evaluate one part and store the scores.

        Args:
            index: Number of the part.
        """
        path = part_path(self.maps, index)
        source = part_digest(path)
        tables = [table for stored in limit_maps(read_maps(path), self.limit) for table in self._evaluate(stored)]
        write_part(self.folder, index, pa.concat_tables(tables), source)

    def _evaluate(self, stored: StoredMaps) -> Iterator[pa.Table]:
        """Evaluate one block of maps."""
        attribution = self._with_source(stored)
        for metric in self.metrics:
            random = stream(self.case.seed, "null", METRICS.seed_name(name_of(metric)), stored.block)
            subject, metric = prepare(attribution, metric, self.batch_size)
            uniform = self._uniform(subject, metric, stored.block)
            score = place(subject, metric, self.draws, random, uniform=uniform)
            yield score_table(score, stored.id, self.case)

    def _uniform(self, subject: Attribution, metric: Metric, index: int) -> Measurement | None:
        """Measure the uniform random maps of a block, or read what an earlier job measured.

        A metric that measures several maps with the passes of one has no need of it.
        """
        if self.shared is None or choose_null(None, metric, subject) == "uniform" or isinstance(metric, SharesPasses):
            return None
        folder = self.shared / slug(format_spec(metric))
        path = part_path(folder, index)
        if not path.exists() or damage(path) is not None:
            generator = stream(self.case.seed, "uniform", METRICS.seed_name(name_of(metric)), index)
            (values,) = draw_uniform(subject, generator, 1)
            measured = measure_map(subject, metric, values)
            best = pa.nulls(len(values), pa.float64()) if measured.best is None else measured.best.tolist()
            write_part(folder, index, pa.table({"value": measured.values.tolist(), "best": best}))
        columns = {name: column for name, column in read_part(path).to_pydict().items() if column[0] is not None}
        numbers = {name: torch.tensor(column).to(subject.values) for name, column in columns.items()}
        return Measurement(numbers["value"], best=numbers.get("best"))

    def _with_source(self, stored: StoredMaps) -> Attribution:
        places = {name: place for place, name in enumerate(self.batch.id)}
        unknown = [name for name in stored.id if name not in places]
        if unknown:
            raise PartError(
                f"the maps in {self.maps} explain sample '{unknown[0]}', which the data do not contain",
                "use the data and the seed that were explained",
            )
        batch = embed_batch(self.model, slice_batch(self.batch, [places[name] for name in stored.id]))
        record = stored.attribution.provenance
        target = LABEL_TARGETS[record.target](stored.explained)
        query = Query(self.model, batch.inputs, target, batch.mask, _seeds(record, len(batch)))
        values = stored.attribution.values.to(batch.inputs.device)
        return Attribution(values, source=query, truth=batch.truth, method=self._method(record))

    def _method(self, record: Provenance) -> Method | None:
        """Make the method of stored maps again, where a metric needs it."""
        if not any(isinstance(metric, NeedsMethod) and metric.needs_method for metric in self.metrics):
            return None
        made: Method = METHODS.make(record.method, record.fields)
        if not isinstance(made, NeedsFit) or made.is_fitted:
            return made
        if self.fitted is None:
            raise UnsupportedError(
                f"method '{record.method}' was fitted to data, which is not stored with its maps in {self.maps}",
                "fit it again and give it to EvaluateJob as fitted=",
            )
        return self.fitted


def _seeds(record: Provenance, samples: int) -> Tensor:
    """Derive the seeds of the samples of a part as `attribute` did."""
    return sub_seeds(torch.Generator().manual_seed(record.seed or 0), samples)


def default_metrics(batch: Batch) -> tuple[str, ...]:
    """Choose the metrics that are defined for a batch.

    Args:
        batch: Samples, with or without truth.

    Returns:
        Registry names; the words of texts and the pixels of images are evaluated as a whole.
    """
    has_time = batch.inputs.ndim != 4
    whole = not has_time or not batch.inputs.is_floating_point()
    known = () if batch.truth is None else BY_POSITION if whole else WITH_TRUTH
    return (*IN_TIME * has_time, *known)


def evaluate_maps(
    work: EvaluateJob, workers: int | Engine = 1, progress: Progress | None = None, first: int | None = None
) -> tuple[int, ...]:
    """Evaluate all parts that are not finished; scores of other maps than those in the folder are computed again.

    Args:
        work: Job to do.
        workers: Number of processes, or an engine.
        progress: Function that is called after each part.
        first: Number of parts to evaluate, from the first; None for all.

    Returns:
        The numbers of the evaluated parts.
    """
    done = finished_parts(work.folder)
    parts = dict(list(part_paths(work.maps).items())[:first])
    todo = [index for index, path in parts.items() if index not in done or not _is_of(work.folder, index, path)]
    run_pieces(work, todo, workers, progress)
    return tuple(parts)


def _is_of(scores: Path, index: int, maps: Path) -> bool:
    """Check that finished scores are those of the present maps; version 0.1 stored both without digests."""
    source = part_source(part_path(scores, index))
    return source == part_digest(maps) if source is not None else not has_digest(maps)
