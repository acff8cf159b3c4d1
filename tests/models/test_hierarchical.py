import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.errors import ShapeError
from perdure.data.planted_events import PlantedEvents
from perdure.models._presets import model_config
from perdure.models.attention import AMAZON, IMDB
from perdure.models.hierarchical import Hierarchical
from perdure.training.predict import accuracy
from perdure.training.settings import Training
from perdure.training.train import train
from tests.models.networks import count, on_meta
from tests.models.test_attention import dead_kernel, running, second_biases
from tests.reference.attention_loop import attend_in_two_levels

TYPES = 4
LENGTHS = torch.tensor([7, 3, 1, 5])
SMALL = Hierarchical(4, (5,))
APART = Hierarchical(4, (6, 5), normalise=True, types=TYPES)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def one_hot(seed=0):
    return torch.eye(TYPES)[torch.randint(TYPES, (4, 7), generator=stream(seed))]


def several(seed=0):
    """Steps with no, one or several events."""
    return (torch.rand(4, 7, TYPES, generator=stream(seed)) < 0.4).float()


def make_model(config=SMALL):
    return config.build(TYPES + 3 if config.types else TYPES, 2, stream()).eval()


@pytest.mark.parametrize(("text", "published", "fixed"), [("imdb", 279_382, 840), ("amazon", 320_886, 712)])
def test_the_published_networks_have_the_published_size(text, published, fixed):
    config = model_config(f"hierarchical_{text}")
    model = on_meta(lambda: config._network(1024 + config.types, 2))
    assert running(model) == fixed
    assert count(model) + fixed - second_biases(config) + dead_kernel(config) == published


def test_the_published_settings_have_the_layers_of_attention_and_all_types():
    for name, like, types in (("imdb", IMDB, 2538), ("amazon", AMAZON, 2602)):
        config = model_config(f"hierarchical_{name}")
        assert config.types == types
        assert (config.dense_size, config.hidden_sizes) == (like.dense_size, like.hidden_sizes)


@pytest.mark.parametrize("x", [one_hot(), several(), several(3)])
def test_it_is_the_published_formula(x):
    """Also where a step has several types or none: F may hold more than one, and a row of zeros."""
    x[:, 0, 0] = 1
    model = make_model()
    encoded = model.encode(x, LENGTHS)
    result, steps, kinds = model.attend(encoded, x), model.attention(x, LENGTHS), model.type_attention(x, LENGTHS)
    for row, length in enumerate(LENGTHS):
        members = x[row, :length].nonzero().tolist()
        last = encoded.output[row]
        context, across, weight = attend_in_two_levels(
            model.score, model.type_score, encoded.steps[row, :length], last, members
        )
        torch.testing.assert_close(result.context[row], context)
        torch.testing.assert_close(steps[row, :length], torch.stack([torch.as_tensor(w).float() for w in weight]))
        expected = torch.stack([torch.as_tensor(across.get(kind, 0.0)) for kind in range(TYPES)])
        torch.testing.assert_close(kinds[row], expected.float())
        assert torch.equal(kinds[row] == 0, ~x[row, :length].any(0))


def test_one_type_is_plain_attention():
    """Of one type, the second level has nothing to choose from."""
    x = torch.zeros(4, 7, TYPES)
    x[..., 1] = 1
    model = make_model()
    plain = super(type(model), model).attend(model.encode(x, LENGTHS), x)
    result = model.attend(model.encode(x, LENGTHS), x)
    torch.testing.assert_close(result.context, plain.context)
    torch.testing.assert_close(result.steps, plain.steps)


def test_where_every_step_has_its_own_type_the_first_level_is_the_identity():
    x = torch.eye(TYPES)[None]
    model = make_model()
    encoded = model.encode(x)
    expected = model.type_score(encoded.output[:, None], encoded.steps).softmax(1)
    torch.testing.assert_close(model.attention(x), expected)
    torch.testing.assert_close(model.type_attention(x), expected)


@pytest.mark.parametrize("config", [SMALL, APART])
def test_values_after_the_end_have_no_effect_and_a_batch_is_its_samples(config):
    model, x = make_model(config), one_hot()
    x = torch.cat([torch.randn(4, 7, 3, generator=stream(2)), x], 2) if config.types else x
    logits = model(x, lengths=LENGTHS)
    torch.testing.assert_close(model(torch.cat([x, x], 1), lengths=LENGTHS), logits)
    single = [model(series[None, :length]) for series, length in zip(x, LENGTHS, strict=True)]
    torch.testing.assert_close(torch.cat(single), logits)


def test_types_that_are_not_read_group_the_steps_all_the_same():
    """Their names do not matter, who shares one does."""
    model = make_model(APART)
    vectors, types = torch.randn(4, 7, 3, generator=stream(2)), one_hot()
    logits = model(torch.cat([vectors, types], 2))
    torch.testing.assert_close(model(torch.cat([vectors, types.flip(2)], 2)), logits)
    other = model(torch.cat([vectors, one_hot(5)], 2))
    assert not torch.allclose(other, logits, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1.0])
def test_types_stay_on_a_path_from_zero_and_with_a_little_noise(scale):
    model = make_model(APART)
    vectors, types = torch.randn(4, 7, 3, generator=stream(2)), one_hot()
    noise = 0.08 * torch.randn(types.shape, generator=stream(3))
    logits = model(torch.cat([vectors, types], 2))
    torch.testing.assert_close(model(torch.cat([vectors, scale * (types + noise)], 2)), logits)


def test_series_without_an_event_get_no_attention():
    model, x = make_model(APART), torch.zeros(2, 3, TYPES + 3)
    assert (model.attention(x) == 0).all()
    assert (model.type_attention(x) == 0).all()
    assert torch.isfinite(model(x)).all()


def test_gradients_are_exact():
    model = make_model(APART).double()
    x = torch.cat([torch.randn(2, 5, 3, generator=stream(2)), one_hot()[:2, :5]], 2).double()
    vectors = x[..., :3].clone().requires_grad_()
    lengths = torch.tensor([5, 3])
    assert torch.autograd.gradcheck(lambda v: model(torch.cat([v, x[..., 3:]], 2), lengths=lengths), vectors)


def test_its_attention_can_be_explained():
    result = attribute(make_model(), one_hot(), "attention", target=torch.tensor([0, 1, 0, 1]), lengths=LENGTHS)
    torch.testing.assert_close(result.values.sum((1, 2)), torch.ones(4))


@pytest.mark.parametrize("together", [1, 2])
def test_it_learns_planted_events(together):
    data = PlantedEvents(train=200, validation=50, test=100, shortest=6, longest=8, together=together)
    splits = data.load(0)
    fitted = train(Hierarchical(8, (8,)), splits, Training(epochs=12, batch_size=20, learning_rate=0.02), 0)
    assert accuracy(fitted.model, splits.test) > 0.95


def test_names_and_inputs_are_read():
    assert model_config("hierarchical:hidden_sizes=[8]") == Hierarchical(hidden_sizes=(8,))
    with pytest.raises(ShapeError, match=r"pass \(batch, time, 7\)"):
        make_model(APART)(one_hot())
