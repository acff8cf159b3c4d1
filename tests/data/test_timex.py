"""Series in the published files of TimeX, from tiny files of the same layout."""

import numpy as np
import pytest
import torch

from perdure.core.errors import DataError, LabelError, SettingError, ShapeError
from perdure.data.timex import TimeX

SAMPLES, STEPS = 20, 6
X = torch.randn(SAMPLES, STEPS, 2, generator=torch.Generator().manual_seed(0))
LABEL = torch.arange(SAMPLES) % 2
ROWS = [torch.arange(0, 12), torch.arange(12, 16), torch.arange(16, 20)]


def write(folder, name, rows=ROWS):
    """Write the files of one dataset."""
    for part in ("all_data", "processed_data", "splits"):
        (folder / part).mkdir(exist_ok=True)
    if name == "Boiler":
        torch.save(X.transpose(0, 1), folder / "xfull.pt")
        torch.save(LABEL, folder / "yfull.pt")
        torch.save(tuple(rows), folder / "split=1.pt")
    if name == "MITECG":
        torch.save(X[..., :1].transpose(0, 1), folder / "all_data/X.pt")
        torch.save(LABEL[:, None], folder / "all_data/y.pt")
        torch.save((X[..., 0] > 1).float(), folder / "all_data/saliency.pt")
        torch.save(tuple(rows), folder / "split=1.pt")
    if name == "Epilepsy":
        torch.save((X.double(), LABEL.double()), folder / "all_epilepsy.pt")
        np.save(folder / "split_1.npy", np.array([r.numpy() for r in rows], dtype=object), allow_pickle=True)
    if name == "PAM":
        np.save(folder / "processed_data/PTdict_list.npy", X.double().numpy())
        np.save(folder / "processed_data/arr_outcomes.npy", np.stack([np.zeros(SAMPLES), LABEL.numpy()], 1))
        np.save(
            folder / "splits/PAMAP2_split_1.npy", np.array([r.numpy() for r in rows], dtype=object), allow_pickle=True
        )
    return str(folder)


@pytest.mark.parametrize("name", ["Boiler", "Epilepsy", "MITECG", "PAM"])
def test_the_files_of_each_dataset_are_read(name, tmp_path):
    splits = TimeX(write(tmp_path, name), name, standardise=False).load(0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [12, 4, 4]
    for part in (splits.train, splits.validation, splits.test):
        rows = [int(item) for item in part.id]
        torch.testing.assert_close(part.inputs, X[rows][..., : 1 if name == "MITECG" else 2])
        assert torch.equal(part.label, LABEL[rows])
        if name == "MITECG":
            assert torch.equal(part.truth, X[rows][..., :1] > 1)
        else:
            assert part.truth is None
    assert splits.classes == ("0", "1")


@pytest.mark.parametrize("name", ["Boiler", "MITECG"])
def test_published_splits_of_tensors_are_used(name, tmp_path):
    splits = TimeX(write(tmp_path, name), name, fold=1).load(0)
    assert [int(item) for item in splits.test.id] == ROWS[2].tolist()
    assert splits.train.inputs.mean((0, 1)).abs().max() < 1e-5


@pytest.mark.parametrize(("name", "file"), [("Epilepsy", "split_1"), ("PAM", "splits/PAMAP2_split_1")])
def test_pickled_splits_are_rejected_and_read_when_converted(name, file, tmp_path):
    data = TimeX(write(tmp_path, name), name, fold=1)
    with pytest.raises(DataError, match=r"it is pickled.*numpy\.savez.*fold=0"):
        data.load(0)
    np.savez(tmp_path / f"{file}.npz", train=ROWS[0], validation=ROWS[1], test=ROWS[2])
    assert [int(item) for item in data.load(0).test.id] == ROWS[2].tolist()


def test_other_layouts_are_named(tmp_path):
    folder = write(tmp_path, "Boiler", [*ROWS[:2], torch.arange(18, 22)])
    with pytest.raises(DataError, match="not among the 20"):
        TimeX(folder, fold=1).load(0)
    with pytest.raises(DataError, match=r"holds no 'split=2\.pt'"):
        TimeX(folder, fold=2).load(0)
    with pytest.raises(DataError, match=r"holds no 'all_epilepsy\.pt'"):
        TimeX(folder, "Epilepsy").load(0)
    torch.save(LABEL[:5], tmp_path / "yfull.pt")
    with pytest.raises(ShapeError, match="5 labels for 20 series"):
        TimeX(folder).load(0)
    torch.save(torch.zeros(20), tmp_path / "yfull.pt")
    with pytest.raises(LabelError, match="every sample"):
        TimeX(folder).load(0)
    torch.save(X[0], tmp_path / "xfull.pt")
    with pytest.raises(ShapeError, match="three axes"):
        TimeX(folder).load(0)
    torch.save({"x": X}, tmp_path / "xfull.pt")
    with pytest.raises(DataError, match="dict where numbers"):
        TimeX(folder).load(0)
    torch.save(SettingError, tmp_path / "xfull.pt")
    with pytest.raises(DataError, match="other things than tensors"):
        TimeX(folder).load(0)
    (tmp_path / "xfull.pt").write_bytes(b"no zip")
    with pytest.raises(DataError):
        TimeX(folder).load(0)


@pytest.mark.parametrize("setting", [{"name": "Wafer"}, {"fold": -1}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        TimeX("folder", **setting)
