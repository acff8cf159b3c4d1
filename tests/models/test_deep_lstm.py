import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from perdure.core.errors import LengthError, SettingError, ShapeError, VocabularyError
from perdure.models._presets import model_config
from perdure.models.deep_lstm import DeepLSTM

CONFIG = DeepLSTM(5, 6, 4)
LENGTHS = torch.tensor([7, 3, 1, 5])


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model():
    return CONFIG.build(30, 2, stream()).eval()


@pytest.fixture
def ids():
    return torch.randint(2, 30, (4, 7), generator=stream())


def test_the_published_layers_are_there():
    model = DeepLSTM().build(25002, 2, stream())
    sizes = {name: (m.input_size, m.hidden_size) for name, m in model.named_modules() if isinstance(m, nn.LSTM)}
    assert sizes == {"rnn_1": (100, 256), "rnn_2": (256, 256), "rnn_3": (256, 256), "rnn_4": (256, 256)}
    assert (model.embedding.weight[1] == 0).all()
    assert model.embedding.padding_idx == 1


def test_it_reads_the_last_valid_step_of_stacked_lstms(model, ids):
    """One LSTM of four layers, with the same weights and packed sequences, gives the same logits."""
    stacked = nn.LSTM(5, 6, 4, batch_first=True)
    for layer in range(4):
        for name, weight in model.get_submodule(f"rnn_{layer + 1}").named_parameters():
            stacked.state_dict()[name.replace("l0", f"l{layer}")].copy_(weight)
    packed = pack_padded_sequence(model.embedding(ids), LENGTHS, batch_first=True, enforce_sorted=False)
    last = stacked(packed)[1][0][-1]
    torch.testing.assert_close(model(ids, lengths=LENGTHS), model.head(last))


def test_embeddings_are_taken_for_ids(model, ids):
    assert model(model.embed(ids), lengths=LENGTHS).equal(model(ids, lengths=LENGTHS))


def test_values_after_the_end_have_no_effect(model, ids):
    padded = torch.cat([ids, ids], 1)
    torch.testing.assert_close(model(padded, lengths=LENGTHS), model(ids, lengths=LENGTHS))


def test_weights_follow_from_the_generator_alone():
    before = torch.get_rng_state()
    a, b, c = (CONFIG.build(30, 2, stream(seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["embedding.weight"], c["embedding.weight"])


def test_dropout_is_for_training_alone(model, ids):
    assert model(ids).equal(model(ids))
    assert not model.train()(ids).equal(model(ids))


def test_padding_learns_nothing(ids):
    model = CONFIG.build(30, 2, stream())
    model(torch.where(torch.arange(7) < LENGTHS[:, None], ids, 1), lengths=LENGTHS).sum().backward()
    assert (model.embedding.weight.grad[1] == 0).all()
    assert (model.embedding.weight.grad[ids[0]] != 0).any()


def test_what_cannot_be_read_is_named(model, ids):
    with pytest.raises(VocabularyError, match="the id 30 at index"):
        model(ids + 30 - ids[0, 0])
    with pytest.raises(LengthError, match="the length of sample 1 is 0"):
        model(ids, lengths=torch.tensor([7, 0, 1, 5]))
    with pytest.raises(ShapeError, match=r"pass \(batch, time, 5\)"):
        model(torch.zeros(4, 7, 6))
    with pytest.raises(ShapeError, match="int64"):
        model(ids.int())


def test_a_wrong_setting_is_named():
    with pytest.raises(SettingError, match="dropout is 1"):
        DeepLSTM(dropout=1.0)
    with pytest.raises(SettingError, match="layers is 0"):
        DeepLSTM(layers=0)
    with pytest.raises(SettingError, match="the vocabulary has 2 words"):
        CONFIG.build(2, 2, stream())


def test_names_and_settings_are_read():
    assert model_config("deep_lstm") == DeepLSTM()
    assert model_config("small_deep_lstm:layers=2") == DeepLSTM(64, 64, 2, 0.2)
