"""Which types of events a step has is read from features that mark them, and from nothing else."""

from dataclasses import replace

import pytest
import torch

from perdure.core.batch import Batch
from perdure.data._event_marks import events_at, has_marks, marked_types, types_in
from perdure.data.planted_events import PlantedEvents
from perdure.data.shapes import Shapes

FEW = {"train": 4, "validation": 2, "test": 2}


@pytest.mark.parametrize("together", [1, 2, 3])
def test_all_events_of_a_step_are_listed_once(together):
    batch = PlantedEvents(**FEW, together=together).load(0).train
    events = events_at(batch, 16)
    again = torch.zeros(batch.inputs.shape, dtype=torch.long).scatter_add(2, events.clamp_min(0), (events >= 0).long())
    assert torch.equal(again.float(), batch.inputs)
    assert torch.equal(types_in(batch, 16), batch.inputs.bool().any(0).any(0))
    assert not (events[~batch.mask] >= 0).any()


def test_data_says_how_many_types_its_features_mark():
    splits = PlantedEvents(**FEW).load(0)
    assert marked_types(splits) == 16
    assert marked_types(replace(splits, types=())) == 0
    vectors = replace(splits, types=("a", "b", "c"), train=replace(splits.train, inputs=splits.train.inputs + 0.5))
    assert marked_types(vectors) == 0
    assert marked_types(Shapes(train=4, validation=2, test=2).load(0)) == 0


def test_what_has_no_events_has_no_marks():
    batch = Batch(torch.rand(2, 3, 4), torch.tensor([0, 1]))
    assert not has_marks(batch, 2)
    assert not has_marks(batch, 5)
    assert events_at(batch, 2) is None
    assert types_in(batch, 2).tolist() == [False, False]
