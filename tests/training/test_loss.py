import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy, cross_entropy

from perdure.core.batch import Batch
from perdure.core.errors import LabelError, OutputsWarning, UnsupportedError
from perdure.landscape.surface import ModelLoss
from perdure.models import Adapted
from perdure.training.batches import shuffle_batches
from perdure.training.loop import fit
from perdure.training.loss import classification_loss, detect_kind
from perdure.training.predict import accuracy
from perdure.training.settings import Training

from .conftest import series

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = Training(epochs=12, batch_size=20, learning_rate=1e-2)
TRAIN, VALIDATION = series(80, 0), series(40, 1)


class Returns(nn.Module):
    """A linear classifier of series with an activation at its end."""

    def __init__(self, activation, width=2, outputs=None):
        super().__init__()
        self.head, self.activation = nn.Linear(18, width), activation
        if outputs is not None:
            self.outputs = outputs
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.uniform_(-0.2, 0.2, generator=generator)

    def forward(self, x):
        return self.activation(self.head(x.flatten(1)))


class InPlace(Returns):
    """A model that writes to its inputs."""

    def forward(self, x):
        x /= 3
        return super().forward(x)


class OutOfPlace(Returns):
    def forward(self, x):
        return super().forward(x / 3)


def train(model):
    generator = torch.Generator().manual_seed(1)
    return fit(model, shuffle_batches(TRAIN, 20), VALIDATION, SETTINGS, generator)


def best_accuracy(fitted):
    return fitted.history[fitted.best].validation_accuracy


def softmax(z):
    return z.softmax(1)


def test_probabilities_train_as_their_logits_do():
    logits, probabilities = train(Returns(nn.Identity())), train(Returns(softmax))
    for check, twin in zip(logits.history, probabilities.history, strict=True):
        assert check.validation_loss == pytest.approx(twin.validation_loss, abs=1e-4)
    assert best_accuracy(logits) == best_accuracy(probabilities) > 0.9
    assert torch.allclose(logits.model.head.weight, probabilities.model.head.weight, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "activation"),
    [("logit", nn.Identity()), ("probability", torch.sigmoid)],
)
@pytest.mark.parametrize("wrap", [False, True], ids=["declared by itself", "adapted"])
def test_one_output_for_two_classes_is_trained_by_binary_cross_entropy(kind, activation, wrap):
    model = Returns(activation, 1, None if wrap else kind)
    fitted = train(Adapted(model, outputs=kind) if wrap else model)
    assert best_accuracy(fitted) > 0.9
    assert accuracy(fitted.model, VALIDATION) == best_accuracy(fitted)
    z = model.head(VALIDATION.inputs.flatten(1)).detach()[:, 0]
    expected = binary_cross_entropy(z.sigmoid(), VALIDATION.label.float())
    surface = ModelLoss(model if not wrap else Adapted(model, outputs=kind), VALIDATION)
    assert surface.losses(dict(surface.model.named_parameters())).mean() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "activation"),
    [("independent_logits", nn.Identity()), ("independent_probabilities", torch.sigmoid)],
)
def test_independent_outputs_are_trained_each_by_binary_cross_entropy(kind, activation):
    assert best_accuracy(train(Returns(activation, 2, kind))) > 0.9
    outputs = torch.tensor([[0.5, -1.0]]).sigmoid()
    expected = -(outputs[0, 0].log() + (1 - outputs[0, 1]).log())
    given = outputs.logit() if kind == "independent_logits" else outputs
    assert classification_loss(given, kind, torch.tensor([0])).item() == pytest.approx(expected.item(), abs=1e-6)


def test_undeclared_independent_probabilities_are_trained_with_a_warning():
    with pytest.warns(OutputsWarning, match="binary cross-entropy"):
        assert best_accuracy(train(Returns(torch.sigmoid))) > 0.9


def test_one_output_without_a_declaration_has_no_loss():
    for activation in (nn.Identity(), torch.sigmoid):
        with pytest.raises(LabelError, match=r"one output.*outputs='logit'"):
            train(Returns(activation, 1))
        with pytest.raises(LabelError, match="predicts no class"):
            accuracy(Returns(activation, 1), VALIDATION)


def test_a_regression_is_not_trained_as_a_classifier():
    with pytest.raises(UnsupportedError, match="returns numbers"):
        train(Returns(nn.Identity(), 2, "numbers"))


def test_outputs_that_contradict_their_declaration_are_an_error():
    with pytest.raises(UnsupportedError, match="'probabilities'"):
        train(Returns(nn.Identity(), 2, "probabilities"))


def test_the_loss_of_logits_is_cross_entropy_bit_for_bit():
    logits, label = torch.randn(9, 4), torch.arange(9) % 4
    for reduction in ("mean", "none"):
        ours = classification_loss(logits, "logits", label, reduction)
        assert torch.equal(ours, cross_entropy(logits, label, reduction=reduction))


def test_token_ids_are_not_scaled_where_outputs_are_detected():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2), nn.Softmax(1))
    assert detect_kind(model, Batch(torch.tensor([[0, 4], [1, 2]]), torch.tensor([0, 1]))) == "probabilities"


def test_detection_leaves_the_model_and_the_random_state_unchanged():
    model = nn.Sequential(nn.Flatten(), nn.Linear(18, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    assert detect_kind(model, VALIDATION) == "logits"
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_model_that_writes_to_its_inputs_trains_as_its_twin_and_leaves_the_data_unchanged():
    before = TRAIN.inputs.clone(), VALIDATION.inputs.clone()
    written, twin = train(InPlace(nn.Identity())), train(OutOfPlace(nn.Identity()))
    assert torch.equal(TRAIN.inputs, before[0])
    assert torch.equal(VALIDATION.inputs, before[1])
    assert written.history == twin.history
    assert best_accuracy(written) == accuracy(twin.model, VALIDATION)
    surfaces = [ModelLoss(fitted.model, VALIDATION) for fitted in (written, twin)]
    first, second = (surface.losses(dict(surface.model.named_parameters())) for surface in surfaces)
    assert torch.equal(first, second)
    assert torch.equal(VALIDATION.inputs, before[1])
