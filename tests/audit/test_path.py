import dataclasses

import pytest
import torch
from torch import nn

from perdure.audit.path import PathReport, path
from perdure.core.batch import Batch
from perdure.core.errors import CheckpointError, RunFolderError, SettingError
from perdure.data._splits import Splits
from perdure.records.record import read_record
from perdure.stability.path_record import PathSettings

SETTINGS = PathSettings(kinds=("linear",), methods=("gradient",), points=3, samples=8, align=False)


def make_model(seed, hidden=4):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(6, hidden), nn.Tanh(), nn.Linear(hidden, 2))


@pytest.fixture
def splits(generator):
    x = torch.randn(20, 3, 2, generator=generator)
    batch = Batch(x, (x.sum((1, 2)) > 0).long())
    return Splits(batch, batch, batch, ("low", "high"))


def test_models_in_memory_are_connected_and_the_report_is_stored(tmp_path, splits):
    first, second = make_model(0), make_model(1)
    report = path(first, second, splits, settings=SETTINGS, folder=tmp_path)
    stored, _ = read_record(tmp_path, "path")
    assert report.to_dict() == stored
    assert report.kinds[0].barrier.value == report.kinds[0].barrier.null
    assert (tmp_path / "report.html").read_text() == report.html
    untimed = tuple(dataclasses.replace(kind, seconds=None) for kind in report.kinds)
    assert PathReport.from_dict(stored, report.arrays).kinds == untimed
    assert first.training  # the models are copied
    with pytest.raises(RunFolderError, match="digests"):
        path(first, make_model(2), splits, settings=SETTINGS, folder=tmp_path)


def test_ends_without_a_path_are_named(splits):
    with pytest.raises(CheckpointError, match="the same weights"):
        path(make_model(0), make_model(0), splits, settings=SETTINGS)
    with pytest.raises(CheckpointError, match="different architectures"):
        path(make_model(0), make_model(1, hidden=5), splits, settings=SETTINGS)
    with pytest.raises(SettingError, match=r"two torch\.nn\.Modules, or two folders"):
        path(make_model(0), "runs/seed-0", splits, settings=SETTINGS)
