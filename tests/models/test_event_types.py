"""A model of event types learns from its data which features they are."""

from dataclasses import replace

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data.planted_events import PlantedEvents
from perdure.models._event_types import resolve_event_types
from perdure.models.attention import Attention
from perdure.models.hierarchical import Hierarchical
from perdure.models.recurrent import Recurrent
from perdure.training.checkpoint import load_checkpoint, save_checkpoint
from perdure.training.settings import CLEAN
from perdure.training.train import train

FEW = PlantedEvents(train=12, validation=4, test=4, shortest=6, longest=8, fillers=2)
SMALL = Hierarchical(3, (3,))


def with_vectors(splits):
    """Put two further numbers before the types of each step, as in the published layout."""

    def put(batch):
        drawn = torch.randn(*batch.inputs.shape[:2], 2, generator=torch.Generator().manual_seed(0))
        return replace(batch, inputs=torch.cat([drawn, batch.inputs], 2), truth=None)

    return replace(splits, **{name: put(getattr(splits, name)) for name in ("train", "validation", "test")})


@pytest.mark.parametrize("together", [1, 2])
def test_the_types_of_the_data_are_resolved(together):
    splits = replace(FEW, together=together).load(0)
    assert resolve_event_types(SMALL, splits) == replace(SMALL, types=0)
    assert resolve_event_types(SMALL, with_vectors(splits)) == replace(SMALL, types=10)
    assert resolve_event_types(Attention(types=None), with_vectors(splits)).types == 10


def test_resolved_settings_and_other_models_are_unchanged():
    splits = FEW.load(0)
    for config in (replace(SMALL, types=3), replace(SMALL, types=0), Attention(), Recurrent()):
        assert resolve_event_types(config, splits) is config


def test_data_without_types_is_named():
    splits = with_vectors(FEW.load(0))
    for unnamed in (
        replace(splits, types=()),
        replace(splits, test=replace(splits.test, inputs=splits.test.inputs + 0.5)),
    ):
        with pytest.raises(SettingError, match=r"'hierarchical' attends to event types, and the features of"):
            train(SMALL, unnamed, CLEAN, 0)


def test_a_trained_model_keeps_the_types_of_its_data(tmp_path):
    splits = with_vectors(FEW.load(0))
    fitted = train(SMALL, splits, replace(CLEAN, epochs=1), 0)
    assert (fitted.model.types, fitted.model.read) == (10, 2)
    save_checkpoint(tmp_path, fitted.model, SMALL, splits, {})
    model, info = load_checkpoint(tmp_path)
    assert info.config == replace(SMALL, types=10)
    assert torch.equal(model(splits.test.inputs), fitted.model.eval()(splits.test.inputs))
