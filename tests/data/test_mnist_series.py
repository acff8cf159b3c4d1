import sys
import time

import huggingface_hub.constants
import pytest
import torch

from perdure.core.errors import DataError, DependencyError, ShapeError
from perdure.data.mnist_series import MNISTSeries
from tests.data.files import pictures, write_idx, write_mnist_idx, write_mnist_parquet


def plain_idx(folder):
    write_mnist_idx(folder)


def gzipped_idx(folder):
    write_mnist_idx(folder, suffix=".gz")


@pytest.mark.parametrize("write", [write_mnist_parquet, plain_idx, gzipped_idx])
def test_every_format_gives_the_same_series(write, tmp_path):
    write(tmp_path)
    splits = MNISTSeries(str(tmp_path)).load(0)
    pixels, label = pictures(60)
    for part in (splits.train, splits.validation):
        rows = [int(name.removeprefix("train-")) for name in part.id]
        torch.testing.assert_close(part.inputs, torch.from_numpy(pixels[rows]) / 255.0)
        assert part.label.tolist() == label[rows].tolist()
        assert torch.equal(part.truth, part.inputs > 0)
    assert splits.train.label.bincount().tolist() == [5] * 10
    assert splits.validation.label.bincount().tolist() == [1] * 10
    assert splits.test.id == tuple(f"test-{i:05d}" for i in range(10))
    assert splits.test.inputs.max() == 1.0


def test_the_cache_of_the_hub_is_found_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    home = tmp_path / "datasets--ylecun--mnist"
    (home / "snapshots" / "abc" / "mnist").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    write_mnist_parquet(home / "snapshots" / "abc" / "mnist")
    assert len(MNISTSeries().load(0).train) == 50


def test_without_network_and_cache_the_error_comes_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    began = time.perf_counter()
    with pytest.raises(DataError, match=r"'ylecun/mnist' is not in the cache.*give path= a folder.*or use 'digits'"):
        MNISTSeries().load(0)
    assert time.perf_counter() - began < 10  # the retries of a plain download take 23 s


@pytest.mark.parametrize("package", ["huggingface_hub", "PIL"])
def test_a_missing_package_names_the_extra(package, tmp_path, monkeypatch):
    write_mnist_parquet(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=r"pip install 'perdure\[datasets\]'"):
        MNISTSeries(None if package == "huggingface_hub" else str(tmp_path)).load(0)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_folder_without_the_files(folder, tmp_path):
    with pytest.raises(DataError, match=r"holds no train files of MNIST.*train-images-idx3-ubyte.gz"):
        MNISTSeries(str(tmp_path / folder)).load(0)


@pytest.mark.parametrize(
    "name", ["train-00000-of-00002.parquet", "train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"]
)
def test_a_file_that_was_cut_short(name, tmp_path):
    write = {"parquet": write_mnist_parquet, "ubyte": plain_idx, "gz": gzipped_idx}
    write[name.replace("-", ".").rsplit(".", 1)[1]](tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"the train files in .* cannot be read: .*fetch them again"):
        MNISTSeries(str(tmp_path)).load(0)


def test_a_file_that_is_not_idx(tmp_path):
    plain_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(b"<html>")
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte does not begin like an IDX file"):
        MNISTSeries(str(tmp_path)).load(0)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("t10k-images-idx3-ubyte", pictures(10)[0][:, :14]),
        ("t10k-labels-idx1-ubyte", pictures(9)[1]),
        ("t10k-labels-idx1-ubyte", pictures(10)[1] + 1),
    ],
)
def test_files_that_are_not_mnist(name, values, tmp_path):
    plain_idx(tmp_path)
    write_idx(tmp_path / name, values)
    with pytest.raises(ShapeError, match=r"the test files hold images of shape.*28x28"):
        MNISTSeries(str(tmp_path)).load(0)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_files_of_one_part_are_split_by_the_seed(suffix, tmp_path):
    write_mnist_idx(tmp_path, test=50, suffix=suffix)
    for path in tmp_path.glob("train-*"):
        path.unlink()
    splits, again, other = (MNISTSeries(str(tmp_path)).load(seed) for seed in (0, 0, 1))
    parts = (splits.train, splits.validation, splits.test)
    assert [len(part) for part in parts] == [30, 10, 10]
    assert splits.train.id == again.train.id != other.train.id
    pixels, label = pictures(50, 1)
    rows = [int(name.removeprefix("test-")) for part in parts for name in part.id]
    assert sorted(rows) == list(range(50))
    assert splits.train.label.tolist() == label[rows[:30]].tolist()
    torch.testing.assert_close(splits.train.inputs, torch.from_numpy(pixels[rows[:30]]) / 255.0)


def test_a_part_that_lacks_a_file_is_not_passed_over(tmp_path):
    plain_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="holds no train files of MNIST"):
        MNISTSeries(str(tmp_path)).load(0)


def test_an_idx_file_that_declares_another_size_is_named(tmp_path):
    plain_idx(tmp_path)
    whole = bytearray((tmp_path / "train-images-idx3-ubyte").read_bytes())
    whole[4:8] = b"\xff\xff\xff\xff"
    (tmp_path / "train-images-idx3-ubyte").write_bytes(whole)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte declares \d+ bytes and holds 47040"):
        MNISTSeries(str(tmp_path)).load(0)
