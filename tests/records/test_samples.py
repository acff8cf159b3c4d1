import numpy as np
import torch

from perdure.core.batch import Batch, Text
from perdure.records.parts import part_path
from perdure.records.samples import read_sample, sample_table, write_samples


def test_a_series_comes_back_without_its_padding(tmp_path):
    inputs, mask = torch.arange(24.0).reshape(2, 4, 3), torch.tensor([[True] * 4, [True, True, False, False]])
    write_samples(tmp_path, Batch(inputs, torch.tensor([1, 0]), mask, id=("a", "b")), ("no", "yes"), ("x", "y", "z"))
    sample = read_sample(part_path(tmp_path / "samples", 0), 1)
    assert np.array_equal(sample.input, inputs[1, :2].numpy())
    assert (sample.classes, sample.features, sample.text) == (("no", "yes"), ("x", "y", "z"), None)


def test_a_text_comes_back_with_its_tokens(tmp_path):
    text = Text("not bad!", ((0, 3), (4, 7), (7, 8)), pieces=True)
    write_samples(tmp_path, Batch(torch.tensor([[5, 6, 7]]), torch.tensor([1]), text=(text,)), ("no", "yes"))
    assert read_sample(part_path(tmp_path / "samples", 0), 0).text == text


def test_samples_lie_in_the_part_of_their_maps_and_in_any_row_group(tmp_path):
    batch = Batch(torch.arange(300.0)[:, None, None, None].expand(300, 1, 2, 2), torch.zeros(300).long())
    write_samples(tmp_path, batch, ("one",))
    assert read_sample(part_path(tmp_path / "samples", 1), 100).input.tolist() == [[[228.0, 228.0], [228.0, 228.0]]]


def test_names_are_kept_where_inputs_are_too_large():
    table = sample_table(Batch(torch.ones(1, 2, 2), torch.tensor([0]), id=("a",)), ("no",), keep_inputs=False)
    assert table.select(["sample_id", "input"]).to_pylist() == [{"sample_id": "a", "input": None}]
