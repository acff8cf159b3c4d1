"""InputIBA: known answers for every prior, the two forms, and what it reports in addition to its map."""

import dataclasses

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.iba import adversarial
from perdure.attribution.input_iba import InputIBA
from perdure.core.batch import Batch
from perdure.core.errors import SettingError, UnsupportedError
from tests.cases import convolutional, stream


class Steps(nn.Module):
    """Reads one step of a layer that keeps steps apart."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        nn.init.constant_(self.layer.weight, 0.5)
        nn.init.zeros_(self.layer.bias)

    def forward(self, x):
        score = self.layer(x)[:, 2].sum(1)
        return torch.stack([score, -score], 1)


def series(count, seed=0):
    return torch.randn(count, 6, 3, generator=stream(seed))


def explain_runs(**settings):
    method = InputIBA(layer="layer", **settings).fit(Steps(), Batch(series(60, 1), torch.zeros(60).long()))
    return attribute(Steps(), series(4).abs() + 0.5, method, target=torch.zeros(4).long())


@pytest.mark.parametrize("prior", ["noise", "none", "moments", "adversarial"])
@pytest.mark.parametrize("granularity", ["position", "element"])
def test_the_map_shows_the_step_that_the_model_reads(prior, granularity, monkeypatch):
    monkeypatch.setattr(adversarial, "EPOCHS", 1)
    steps = explain_runs(prior=prior, granularity=granularity).values.sum(2)
    assert (steps.argmax(1) == 2).all()


@pytest.mark.parametrize("prior", ["noise", "none", "moments"])
def test_a_sample_alone_has_the_map_it_has_among_others(prior):
    """Steps of Adam make a last digit a tenth, so rounding must not depend on the batch: also in single precision."""
    model, x = convolutional(), torch.randn(6, 2, 6, 5, generator=stream(5))
    method = InputIBA(prior=prior, layer="0", steps=5)
    method = method.fit(model, Batch(torch.randn(120, 2, 6, 5, generator=stream(6)), torch.zeros(120).long()))
    together, alone = (attribute(model, x, method, target=torch.zeros(6).long(), batch_size=n) for n in (6, 1))
    for name in together.aux:
        torch.testing.assert_close(alone.aux[name], together.aux[name], rtol=0, atol=1e-5)


def test_published_choices_still_find_it(monkeypatch):
    monkeypatch.setattr(adversarial, "EPOCHS", 1)
    result = explain_runs(prior="adversarial", compat="published", granularity="element", start=5.0, copies=10)
    assert (result.values.sum(2).argmax(1) == 2).all()
    assert set(result.aux) == {"mask", "bits", "prior"}


def test_both_readings_are_there():
    annealed, mask, bits = (explain_runs(read_out=name) for name in ("annealed", "mask", "bits"))
    assert torch.equal(mask.values, mask.aux["mask"])
    assert ((annealed.values >= 0) & (annealed.values <= 1)).all()
    assert torch.equal(bits.values, mask.aux["bits"])
    assert ((mask.values > 0) & (mask.values < 1)).all()
    assert (bits.values >= 0).all()
    shared = mask.values
    assert torch.equal(shared, shared[:, :, :1].expand_as(shared))


def test_the_scale_of_the_outputs_cancels():
    """Log-odds of two classes grow with the logits, and so does the information penalty."""

    class Surer(Steps):
        def forward(self, x):
            return super().forward(x) * 8

    x, label = series(4).abs() + 2.5, torch.zeros(4).long()
    method = InputIBA().fit(Steps(), Batch(series(60, 1), torch.zeros(60).long()))
    first, other = (attribute(model, x, method, target=label).values for model in (Steps(), Surer()))
    torch.testing.assert_close(first, other, rtol=0, atol=1e-4)
    fixed = attribute(Surer(), x, dataclasses.replace(method, beta=20.0), target=label).values
    assert not torch.allclose(first, fixed, rtol=0, atol=1e-2)


class Opposed(Steps):
    """The second step is evidence for class 1, the fourth against it, and the model reads nothing else."""

    def forward(self, x):
        steps = self.layer(x).sum(2)
        score = steps[:, 1] - steps[:, 3]
        return torch.stack([-score, score], 1)


@pytest.mark.parametrize("prior", ["noise", "none"])
def test_a_signed_map_distinguishes_evidence_against_from_what_is_not_read(prior):
    x, label = series(6).abs() + 0.5, torch.ones(6).long()
    method = InputIBA(layer="layer", prior=prior).fit(Opposed(), Batch(series(60, 1), torch.zeros(60).long()))
    plain = attribute(Opposed(), x, method, target=label)
    signed = attribute(Opposed(), x, dataclasses.replace(method, read_out="signed"), target=label)
    steps = signed.values.mean(2)
    rest = steps[:, [0, 2, 4, 5]].abs().amax(1)
    assert (steps[:, 1] > 20 * rest).all()
    assert (steps[:, 3] < -20 * rest).all()
    torch.testing.assert_close(signed.aux["mask"], plain.aux["mask"], rtol=0, atol=1e-5)
    assert set(signed.aux) == {*plain.aux, "against"}


def test_it_is_pickled_and_reports_its_settings_only():
    assert dataclasses.replace(InputIBA(beta=20.0), beta=None) == InputIBA()
    assert "inside" not in explain_runs().provenance.fields


def test_a_class_that_noise_alone_gives_has_a_map_all_the_same():
    """Log-probability is near its maximum without any input; log-odds still show the evidence for the class."""

    class Biased(Steps):
        def forward(self, x):
            return super().forward(x) + torch.tensor([12.0, -12.0])

    x, label = series(4).abs() + 0.5, torch.zeros(4).long()
    method = InputIBA().fit(Biased(), Batch(series(60, 1), torch.zeros(60).long()))
    assert (attribute(Biased(), x, method, target=label).values.sum(2).argmax(1) == 2).all()


def test_before_it_is_fitted_it_raises_a_named_error():
    with pytest.raises(UnsupportedError, match="has not seen any data"):
        attribute(Steps(), series(2), InputIBA(), target=torch.zeros(2).long())


@pytest.mark.parametrize("wrong", [{"prior": "flat"}, {"read_out": "all"}, {"compat": "paper"}, {"feature_beta": 0.0}])
def test_a_setting_that_cannot_be_used_is_named(wrong):
    with pytest.raises(SettingError):
        InputIBA(**wrong)
