import pickle
from dataclasses import replace

import torch

from perdure.core.batch import batches
from perdure.core.digest import model_digest
from perdure.models.recurrent import Recurrent
from perdure.training.checkpoint import load_checkpoint
from perdure.training.ensemble import Runs, train
from perdure.training.settings import Training
from perdure.training.source import Source

CONFIG = Recurrent(hidden_size=8, input_dropout=0.1, output_dropout=0.1)
SETTINGS = Training(epochs=2, batch_size=10)


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
    here, there = (Runs(CONFIG, splits, SETTINGS, tmp_path / name) for name in ("here", "there"))
    sent = pickle.loads(pickle.dumps(there))
    for here_seed, there_seed in ((0, 1), (1, 0)):
        here(here_seed)
        torch.rand(3)
        sent(there_seed)
    for seed in (0, 1):
        for name in ("model.safetensors", "model.yaml"):
            assert (here.place(seed) / name).read_bytes() == (there.place(seed) / name).read_bytes()


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


def test_a_source_of_its_own_replaces_the_training_split(splits, tmp_path):
    empty = replace(splits, train=replace(splits.train, inputs=torch.zeros_like(splits.train.inputs)))
    source = Source(lambda _: batches(splits.train, 10), 4)
    settings = replace(SETTINGS, epochs=20, learning_rate=1e-2)
    assert train(CONFIG, empty, settings, 0, source).history[-1].validation_accuracy > 0.9
    assert train(CONFIG, empty, settings, 0).history[-1].validation_accuracy <= 0.6
