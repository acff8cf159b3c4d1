"""Declarations: of models of every convention, found once, and kept by factories."""

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch
from perdure.core.errors import ProbabilityWarning, SettingError, UnsupportedError
from perdure.core.outputs import declared_outputs
from perdure.models._adapted import Adapted
from perdure.models._outputs import declare, declare_detected, outputs_of
from perdure.models.factory import Factory
from tests.cases import recurrent, stream

BATCH = Batch(torch.randn(5, 3, 4, generator=stream()), torch.zeros(5).long())


def model(outputs, *layers):
    return nn.Sequential(nn.Flatten(), nn.Linear(12, outputs), *layers)


def test_one_output_for_two_classes_becomes_two_and_keeps_its_name():
    for kind, effective in (("logit", "logits"), ("probability", "probabilities")):
        made = declare(model(1, nn.Sigmoid()), kind)
        assert (outputs_of(made), declared_outputs(made)) == (kind, effective)
        assert made(BATCH.inputs).shape == (5, 2)


def test_a_model_with_a_convention_of_perdure_keeps_it():
    ours = recurrent()
    assert declare(ours, "independent_logits") is ours
    assert outputs_of(ours) == "independent_logits"
    with pytest.raises(UnsupportedError, match="two outputs"):
        declare(recurrent(), "logit")
    assert declare(ours, None) is ours


def test_detected_outputs_are_declared_and_warned_of_once():
    with pytest.warns(ProbabilityWarning, match="--outputs probabilities"):
        made = declare_detected(model(3, nn.Softmax(1)), BATCH)
    assert outputs_of(declare_detected(made, BATCH)) == "probabilities"
    assert outputs_of(declare_detected(model(3), BATCH)) == "logits"
    with pytest.raises(UnsupportedError, match="sum to one"):
        declare_detected(Adapted(model(3, nn.Sigmoid()), outputs="probabilities"), BATCH)


def test_a_factory_declares_the_models_that_it_makes(tmp_path):
    file = tmp_path / "declared_by_factory.py"
    file.write_text("from torch import nn\n\n\ndef make(features):\n    return nn.Linear(features, 1)\n")
    made = Factory(f"{file}:make", "logit").build(4, 2, stream())
    assert made(BATCH.inputs[:, 0]).shape == (5, 2)
    with pytest.raises(SettingError, match="outputs is 'logitz'"):
        Factory(f"{file}:make", "logitz")
