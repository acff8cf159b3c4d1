import pickle
from dataclasses import replace

import pytest
import torch

from perdure.core.batch import split_batch
from perdure.core.digest import model_digest
from perdure.core.errors import SettingError
from perdure.models.recurrent import Recurrent
from perdure.training.batches import BatchSource, shuffle_batches
from perdure.training.checkpoint import load_checkpoint
from perdure.training.settings import Training
from perdure.training.train import Runs, train

CONFIG = Recurrent(hidden_size=8, input_dropout=0.1, output_dropout=0.1)
SETTINGS = Training(epochs=2, batch_size=10)
SMALL, BRIEF = Recurrent(hidden_size=4), Training(epochs=1, batch_size=10)


def test_the_seed_alone_decides_whatever_the_threads(splits):
    threads = torch.get_num_threads()
    digests = []
    for count in (1, 2):
        torch.set_num_threads(count)
        digests.append(model_digest(train(CONFIG, splits, SETTINGS, 3).model))
        assert torch.get_num_threads() == count
    torch.set_num_threads(threads)
    assert digests[0] == digests[1]
    assert digests[0] != model_digest(train(CONFIG, splits, SETTINGS, 4).model)


def test_a_copy_sent_elsewhere_gives_the_same_files_in_any_order(splits, tmp_path):
    first, second = (Runs(CONFIG, splits, SETTINGS, tmp_path / name) for name in ("first", "second"))
    sent = pickle.loads(pickle.dumps(second))
    for first_seed, second_seed in ((0, 1), (1, 0)):
        first(first_seed)
        torch.rand(3)
        sent(second_seed)
    for seed in (0, 1):
        for name in ("model.safetensors", "model.yaml"):
            assert (first.place(seed) / name).read_bytes() == (second.place(seed) / name).read_bytes()


def test_finished_runs_are_kept(splits, tmp_path):
    runs = Runs(CONFIG, splits, SETTINGS, tmp_path)
    runs(0)
    before = (runs.place(0) / "model.yaml").stat().st_mtime_ns
    runs(0)
    assert (runs.place(0) / "model.yaml").stat().st_mtime_ns == before
    (runs.place(0) / "model.yaml").unlink()
    runs(0)
    model, info = load_checkpoint(runs.place(0))
    assert model_digest(model) == model_digest(train(CONFIG, splits, SETTINGS, 0).model)
    assert info.extra["seed"] == 0
    assert info.classes == ("down", "up")


def test_a_given_source_replaces_the_training_split(splits, tmp_path):
    empty = replace(splits, train=replace(splits.train, inputs=torch.zeros_like(splits.train.inputs)))
    source = BatchSource(lambda _: split_batch(splits.train, 10), 4)
    settings = replace(SETTINGS, epochs=20, learning_rate=1e-2)
    assert train(CONFIG, empty, settings, 0, source).history[-1].validation_accuracy > 0.9
    assert train(CONFIG, empty, settings, 0).history[-1].validation_accuracy <= 0.6


def test_bootstraps_share_all_but_the_samples(splits, tmp_path):
    """With training samples that are all the same, runs that draw them again are the same."""
    equal = replace(splits.train, inputs=splits.train.inputs[:1].expand_as(splits.train.inputs).clone())
    same = replace(splits, train=replace(equal, label=torch.zeros_like(equal.label)))
    weights = {}
    for name, data in (("same", same), ("other", splits)):
        runs = Runs(
            Recurrent(hidden_size=4), data, Training(epochs=1, batch_size=10), tmp_path / name, vary="bootstrap", base=7
        )
        for draw in (0, 1):
            runs(draw)
        weights[name] = [(runs.place(draw) / "model.safetensors").read_bytes() for draw in (0, 1)]
    assert weights["same"][0] == weights["same"][1]
    assert weights["other"][0] != weights["other"][1]
    assert (tmp_path / "other/bootstrap-00001/model.yaml").exists()


def test_a_source_has_no_bootstraps(splits, tmp_path):
    with pytest.raises(SettingError, match="no samples to draw again"):
        Runs(
            Recurrent(hidden_size=4),
            splits,
            Training(epochs=1, batch_size=10),
            tmp_path,
            shuffle_batches(splits.train, 10),
            "bootstrap",
        )
    with pytest.raises(SettingError, match="vary"):
        Runs(SMALL, splits, BRIEF, tmp_path, None, "weather")
