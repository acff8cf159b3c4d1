"""Run folders of made-up maps, written by the real writers, of any size and with any names."""

import torch

from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch, Text
from perdure.core.metric import Score
from perdure.records.attributions import attribution_table
from perdure.records.parts import write_part
from perdure.records.plan import ExpectedFiles, Plan, write_plan
from perdure.records.run import open_run
from perdure.records.samples import write_samples
from perdure.records.scores import Case, score_table

SHARD = 64


def batch_of(kind, rows, words="Well, not bad!"):
    draw = torch.Generator().manual_seed(0)
    label, ids = torch.arange(rows) % 2, tuple(f"sample {i}" for i in range(rows))
    if kind == "series":
        mask = torch.arange(6) < torch.randint(2, 7, (rows, 1), generator=draw)
        truth = torch.zeros(rows, 6, 3, dtype=torch.bool)
        truth[:, :2, 1] = True
        return Batch(torch.randn(rows, 6, 3, generator=draw), label, mask, truth, id=ids)
    if kind == "images":
        truth = torch.zeros(rows, 3, 8, 9, dtype=torch.bool)
        truth[:, :, 2:5, 3:7] = True
        return Batch(torch.rand(rows, 3, 8, 9, generator=draw), label, truth=truth, id=ids)
    text = Text(words, ((0, 1), (1, 2), (2, len(words))))
    return Batch(torch.ones(rows, 3, dtype=torch.int64), label, id=ids, text=(text,) * rows)


def write_folder(folder, kind="series", rows=100, methods=("gradient", "saliency"), models=("lstm",), **given):
    """Write maps, scores and samples; `given` may name classes, features, ids and words."""
    batch = batch_of(kind, rows, given.get("words", "Well, not bad!"))
    if "ids" in given:
        object.__setattr__(batch, "id", given["ids"])
    open_run(folder, {"data": "made up"})
    parts = -(-rows // SHARD)
    write_plan(folder, Plan(("explain", "lstm", "made-up"), (ExpectedFiles("maps", "maps/*/*/part-*.parquet", parts),)))
    write_samples(folder, batch, given.get("classes", ("no", "yes")), given.get("features", ()), SHARD)
    for m, model in enumerate(models):
        for k, method in enumerate(methods):
            write_maps(folder, batch, (model, m), (method, k))
    return batch


def write_maps(folder, batch, model, method):
    from perdure.core.batch import split_batch

    dims = {2: ("batch", "time"), 3: ("batch", "time", "feature"), 4: ("batch", "channel", "row", "column")}
    draw = torch.Generator().manual_seed(100 * model[1] + method[1])
    for index, part in enumerate(split_batch(batch, SHARD)):
        shape = part.inputs.shape if part.inputs.is_floating_point() else (*part.inputs.shape, 4)
        values = torch.randn(shape, generator=draw)
        record = Provenance(method[0], {}, "logit", None, {}, "none", 1, 1)
        maps = Attribution(values, dims[values.ndim], record)
        prediction = torch.where(torch.arange(len(part)) % 5 == 0, 1 - part.label, part.label)
        table = attribution_table(
            maps,
            part,
            prediction,
            prediction,
            split="test",
            model=model[0],
            seed=model[1],
            confidence=torch.rand(len(part), generator=draw) / 2 + 0.5,
        )
        place = f"{model[1]}/{method[1]}"
        write_part(folder / "maps" / place, index, table)
        scores = torch.rand(len(part), generator=draw)
        score = Score("insertion", scores, torch.zeros(len(part)), torch.ones(len(part)), torch.rand(len(part), 5))
        case = Case("audit", "made up", model[0], method[0], model[1])
        write_part(folder / "scores" / place, index, score_table(score, part.id, case))
