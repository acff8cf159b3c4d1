import torch
from sklearn.datasets import load_digits

from perdure.data.digits import Digits


def test_every_digit_of_scikit_learn_occurs_once_with_its_label():
    splits, source = Digits().load(1), load_digits()
    parts = (splits.train, splits.validation, splits.test)
    rows = [int(name) for part in parts for name in part.id]
    assert sorted(rows) == list(range(1797))
    assert torch.cat([part.label for part in parts]).tolist() == source.target[rows].tolist()
    inputs = torch.cat([part.inputs for part in parts])
    assert torch.equal(inputs * 16, torch.from_numpy(source.images[rows]).float())
    assert torch.equal(torch.cat([part.truth for part in parts]), inputs > 0)


def test_classes_are_in_proportion():
    splits = Digits().load(2)
    fraction = splits.test.label.bincount() / (splits.train.label.bincount() + splits.test.label.bincount())
    assert splits.classes == tuple("0123456789")
    assert (fraction - 0.25).abs().max() < 0.02  # 178 samples of a class: one more or less is 0.004
