from dataclasses import replace

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import torch

from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch
from perdure.core.errors import PartError
from perdure.records.attributions import attribution_table, read_attributions
from perdure.records.parts import read_parts, write_part

PROVENANCE = Provenance("gradient", {"steps": [1, 2]}, "logit", 3, {"perdure": "0"}, "abc", 5, 6)
LENGTHS = torch.tensor([4, 2, 3])


def maps(seed=0, dtype=torch.float32, padded=True, truth=True):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(5) < LENGTHS[:, None] if padded else None
    values = torch.randn(3, 5, 2, generator=generator, dtype=torch.float64).to(dtype)
    marked = torch.rand(3, 5, 2, generator=generator) < 0.3
    if padded:
        values, marked = values * mask[..., None], marked & mask[..., None]
    batch = Batch(torch.zeros(3, 5, 2), torch.tensor([0, 1, 1]), mask, marked if truth else None, id=("a", "b", "c"))
    return Attribution(values, ("batch", "time", "feature"), PROVENANCE), batch


def store(folder, attribution, batch, index=0, seed=0):
    given = torch.tensor([1, 1, 0])
    table = attribution_table(attribution, batch, given, 1 - given, split="test", model="lstm", seed=seed)
    write_part(folder, index, table)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("padded", [True, False])
def test_maps_come_back_bit_equal(tmp_path, dtype, padded):
    attribution, batch = maps(0, dtype, padded)
    store(tmp_path, attribution, batch)
    (back,) = read_attributions(tmp_path)
    assert back.attribution.values.dtype == dtype
    assert torch.equal(back.attribution.values, attribution.values)
    assert torch.equal(back.truth, batch.truth)
    assert back.attribution.provenance == PROVENANCE
    assert back.attribution.dims == attribution.dims
    assert back.length.tolist() == (LENGTHS.tolist() if padded else [5, 5, 5])
    assert (back.id, back.label.tolist(), back.prediction.tolist()) == (("a", "b", "c"), [0, 1, 1], [1, 1, 0])
    assert back.explained.tolist() == [0, 0, 1]
    assert (back.split, back.model, back.seed) == ("test", "lstm", 0)


def test_the_truth_of_tokens_is_stored_once_and_comes_back_for_all_features(tmp_path):
    attribution, batch = maps()
    tokens = torch.rand(3, 5, generator=torch.Generator().manual_seed(1)) < 0.5
    text = replace(batch, inputs=torch.zeros(3, 5, dtype=torch.int64), truth=tokens & batch.mask)
    store(tmp_path, attribution, text)
    (back,) = read_attributions(tmp_path)
    assert torch.equal(back.truth, text.truth[..., None].expand(3, 5, 2))
    assert [len(row) for row in read_parts(tmp_path)["truth"].to_pylist()] == LENGTHS.tolist()


def test_half_precision_keeps_its_values(tmp_path):
    attribution, batch = maps(0, torch.bfloat16)
    store(tmp_path, attribution, batch)
    (back,) = read_attributions(tmp_path)
    assert torch.equal(back.attribution.values.bfloat16(), attribution.values)


def test_images_keep_their_axes(tmp_path):
    values = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    image = Attribution(values, ("batch", "channel", "row", "column"), PROVENANCE)
    store(tmp_path, image, Batch(torch.zeros(3, 2, 4, 5), torch.tensor([0, 1, 1])))
    (back,) = read_attributions(tmp_path)
    assert torch.equal(back.attribution.values, values)
    assert back.truth is None


def test_each_part_keeps_its_own_provenance(tmp_path):
    for index, method in enumerate(("gradient", "random")):
        attribution, batch = maps(index, truth=index == 0)
        provenance = Provenance(method, {}, "logit", 0, {}, "abc", 1, 1)
        store(tmp_path, Attribution(attribution.values, attribution.dims, provenance), batch, index, seed=index)
    first, second = read_attributions(tmp_path)
    assert (first.attribution.provenance.method, second.attribution.provenance.method) == ("gradient", "random")
    assert (first.seed, second.seed) == (0, 1)
    assert first.truth is not None
    assert second.truth is None
    assert read_parts(tmp_path)["method"].to_pylist() == ["gradient"] * 3 + ["random"] * 3


def test_duckdb_and_pandas_read_the_parts(tmp_path):
    attribution, batch = maps()
    store(tmp_path, attribution, batch)
    (row,) = duckdb.sql(
        f"select avg(len(attribution)), sum(list_sum(attribution)) from '{tmp_path}/*.parquet'"
    ).fetchall()
    assert row[0] == 2 * LENGTHS.sum() / 3
    assert row[1] == pytest.approx(attribution.values.double().sum().item())
    frame = pd.read_parquet(tmp_path)
    assert frame["sample_id"].tolist() == ["a", "b", "c"]
    assert frame["shape"].map(list).tolist() == [[4, 2], [2, 2], [3, 2]]
    assert torch.equal(torch.tensor(frame["attribution"][1]), attribution.values[1, :2].flatten())


def test_other_tables_are_refused(tmp_path):
    write_part(tmp_path, 0, pa.table({"a": [1]}))
    with pytest.raises(PartError, match=r"part-00000\.parquet holds no attributions"):
        read_attributions(tmp_path)
