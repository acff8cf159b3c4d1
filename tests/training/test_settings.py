import pytest

from perdure.core.errors import SettingError
from perdure.training.settings import CLEAN, PAPER, Training


def test_the_clean_setting_stops_early_on_the_validation_loss():
    assert (CLEAN.epochs, CLEAN.batch_size, CLEAN.learning_rate) == (30, 50, 3e-3)
    assert CLEAN.epochs * CLEAN.min_steps == 300
    assert (CLEAN.patience, CLEAN.select, CLEAN.loss, CLEAN.stop_at) == (10, "loss", "cross_entropy", None)


def test_the_paper_setting_is_the_published_one():
    assert (PAPER.epochs, PAPER.batch_size, PAPER.learning_rate) == (400, 50, 1e-3)
    assert (PAPER.patience, PAPER.select, PAPER.loss) == (None, "accuracy", "published")
    assert (PAPER.check_every, PAPER.stop_at) == (10, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"min_steps": 0},
        {"check_every": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"clip": -1.0},
        {"weight_decay": -0.1},
        {"stop_at": 1.1},
        {"schedule": "cosine"},
        {"loss": "hinge"},
        {"select": "test"},
    ],
)
def test_values_that_cannot_be_used_are_named(wrong):
    (name,) = wrong
    with pytest.raises(SettingError, match=name):
        Training(**wrong)
