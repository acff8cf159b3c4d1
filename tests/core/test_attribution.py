import copy
import pickle

import pytest
import torch

import perdure
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.query import Query
from perdure.core.target import Logit
from tests.cases import stream

X = torch.randn(3, 5, 2, generator=stream())
LABEL = torch.tensor([0, 1, 0])
TRUTH = X > 0


def linear(x, lengths=None):
    return x.sum(1) @ torch.tensor([[1.0, -1.0], [0.5, 2.0]])


def test_pickled_and_deep_copies_contain_neither_model_nor_inputs():
    attribution = perdure.attribute(lambda x: linear(x), X, "gradient", target=0)  # a model that cannot be pickled
    for copied in (pickle.loads(pickle.dumps(attribution)), copy.deepcopy(attribution), attribution.detach()):
        assert torch.equal(copied.values, attribution.values)
        assert (copied.dims, copied.provenance) == (attribution.dims, attribution.provenance)
        with pytest.raises(UnsupportedError, match=r"stored, detached or pickled.*model=\.\.\., x=\.\.\."):
            perdure.evaluate(copied, "insertion")


def test_a_batch_brings_its_lengths_and_its_truth():
    mask = torch.arange(5) < torch.tensor([5, 3, 2])[:, None]
    batch = perdure.Batch(X, LABEL, mask, TRUTH & mask[..., None])
    from_batch = perdure.attribute(linear, batch, "occlusion", target=batch.label)
    from_tensors = perdure.attribute(linear, X, "occlusion", target=LABEL, lengths=mask.sum(1))
    assert torch.equal(from_batch.values, from_tensors.values)
    assert torch.equal(batch.lengths, mask.sum(1))
    by_batch, by_argument = (
        perdure.evaluate(from_batch, "auroc"),
        perdure.evaluate(from_tensors, "auroc", truth=batch.truth),
    )
    assert torch.equal(by_batch.values, by_argument.values)
    with pytest.raises(SettingError, match="lengths= only with a tensor"):
        perdure.attribute(linear, batch, "occlusion", target=LABEL, lengths=mask.sum(1))


def test_texts_need_a_model_with_a_tokenizer():
    with pytest.raises(UnsupportedError, match="has no tokenizer"):
        perdure.attribute(linear, ["a text"], "gradient", target=0)


def test_a_tensor_is_evaluated_with_its_model():
    attribution = perdure.attribute(linear, X, "input_x_gradient", target=LABEL)
    expected = perdure.evaluate(attribution, "insertion")
    score = perdure.evaluate(attribution.values, "insertion", model=linear, x=X, target=LABEL)
    assert torch.equal(score.values, expected.values)
    assert torch.equal(score.null, expected.null)
    several = perdure.evaluate(attribution.values, ["insertion", "auroc"], model=linear, x=X, target=0, truth=TRUTH)
    assert list(several) == ["insertion", "auroc"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "model, x, target are missing"),
        ({"model": linear, "x": X}, "target is missing"),
    ],
)
def test_a_tensor_alone_is_not_enough(arguments, message):
    with pytest.raises(SettingError, match=message):
        perdure.evaluate(X, "insertion", **arguments)


def test_an_attribution_is_not_mixed_with_a_model():
    attribution = perdure.attribute(linear, X, "gradient", target=LABEL)
    with pytest.raises(SettingError, match=r"together with model=.*either an attribution"):
        perdure.evaluate(attribution, "insertion", model=linear)


def test_an_attribution_converts_to_other_forms():
    attribution = perdure.attribute(linear, X, "gradient", target=LABEL, lengths=torch.tensor([5, 3, 2]))
    assert len(attribution.to_pandas()) == (5 + 3 + 2) * 2
    assert attribution.to_xarray().dims == ("sample", "time", "feature")
    assert attribution.show().html.startswith("<!")


def test_former_names_work_with_a_warning():
    attribution = perdure.attribute(linear, X, "gradient", target=LABEL)
    with pytest.warns(DeprecationWarning, match=r"instead of its \.trial"):
        assert attribution.trial is attribution
    with pytest.warns(DeprecationWarning, match=r"perdure\.Trial"):
        made = perdure.Trial(Query(linear, X, Logit(LABEL)), attribution.values, TRUTH)
    assert torch.equal(
        perdure.evaluate(made, "auroc").values, perdure.evaluate(attribution, "auroc", truth=TRUTH).values
    )
