from dataclasses import replace

import pytest
import torch

from perdure.core.errors import NonFiniteError
from perdure.data._splits import Splits
from perdure.models.recurrent import Recurrent
from perdure.training import many
from perdure.training.checkpoint import is_finished
from perdure.training.many import TrainingJobs, read_failure, train_together
from perdure.training.settings import PAPER, Training
from perdure.training.train import Runs, train

from .conftest import series

CONFIG = Recurrent(hidden_size=4, input_dropout=0.2, output_dropout=0.2)
SETTINGS = Training(epochs=8, batch_size=10, check_every=3, patience=None)
SEEDS = (3, 4, 5)


def data(seed, count=35):
    return Splits(series(count, seed), series(20, seed + 10), series(20, seed + 20), ("down", "up"))


def assert_same(ours, theirs):
    for result, other in zip(ours, theirs, strict=True):
        assert [check.step for check in result.history] == [check.step for check in other.history]
        assert result.best == other.best
        assert not result.model.training
        pairs = zip(result.model.state_dict().values(), other.model.state_dict().values(), strict=True)
        assert all(torch.allclose(*pair, rtol=0, atol=1e-4) for pair in pairs)


def alone(config, splits, settings):
    return [train(config, data, settings, seed) for data, seed in zip(splits, SEEDS, strict=True)]


@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, bidirectional=True), replace(CONFIG, pooling="self_attention", hops=2)],
    ids=["lstm", "bi_lstm", "self_attention"],
)
def test_seeds_in_lockstep_give_what_they_give_alone(config):
    splits = [data(seed) for seed in SEEDS]
    state = torch.get_rng_state()
    assert_same(train_together(config, splits, SETTINGS, SEEDS), alone(config, splits, SETTINGS))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_seed_that_is_over_does_not_disturb_the_others():
    splits = [data(seed) for seed in SEEDS]
    settings = replace(PAPER, epochs=60, batch_size=10, learning_rate=1e-2, check_every=3)
    ours = train_together(CONFIG, splits, settings, SEEDS)
    assert len({fitted.history[-1].step for fitted in ours}) > 1
    assert [fitted.history[-1].step for fitted in ours] == [
        fitted.history[-1].step for fitted in alone(CONFIG, splits, settings)
    ]


@pytest.mark.parametrize(
    ("config", "counts"),
    [(replace(CONFIG, layers=2), (35, 35, 35)), (CONFIG, (35, 25, 35))],
    ids=["two layers", "unequal sets"],
)
def test_what_cannot_be_stacked_is_trained_one_after_the_other(config, counts, monkeypatch):
    monkeypatch.setattr(many, "run_stacked_lstms", None)
    splits = [data(seed, count) for seed, count in zip(SEEDS, counts, strict=True)]
    settings = replace(SETTINGS, epochs=1)
    assert_same(train_together(config, splits, settings, SEEDS), alone(config, splits, settings))


def test_bad_data_of_one_seed_is_an_error():
    bad = data(4)
    bad.train.inputs[0, 0, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="training inputs"):
        train_together(CONFIG, [data(3), bad], SETTINGS, SEEDS[:2])


def test_a_run_that_fails_leaves_a_note_and_the_others_continue(splits, tmp_path, monkeypatch):
    train = Runs.__call__

    def sometimes(runs, seed):
        if seed == 1:
            raise NonFiniteError("the training loss is nan at step 3", "lower the learning rate")
        train(runs, seed)

    monkeypatch.setattr(Runs, "__call__", sometimes)
    runs = Runs(Recurrent(hidden_size=4), splits, Training(epochs=1, batch_size=10), tmp_path)
    for seed in (0, 1, 2):
        TrainingJobs(runs)(seed)
    assert [is_finished(runs.place(seed)) for seed in (0, 1, 2)] == [True, False, True]
    assert read_failure(runs.place(1)) == "the training loss is nan at step 3. Remedy: lower the learning rate."
    assert read_failure(runs.place(0)) is None
    monkeypatch.setattr(Runs, "__call__", train)
    TrainingJobs(runs)(1)
    assert not is_finished(runs.place(1))  # a run is a function of its seed, so it would fail again
