"""Which types of events a step has is read from features that mark them, and from nothing else."""

from dataclasses import replace

import pytest
import torch

from perdure.core.batch import Batch
from perdure.data._event_marks import count_marked_types, find_types, has_marks, list_events
from perdure.data.planted_events import PlantedEvents
from perdure.data.shapes import Shapes

FEW = {"train": 4, "validation": 2, "test": 2}


@pytest.mark.parametrize("together", [1, 2, 3])
def test_all_events_of_a_step_are_listed_once(together):
    batch = PlantedEvents(**FEW, together=together).load(0).train
    events = list_events(batch, 16)
    again = torch.zeros(batch.inputs.shape, dtype=torch.long).scatter_add(2, events.clamp_min(0), (events >= 0).long())
    assert torch.equal(again.float(), batch.inputs)
    assert torch.equal(find_types(batch, 16), batch.inputs.bool().any(0).any(0))
    assert not (events[~batch.mask] >= 0).any()


def test_marked_types_of_features_are_counted():
    splits = PlantedEvents(**FEW).load(0)
    assert count_marked_types(splits) == 16
    assert count_marked_types(replace(splits, types=())) == 0
    vectors = replace(splits, types=("a", "b", "c"), train=replace(splits.train, inputs=splits.train.inputs + 0.5))
    assert count_marked_types(vectors) == 0
    assert count_marked_types(Shapes(train=4, validation=2, test=2).load(0)) == 0


def test_what_has_no_events_has_no_marks():
    batch = Batch(torch.rand(2, 3, 4), torch.tensor([0, 1]))
    assert not has_marks(batch, 2)
    assert not has_marks(batch, 5)
    assert list_events(batch, 2) is None
    assert find_types(batch, 2).tolist() == [False, False]
