import duckdb
import torch

from perdure.core.metric import Score
from perdure.records.parts import read_parts, write_part
from perdure.records.scores import Case, score_table

CASE = Case("audit", "boxes", "lstm", "gradient", 7)
COLUMNS = ["study", "dataset", "model", "method", "seed", "metric", "sample_id", "value", "null", "ceiling", "curve"]
COLUMNS += ["nulls"]


def score(curve=None, aux=()):
    numbers = torch.tensor([[0.1, 0.2], [0.5, 0.5], [1.0, 1.0]])
    return Score("auroc", *numbers, curve, dict(aux))


def test_every_row_names_what_was_evaluated():
    table = score_table(score(), ("a", "b"), CASE)
    assert table.column_names == COLUMNS
    assert table.slice(1).to_pylist()[0] == {
        **{"study": "audit", "dataset": "boxes", "model": "lstm", "method": "gradient", "seed": 7, "metric": "auroc"},
        **{"sample_id": "b", "value": torch.tensor(0.2).item(), "null": 0.5, "ceiling": 1.0, "curve": None},
        "nulls": None,
    }


def test_curves_and_further_numbers_are_kept():
    curve = torch.tensor([[1.0, 0.5], [0.25, 0.125]])
    table = score_table(score(curve, {"slope": torch.tensor([3.0, 4.0])}), ("a", "b"), CASE)
    assert table["curve"].to_pylist() == [*curve.tolist(), None, None]
    assert table["metric"].to_pylist() == ["auroc", "auroc", "auroc.slope", "auroc.slope"]
    assert table["value"].to_pylist()[2:] == [3.0, 4.0]
    assert table["null"].to_pylist()[2:] == [None, None]


def test_scores_with_and_without_curves_share_one_folder(tmp_path):
    write_part(tmp_path, 0, score_table(score(), ("a", "b"), CASE))
    write_part(tmp_path, 1, score_table(score(torch.ones(2, 3)), ("c", "d"), CASE))
    assert read_parts(tmp_path)["sample_id"].to_pylist() == ["a", "b", "c", "d"]
    parts = f"'{tmp_path}/*.parquet'"
    result = duckdb.sql(f"select avg(value), avg(\"null\") from {parts} where metric = 'auroc'").fetchall()
    assert result == [(torch.tensor([0.1, 0.2]).double().mean().item(), 0.5)]
