"""No flipped bit of a stored file is read as another result, and whatever is damaged is computed again."""

import random
import warnings

import numpy as np
import pytest
import torch

from perdure.attribution.saliency import Saliency
from perdure.core.batch import Batch
from perdure.core.errors import PerdureError
from perdure.core.registry import METRICS
from perdure.data._splits import Splits
from perdure.engine.evaluate import EvaluateJob, evaluate_maps
from perdure.engine.explain import ExplainJob, explain
from perdure.engine.summaries import stored_scores
from perdure.landscape.path import Chain
from perdure.landscape.route import load_path, save_path
from perdure.models.recurrent import Recurrent
from perdure.ops.params import params_of
from perdure.records.attributions import read_attributions
from perdure.records.parts import part_path
from perdure.records.plan import FOLDER, ExpectedFiles, Plan, read_plans, write_plan
from perdure.records.record import read_record, write_record
from perdure.records.run import open_run, read_run
from perdure.records.scores import Case
from perdure.records.status import read_status
from perdure.training.checkpoint import load_checkpoint, save_checkpoint

CASE = Case("evaluate", "own data", "linear", "saliency", 0)
READERS = {
    "maps/part-00000.parquet": lambda folder: [maps.attribution.values for maps in read_attributions(folder / "maps")],
    "scores/part-00000.parquet": lambda folder: [s.values for s in stored_scores(folder / "scores").values()],
    "audit.json": lambda folder: read_record(folder, "audit"),
    "audit.npz": lambda folder: read_record(folder, "audit"),
    "run.yaml": lambda folder: read_run(folder).config,
    "plan.yaml": read_plans,
    "path.safetensors": lambda folder: list(load_path(folder / "path.safetensors").points),
    "model/model.safetensors": lambda folder: load_checkpoint(folder / "model")[0].state_dict(),
    "model/model.yaml": lambda folder: str(load_checkpoint(folder / "model")[1]),
    "model/vocabulary.txt": lambda folder: load_checkpoint(folder / "model")[1].vocabulary,
}


def model_and_batch():
    torch.manual_seed(0)
    batch = Batch(torch.randn(40, 6, 3), torch.arange(40) % 2, truth=torch.rand(40, 6, 3) > 0.7)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(18, 2), torch.nn.Tanh()).eval(), batch


def jobs(folder):
    model, batch = model_and_batch()
    metrics = (METRICS.make("auroc"),)
    return (
        ExplainJob(model, batch, Saliency(), folder / "maps", "linear", shard=16, blocks=2),
        EvaluateJob(model, batch, folder / "maps", metrics, folder / "scores", CASE),
    )


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = open_run(tmp_path_factory.mktemp("flips") / "run", {"data": "boxes", "seed": 3}).path
    work, scoring = jobs(folder)
    explain(work)
    evaluate_maps(scoring)
    write_plan(folder, Plan(("explain", FOLDER), (ExpectedFiles("maps", "maps/part-*.parquet", 2),)))
    write_record(folder, "audit", {"title": "a", "value": 0.9}, {"curve": np.arange(30.0)})
    _, batch = model_and_batch()
    splits = Splits(batch, batch, batch, ("a", "b"), ("<unk>", "<pad>", "good", "bad"))
    config = Recurrent(cell="gru", hidden_size=3)
    network = config.build(3, 2, torch.Generator().manual_seed(0))
    save_checkpoint(folder / "model", network, config, splits, {"seed": 0, "test_accuracy": 0.75})
    ends = [params_of(config.build(3, 2, torch.Generator().manual_seed(seed))) for seed in (0, 1)]
    save_path(folder / "path.safetensors", Chain(tuple(ends)))
    return folder


def same(first, second):
    if isinstance(first, torch.Tensor | np.ndarray):
        return bool((torch.as_tensor(first) == torch.as_tensor(second)).all())
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[name], second[name]) for name in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


def check_flips(folder, name, count):
    read, file = READERS[name], folder / name
    content, expected, draw = file.read_bytes(), read(folder), random.Random(name)
    try:
        for _ in range(count):
            data = bytearray(content)
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            file.write_bytes(data)
            try:
                value = read(folder)
            except PerdureError:
                continue
            assert same(value, expected)
    finally:
        file.write_bytes(content)


@pytest.mark.parametrize("name", READERS)
def test_a_flipped_bit_is_named_or_changes_nothing(run_folder, name):
    check_flips(run_folder, name, 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_no_flipped_bit_of_200_is_read_as_another_result(run_folder, name):
    check_flips(run_folder, name, 200)


@pytest.mark.parametrize("name", [name for name in READERS if name.endswith((".parquet", ".npz", ".safetensors"))])
def test_status_names_what_is_damaged(run_folder, name):
    content = (run_folder / name).read_bytes()
    assert read_status(run_folder).failures == {}
    try:
        (run_folder / name).write_bytes(content[:90] + bytes([content[90] ^ 4]) + content[91:])
        assert list(read_status(run_folder).failures) == [name]
    finally:
        (run_folder / name).write_bytes(content)


@pytest.mark.parametrize("place", ["maps", "scores"])
def test_a_damaged_part_is_computed_again_to_the_same_bytes(tmp_path, place):
    work, scoring = jobs(tmp_path)
    explain(work)
    evaluate_maps(scoring)
    path = part_path(tmp_path / place, 1)
    content = path.read_bytes()
    path.write_bytes(content[:70] + bytes([content[70] ^ 1]) + content[71:])
    with pytest.warns(UserWarning, match=r"part-00001\.parquet is damaged"):
        explain(work) if place == "maps" else evaluate_maps(scoring)
    assert path.read_bytes() == content


def test_scores_of_other_maps_are_computed_again(tmp_path):
    work, scoring = jobs(tmp_path)
    explain(work)
    evaluate_maps(scoring)
    scores = [part_path(tmp_path / "scores", index) for index in (0, 1)]
    before = [path.read_bytes() for path in scores]
    times = [path.stat().st_mtime_ns for path in scores]
    evaluate_maps(scoring)
    assert [path.stat().st_mtime_ns for path in scores] == times  # nothing is computed twice
    other = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(18, 2)).eval()
    explain(ExplainJob(other, work.batch, Saliency(), tmp_path / "other", "linear", shard=16, blocks=2))
    part_path(tmp_path / "maps", 1).write_bytes(part_path(tmp_path / "other", 1).read_bytes())
    evaluate_maps(scoring)
    assert [path.read_bytes() == content for path, content in zip(scores, before, strict=True)] == [True, False]


def test_parts_without_a_digest_are_read_and_counted(run_folder, tmp_path):
    import pyarrow.parquet as pq

    folder = open_run(tmp_path / "run", {}).path
    table = pq.read_table(run_folder / "maps/part-00000.parquet")
    (folder / "maps").mkdir()
    pq.write_table(
        table.replace_schema_metadata({b"perdure": table.schema.metadata[b"perdure"]}),
        folder / "maps/part-00000.parquet",
    )
    expected = READERS["maps/part-00000.parquet"](run_folder)[:2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same([maps.attribution.values for maps in read_attributions(folder / "maps")], expected)
    assert read_status(folder).unchecked == 1
    assert read_status(run_folder).unchecked == 0
