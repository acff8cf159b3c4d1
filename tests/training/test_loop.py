import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import LabelError, NonFiniteError, SettingError
from perdure.training.batches import draw_batches, shuffle_batches
from perdure.training.loop import fit
from perdure.training.predict import accuracy
from perdure.training.settings import PAPER, Training

from .conftest import series

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = Training(epochs=3, batch_size=10)


class Last(nn.Module):
    """A tiny recurrent classifier with dropout."""

    def __init__(self, dropout=0.0, seed=0):
        super().__init__()
        self.recurrence, self.head, self.dropout = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 2), nn.Dropout(dropout)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in self.parameters():
                weight.uniform_(-0.5, 0.5, generator=generator)

    def forward(self, x):
        return self.head(self.dropout(self.recurrence(x)[0][:, -1]))


class Bias(nn.Module):
    """Logits that ignore the input: the loss in closed form."""

    def __init__(self, *logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, x):
        return self.logits.expand(len(x), -1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def constant(label, count=4):
    return Batch(torch.zeros(count, 1), torch.full((count,), label))


def test_it_learns_a_problem_that_can_be_learnt():
    train, validation = series(200, 0), series(100, 1)
    settings = Training(epochs=40, batch_size=20, learning_rate=1e-2)
    fitted = fit(Last(), shuffle_batches(train, 20), validation, settings, generator())
    assert not fitted.model.training
    assert fitted.history[0].validation_loss > fitted.history[fitted.best].validation_loss
    assert accuracy(fitted.model, series(500, 2)) > 0.95


def test_the_seed_alone_decides_and_the_global_state_is_not_touched():
    train, validation, model = series(40, 0), series(20, 1), Last(dropout=0.5)
    before, state = weights(model), torch.get_rng_state()
    first = fit(model, shuffle_batches(train, 10), validation, SHORT, generator(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(weights(model), before)
    assert model.training
    torch.rand(7)
    second = fit(model, shuffle_batches(train, 10), validation, SHORT, generator(3))
    other = fit(model, shuffle_batches(train, 10), validation, SHORT, generator(4))
    assert torch.equal(weights(first.model), weights(second.model))
    assert first.history == second.history
    assert not torch.equal(weights(first.model), weights(other.model))


def test_the_state_is_given_back_after_a_failure():
    state = torch.get_rng_state()
    with pytest.raises(NonFiniteError):
        fit(Bias(float("nan"), 0.0), shuffle_batches(constant(0), 4), constant(0), SHORT, generator())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_steps_are_those_of_adam():
    train = series(12, 0)
    ours = fit(
        Last(),
        shuffle_batches(train, 12),
        series(4, 1),
        replace(SHORT, epochs=1, learning_rate=1e-3, weight_decay=0.1, clip=0.01),
        generator(),
    )
    model = Last()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1)
    nn.functional.cross_entropy(model(train.inputs), train.label).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    optimiser.step()
    assert torch.allclose(weights(ours.model), weights(model), atol=1e-6)


def test_without_decay_it_is_plain_adam_bit_for_bit():
    models = [Last(), Last()]
    for model, kind in zip(models, (torch.optim.Adam, torch.optim.AdamW), strict=True):
        optimiser = kind(model.parameters(), 1e-3, weight_decay=0.0)
        for _ in range(3):
            optimiser.zero_grad()
            model(series(12, 0).inputs).square().sum().backward()
            optimiser.step()
    assert torch.equal(*map(weights, models))


def test_the_published_loss_takes_the_softmax_twice():
    clean = fit(Bias(2.0, 0.0), shuffle_batches(constant(0), 4), constant(1), replace(SHORT, epochs=1), generator())
    paper = fit(
        Bias(2.0, 0.0),
        shuffle_batches(constant(0), 4),
        constant(1),
        replace(SHORT, epochs=1, loss="published"),
        generator(),
    )
    p = torch.tensor([2.0, 0.0]).softmax(0)
    assert clean.history[0].loss == pytest.approx(-p.log()[0].item(), abs=1e-6)
    assert paper.history[0].loss == pytest.approx(-p.log_softmax(0)[0].item(), abs=1e-6)


def test_the_best_weights_are_kept_and_patience_ends_training():
    """Training pulls towards class 0, the validation labels are class 1: the first check is the best."""
    settings = Training(epochs=50, batch_size=4, learning_rate=0.1, patience=3)
    fitted = fit(Bias(0.0, 0.0), shuffle_batches(constant(0), 4), constant(1), settings, generator())
    assert fitted.best == 0
    assert [check.step for check in fitted.history] == [1, 2, 3, 4]
    assert fitted.model.logits.tolist() == pytest.approx([0.1, -0.1], abs=1e-4)


def test_selection_by_accuracy_keeps_the_earliest_of_equals():
    """All checks are right; the loss falls until the last one."""
    settings = Training(epochs=4, batch_size=4, learning_rate=0.1, select="accuracy", patience=None)
    by_accuracy, by_loss = (
        fit(Bias(0.1, 0.0), shuffle_batches(constant(0), 4), constant(0), replace(settings, select=rule), generator())
        for rule in ("accuracy", "loss")
    )
    assert [check.validation_accuracy for check in by_accuracy.history] == [1.0] * 4
    assert (by_accuracy.best, by_loss.best) == (0, 3)


def test_checks_come_every_few_steps_and_at_the_end():
    seen = []
    settings = Training(epochs=2, batch_size=10, check_every=3, patience=None)
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    fitted = fit(Last(), shuffle_batches(series(40, 0), 10), series(20, 1), settings, generator(), progress)
    assert [check.step for check in fitted.history] == [3, 6, 8]
    assert seen == [(3, 8), (6, 8), (8, 8), (8, 8)]


def test_training_stops_when_the_training_set_is_learnt():
    train = series(40, 0)
    settings = replace(PAPER, batch_size=10, learning_rate=1e-2, check_every=3)
    fitted = fit(Last(), shuffle_batches(train, 10), train, settings, generator())
    reached = [check.validation_accuracy == 1.0 for check in fitted.history]
    assert reached == [False] * (len(reached) - 1) + [True]
    assert len(reached) > 1


@pytest.mark.parametrize(("stop_at", "steps"), [(0.75, 1), (0.76, 5)])
def test_the_training_accuracy_is_that_of_the_whole_set(stop_at, steps):
    """Three of four labels are 0 and the model predicts 0, so 75 % is reached and more is not."""
    train = Batch(torch.zeros(4, 1), torch.tensor([0, 0, 1, 0]))
    settings = Training(epochs=5, batch_size=4, stop_at=stop_at, patience=None)
    fitted = fit(Bias(1.0, 0.0), shuffle_batches(train, 4), constant(0), settings, generator())
    assert fitted.history[-1].step == steps


def test_one_cycle_uses_the_number_of_steps(monkeypatch):
    rates = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self: (rates.append(self.param_groups[0]["lr"]), step(self))[1]
    )
    settings = Training(epochs=5, batch_size=10, learning_rate=0.1, schedule="one_cycle", patience=None)
    fit(Last(), shuffle_batches(series(40, 0), 10), series(20, 1), settings, generator())
    assert len(rates) == 20
    assert rates.index(max(rates)) == 6
    assert max(rates) == pytest.approx(0.1, rel=0.01)
    assert rates[-1] < 0.005


def test_samples_can_be_drawn_afresh():
    def draw(count, generator):
        return slice_batch(series(1000, 0), torch.randint(1000, (count,), generator=generator))

    settings = Training(epochs=5, learning_rate=1e-2)
    first, second = (fit(Last(), draw_batches(draw, 50, 20), series(100, 1), settings, generator()) for _ in range(2))
    assert accuracy(first.model, series(500, 2)) > 0.9
    assert torch.equal(weights(first.model), weights(second.model))


def test_a_training_accuracy_needs_a_training_set():
    with pytest.raises(SettingError, match="drawn for each step"):
        fit(Last(), draw_batches(lambda count, _: series(count, 0), 4, 2), series(4, 1), PAPER, generator())


def test_a_diverging_loss_names_the_step_and_the_remedy():
    train = Batch(torch.randn(20, 3, generator=generator()), torch.arange(20) % 2)
    settings = Training(epochs=50, batch_size=20, learning_rate=1e38)
    with pytest.raises(NonFiniteError, match=r"loss is (nan|inf) at step \d+.*learning rate, now 1e\+38"):
        fit(nn.Linear(3, 2), shuffle_batches(train, 20), train, settings, generator())


def test_bad_data_is_named_before_training():
    good, bad = series(4, 0), series(4, 0)
    bad.inputs[1, 2, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="training inputs"):
        fit(Last(), shuffle_batches(bad, 4), good, SHORT, generator())
    with pytest.raises(NonFiniteError, match="validation inputs"):
        fit(Last(), shuffle_batches(good, 4), bad, SHORT, generator())
    with pytest.raises(LabelError, match="is 2, but the model has 2 outputs"):
        fit(Last(), shuffle_batches(replace(good, label=good.label + 1), 4), good, SHORT, generator())


def test_the_copy_does_not_share_weights():
    model = Last()
    fitted = fit(model, shuffle_batches(series(10, 0), 10), series(4, 1), replace(SHORT, epochs=1), generator())
    kept = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        fitted.model.head.weight.zero_()
    assert torch.equal(model.head.weight, kept["head.weight"])
