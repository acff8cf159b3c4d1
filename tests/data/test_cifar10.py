import pickle
import sys

import huggingface_hub.constants
import pytest
import torch

from perdure.core.errors import DataError, DependencyError, LabelError, SettingError
from perdure.data.cifar10 import CIFAR10, CLASSES
from tests.data.files import photographs, write_cifar_binary, write_cifar_parquet

PLAIN = {"mean": (0.0, 0.0, 0.0), "deviation": (1.0, 1.0, 1.0)}


@pytest.mark.parametrize("write", [write_cifar_binary, write_cifar_parquet])
def test_every_format_gives_the_same_images(write, tmp_path):
    write(tmp_path)
    splits = CIFAR10(str(tmp_path), **PLAIN).load(0)
    pixels, label = photographs(40)
    for part in (splits.train, splits.validation):
        rows = [int(name.removeprefix("train-")) for name in part.id]
        torch.testing.assert_close(part.inputs, torch.from_numpy(pixels[rows]).permute(0, 3, 1, 2) / 255.0)
        assert part.label.tolist() == label[rows].tolist()
        assert part.truth is None
    assert len(splits.train) == 36
    assert splits.test.inputs.shape == (10, 3, 32, 32)
    assert splits.classes == CLASSES
    assert splits.features == 3


def test_pixels_are_normalised_by_channel(tmp_path):
    write_cifar_binary(tmp_path)
    plain, default = (CIFAR10(str(tmp_path), **settings).load(0).test.inputs for settings in (PLAIN, {}))
    torch.testing.assert_close(default[:, 2], (plain[:, 2] - 0.4465) / 0.2616)


def test_the_cache_of_the_hub_is_found_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    home = tmp_path / "datasets--uoft-cs--cifar10"
    (home / "snapshots" / "abc" / "plain_text").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    write_cifar_parquet(home / "snapshots" / "abc" / "plain_text")
    assert len(CIFAR10().load(0).test) == 10


def test_without_network_and_cache_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"'uoft-cs/cifar10' is not in the cache.*binary version.*or use 'shapes'"):
        CIFAR10().load(0)


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DependencyError, match=r"pip install 'perdure\[datasets\]'"):
        CIFAR10().load(0)


def test_pickles_are_refused_unread(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    for name in ("data_batch_1", "test_batch"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"Python version of CIFAR-10, a pickle.*take the binary version"):
        CIFAR10(str(tmp_path)).load(0)
    assert not (tmp_path / "sprung").exists()


def test_a_folder_without_the_files(tmp_path):
    with pytest.raises(DataError, match="holds no train files of CIFAR-10"):
        CIFAR10(str(tmp_path)).load(0)


@pytest.mark.parametrize(
    ("write", "name"), [(write_cifar_binary, "data_batch_3.bin"), (write_cifar_parquet, "train-00000-of-00001.parquet")]
)
def test_a_file_that_was_cut_short(write, name, tmp_path):
    write(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2 - 1])
    with pytest.raises(DataError, match=r"the train files in .* cannot be read"):
        CIFAR10(str(tmp_path)).load(0)


def test_labels_of_another_dataset_are_refused(tmp_path):
    """CIFAR-100 has two labels a picture, so its files have another length; here it is the label that is wrong."""
    write_cifar_binary(tmp_path)
    data = bytearray((tmp_path / "test_batch.bin").read_bytes())
    data[0] = 10
    (tmp_path / "test_batch.bin").write_bytes(data)
    with pytest.raises(LabelError, match="labels from 0 to 9"):
        CIFAR10(str(tmp_path)).load(0)


def test_a_wrong_setting_is_named():
    with pytest.raises(SettingError, match="deviation is"):
        CIFAR10(deviation=(1.0, 1.0, 0.0))


@pytest.mark.parametrize("write", [write_cifar_binary, write_cifar_parquet])
def test_the_files_of_one_part_are_split_by_the_seed(write, tmp_path):
    write(tmp_path, test=50)
    for path in (*tmp_path.glob("train-*"), *tmp_path.glob("data_batch*")):
        path.unlink()
    splits = CIFAR10(str(tmp_path)).load(0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [30, 10, 10]
