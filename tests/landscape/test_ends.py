"""Two runs that a path can join, and the named errors of those that cannot."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from perdure.core.errors import CheckpointError, UnsupportedError
from perdure.core.random import stream
from perdure.data.boxes import Boxes
from perdure.landscape.ends import align_ends, find_recorded_data, load_ends
from perdure.models.recurrent import Recurrent
from perdure.ops.params import distance
from perdure.records.run import open_run
from perdure.training.checkpoint import save_checkpoint

SPLITS = Boxes("middle", train=8, validation=4, test=4, size=20).load(0)


def store(folder, config=Recurrent(hidden_size=3), seed=0, splits=SPLITS):  # noqa: B008
    model = config.build(splits.features, len(splits.classes), stream(seed, "weights"))
    save_checkpoint(folder, model, config, splits, {"seed": seed})
    return folder


def test_two_seeds_are_two_ends(tmp_path):
    ends = load_ends(store(tmp_path / "a"), store(tmp_path / "b", seed=1), SPLITS)
    assert ends.names == ("a", "b")
    assert distance(ends.first, ends.second) > 0
    assert len(set(ends.digests)) == 2


def test_ends_of_one_name_are_called_by_their_folders(tmp_path):
    ends = load_ends(store(tmp_path / "a/seed-0"), store(tmp_path / "b/seed-0", seed=1), SPLITS)
    assert [Path(name).parent.name for name in ends.names] == ["a", "b"]


def test_alignment_moves_the_second_end_nearer(tmp_path):
    ends = align_ends(load_ends(store(tmp_path / "a"), store(tmp_path / "b", seed=1), SPLITS))
    assert (ends.remark, ends.alignment.after < ends.alignment.before) == ("", True)
    assert distance(ends.first, ends.second) == ends.alignment.after


def test_a_model_of_unknown_symmetries_is_left_where_it_is(tmp_path, monkeypatch):
    def unknown(_model):
        raise UnsupportedError("the symmetries of a model are not known", "describe them")

    monkeypatch.setattr("perdure.landscape.ends.find_symmetries", unknown)
    ends = load_ends(store(tmp_path / "a"), store(tmp_path / "b", seed=1), SPLITS)
    unmoved = align_ends(ends)
    assert unmoved.alignment is None
    assert unmoved.second is ends.second
    assert unmoved.remark == "not aligned: the symmetries of a model are not known"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Recurrent(hidden_size=4), r"'recurrence.weight_ih_l0' is \(12, \d+\) and \(16, \d+\)"),
        (Recurrent(hidden_size=3, layers=2), "'recurrence.weight_ih_l1' is absent and"),
        (Recurrent(hidden_size=3, pooling="max"), "different settings: pooling"),
    ],
)
def test_other_architectures_are_named(tmp_path, other, message):
    with pytest.raises(CheckpointError, match=message):
        load_ends(store(tmp_path / "a"), store(tmp_path / "b", other), SPLITS)


def test_other_classes_and_the_same_weights_are_named(tmp_path):
    first, same = store(tmp_path / "a"), store(tmp_path / "same")
    with pytest.raises(CheckpointError, match="have the same weights"):
        load_ends(first, same, SPLITS)
    renamed = replace(SPLITS, classes=("left", "right"))
    with pytest.raises(CheckpointError, match=r"the classes of .*b are not those of the data"):
        load_ends(first, store(tmp_path / "b", seed=1, splits=renamed), SPLITS)
    with pytest.raises(CheckpointError, match="holds no trained model"):
        load_ends(first, tmp_path / "failed", SPLITS)


def test_what_a_run_was_trained_on_is_looked_up_in_the_folders_above(tmp_path):
    open_run(tmp_path / "one", {"data": "boxes", "seed": 0})
    open_run(tmp_path / "two", {"data": "boxes:size=6", "seed": 0})
    first, second = store(tmp_path / "one/seed-0"), store(tmp_path / "two/runs/seed-1", seed=1)
    assert find_recorded_data(first) == ("boxes", 0)
    assert find_recorded_data(second) == ("boxes:size=6", 0)
    assert find_recorded_data(tmp_path / "nowhere/a/b") is None
    with pytest.raises(CheckpointError, match="boxes with seed 0, and boxes:size=6 with seed 0"):
        load_ends(first, second, SPLITS)


def test_an_end_is_as_it_was_trained(tmp_path):
    folder = store(tmp_path / "a")
    ends = load_ends(folder, store(tmp_path / "b", seed=1), SPLITS)
    state = ends.model.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in ends.first.items())
