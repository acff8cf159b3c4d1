from dataclasses import replace

import pytest
import torch

from perdure.core.errors import NonFiniteError, SettingError
from perdure.models.recurrent import Recurrent
from perdure.training.attempts import Attempts, failure
from perdure.training.checkpoint import is_finished
from perdure.training.ensemble import Runs
from perdure.training.settings import Training
from perdure.training.source import shuffled

CONFIG = Recurrent(hidden_size=4)
SETTINGS = Training(epochs=1, batch_size=10)


def test_a_run_that_fails_leaves_a_note_and_the_others_go_on(splits, tmp_path, monkeypatch):
    train = Runs.__call__

    def sometimes(runs, seed):
        if seed == 1:
            raise NonFiniteError("the training loss is nan at step 3", "lower the learning rate")
        train(runs, seed)

    monkeypatch.setattr(Runs, "__call__", sometimes)
    runs = Runs(CONFIG, splits, SETTINGS, tmp_path)
    for seed in (0, 1, 2):
        Attempts(runs)(seed)
    assert [is_finished(runs.place(seed)) for seed in (0, 1, 2)] == [True, False, True]
    assert failure(runs.place(1)) == "the training loss is nan at step 3. Remedy: lower the learning rate."
    assert failure(runs.place(0)) is None
    monkeypatch.setattr(Runs, "__call__", train)
    Attempts(runs)(1)
    assert not is_finished(runs.place(1))  # a run is a function of its seed, so it would fail again


def test_bootstraps_share_all_but_the_samples(splits, tmp_path):
    """With training samples that are all the same, runs that draw them again are the same."""
    one = replace(splits.train, inputs=splits.train.inputs[:1].expand_as(splits.train.inputs).clone())
    same = replace(splits, train=replace(one, label=torch.zeros_like(one.label)))
    weights = {}
    for name, data in (("same", same), ("other", splits)):
        runs = Runs(CONFIG, data, SETTINGS, tmp_path / name, vary="bootstrap", base=7)
        for draw in (0, 1):
            runs(draw)
        weights[name] = [(runs.place(draw) / "model.safetensors").read_bytes() for draw in (0, 1)]
    assert weights["same"][0] == weights["same"][1]
    assert weights["other"][0] != weights["other"][1]
    assert (tmp_path / "other/bootstrap-00001/model.yaml").exists()


def test_a_source_has_no_bootstraps(splits, tmp_path):
    with pytest.raises(SettingError, match="no samples to draw again"):
        Runs(CONFIG, splits, SETTINGS, tmp_path, shuffled(splits.train, 10), "bootstrap")
    with pytest.raises(SettingError, match="vary"):
        Runs(CONFIG, splits, SETTINGS, tmp_path, None, "weather")
