"""A folder of a million samples: first page, order and memory, measured in a separate process."""

import json
import os
import subprocess
import sys

import pytest
import torch

from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch
from perdure.core.metric import Score
from perdure.records.attributions import attribution_table
from perdure.records.parts import write_part
from perdure.records.run import open_run
from perdure.records.samples import write_samples
from perdure.records.scores import Case, score_table

ROWS, SHARD = 1_000_000, 8192

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from perdure.view.app import Explorer, make_app
from perdure.view.parts import check_folder

def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start

result, start = {}, time.perf_counter()
explorer = Explorer(check_folder(Path(sys.argv[1])))
make_app(explorer)
explorer.start()
explorer.render_table({})
result["first page"] = time.perf_counter() - start
while explorer.index.left:
    time.sleep(0.05)
result["index"] = time.perf_counter() - start
result["rows"] = explorer.index.count()
pages = {
    "sort by confidence": {"sort": "confidence"},
    "sort by a score": {"sort": "score_1", "way": "up"},
    "sort by disagreement": {"sort": "methods_differ"},
    "sort by name": {"sort": "sample_id"},
    "last page": {"sort": "confidence", "page": "20000"},
    "filter": {"correct": "wrong", "by": "score_0", "low": "0.9", "sort": "confidence"},
}
explorer.render_table({})
for name, parameters in pages.items():
    result[name] = min(timed(lambda: explorer.render_table(parameters)) for _ in range(3))
result["sample"] = timed(lambda: explorer.render_sample({"at": "987654"}))
explorer.close()
result["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(result))
"""


def write_large(folder, rows=ROWS):
    open_run(folder, {"data": "made up"})
    draw = torch.Generator().manual_seed(0)
    batch = Batch(torch.randn(rows, 8, 4, generator=draw), torch.randint(3, (rows,), generator=draw))
    write_samples(folder, batch, ("a", "b", "c"), shard=SHARD)
    for method in ("gradient", "saliency"):
        for index, start in enumerate(range(0, rows, SHARD)):
            part = Batch(
                *(values[start : start + SHARD] for values in (batch.inputs, batch.label)),
                id=batch.id[start : start + SHARD],
            )
            size = len(part)
            maps = Attribution(
                torch.randn(size, 8, 4, generator=draw),
                ("batch", "time", "feature"),
                Provenance(method, {}, "logit", None, {}, "none", 1, 1),
            )
            prediction = torch.randint(3, (size,), generator=draw)
            table = attribution_table(
                maps, part, prediction, prediction, split="test", model="lstm", seed=0, confidence=torch.rand(size)
            )
            write_part(folder / "maps" / method, index, table)
            for metric in ("insertion", "deletion"):
                score = Score(metric, torch.rand(size, generator=draw), torch.zeros(size), torch.ones(size))
                case = Case("evaluate", "made up", "lstm", method, 0)
                write_part(folder / "scores" / metric / method, index, score_table(score, part.id, case))


def measure(folder, cache):
    command = [sys.executable, "-c", MEASURE, str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "XDG_CACHE_HOME": str(cache)}
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_million_samples_are_shown_and_sorted_at_once(tmp_path):
    write_large(tmp_path / "run")
    cold, warm = (measure(tmp_path / "run", tmp_path / "cache") for _ in range(2))
    for result in (cold, warm):
        assert result["rows"] == ROWS
        assert result["first page"] < 2
        assert max(result[name] for name in result if name.startswith(("sort", "last", "filter"))) < 1
        assert result["MiB"] < 1024
    assert warm["index"] < 2
