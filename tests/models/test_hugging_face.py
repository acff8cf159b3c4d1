"""A tiny BERT with drawn weights, made on the spot: nothing is downloaded."""

import json
from types import SimpleNamespace

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch, Text
from perdure.core.errors import CheckpointError, DataError, DependencyError, UnsupportedError
from perdure.data import hub
from perdure.data._splits import Splits
from perdure.models import _from_transformers as from_transformers
from perdure.models import _hugging_face as hugging_face
from perdure.models._embed import embed_batch
from perdure.models._hugging_face import text_classifier
from perdure.models._outputs import check_model

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (*MARKS, "the", "film", "was", "good", "bad", "##ly", "act", "##ed", "not", "!")
TEXT = "The film was badly acted!"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("bert")
    transformers.utils.logging.disable_progress_bar()
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    names = {"id2label": {0: "NEG", 1: "POS"}, "label2id": {"NEG": 0, "POS": 1}}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=12, **sizes, **names)
    with torch.random.fork_rng():
        model = transformers.BertForSequenceClassification(config)
    model.save_pretrained(place)
    transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(WORDS)}).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def model(folder):
    return text_classifier(str(folder))


@pytest.mark.parametrize("shown", [True, False])
def test_loading_draws_no_bar_and_leaves_the_setting_as_it_was(folder, shown, capsys):
    settings = transformers.utils.logging
    (settings.enable_progress_bar if shown else settings.disable_progress_bar)()
    text_classifier(str(folder))
    assert capsys.readouterr().err == ""
    assert settings.is_progress_bar_enabled() is shown
    settings.disable_progress_bar()


def batch(model, *texts):
    ids, mask, result = model.reader.tokenise(texts)
    return Batch(ids, torch.zeros(len(texts), dtype=torch.int64), mask, text=result)


def test_tokens_have_the_spans_of_their_text(model):
    ids, mask, texts = model.reader.tokenise([TEXT, "good"])
    tokens = [WORDS[i] for i in ids[0]]
    assert tokens == ["[CLS]", "the", "film", "was", "bad", "##ly", "act", "##ed", "!", "[SEP]"]
    assert texts[0].tokens == ("", "The", "film", "was", "bad", "ly", "act", "ed", "!", "")
    assert mask.sum(1).tolist() == [10, 3]
    assert texts[0].pieces


def test_embeddings_and_ids_give_the_same_logits_and_padding_changes_nothing(model):
    check_model(model, batch(model, TEXT, "good"), 2)
    both, alone = batch(model, TEXT, "good"), batch(model, "good")
    together = model(both.inputs, lengths=both.mask.sum(1))[1]
    assert torch.allclose(together, model(alone.inputs)[0], atol=1e-6)
    assert torch.equal(
        model(both.inputs, lengths=both.mask.sum(1)), model(embed_batch(model, both).inputs, both.mask.sum(1))
    )


def test_integrated_gradients_of_the_embeddings_are_complete(model):
    """They add up to the change of the logit from zero embeddings, which is how the paths end."""
    texts = batch(model, TEXT, "not good")
    x, lengths, label = embed_batch(model, texts).inputs, texts.mask.sum(1), torch.tensor([0, 1])
    values = attribute(model, x, "integrated_gradients:steps=128", target=label, lengths=lengths).values
    ends = model(x, lengths=lengths) - model(torch.zeros_like(x), lengths=lengths)
    assert torch.allclose(values.sum((1, 2)), ends[[0, 1], label], atol=1e-3)
    assert values[1, 4:].eq(0).all()


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """A tiny GPT-2 without a token for padding, which its `forward` requires for batches."""
    place = tmp_path_factory.mktemp("gpt2")
    sizes = {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 12, "num_labels": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.GPT2ForSequenceClassification(
            transformers.GPT2Config(vocab_size=len(WORDS), **sizes, **ends)
        )
        torch.nn.init.normal_(model.score.weight)
    model.save_pretrained(place)
    transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(WORDS)}).save_pretrained(place)
    return text_classifier(str(place))


def test_a_decoder_reads_the_last_token_of_each_text_by_ids_and_by_embeddings(decoder):
    """Its own answer to each text alone, which needs no padding, is the reference."""
    both = batch(decoder, TEXT, "good")
    check_model(decoder, both, 2)
    lengths = both.mask.sum(1)
    result = decoder(both.inputs, lengths=lengths)
    assert torch.equal(result, decoder(embed_batch(decoder, both).inputs, lengths))
    for row, length in enumerate(lengths):
        alone = decoder.model(input_ids=both.inputs[row : row + 1, :length]).logits[0]
        torch.testing.assert_close(result[row], alone)


def test_a_decoder_is_explained_without_its_padding(decoder):
    both, alone = batch(decoder, TEXT, "good"), batch(decoder, "good")
    x, label = embed_batch(decoder, both).inputs, torch.tensor([0, 1])
    values = attribute(decoder, x, "gradient", target=label, lengths=both.mask.sum(1)).values
    single = attribute(decoder, embed_batch(decoder, alone).inputs, "gradient", target=label[1:]).values
    torch.testing.assert_close(values[1, :3], single[0])
    assert values[1, 3:].eq(0).all()
    assert values[0].abs().sum(1).gt(0).all()


def test_texts_are_cut_to_what_the_model_reads(model, caplog):
    ids, _, texts = model.reader.tokenise(["good " * 30])
    assert ids.shape == (1, 12)
    assert len(texts[0].spans) == 12
    assert "1 texts are cut to the 12 tokens" in caplog.text


@pytest.mark.parametrize(
    ("positions", "padding", "known", "longest"),
    [(12, None, 99, 12), (12, 1, 99, 10), (12, None, 9, 9), (-1, 1, 99, 99)],
)
def test_the_most_tokens_that_a_model_reads(positions, padding, known, longest):
    """A table of 514 positions, of which those up to padding at 1 are not used, reads 512 tokens."""
    model = torch.nn.Sequential(torch.nn.Embedding(12, 2, padding_idx=padding))
    model.config = SimpleNamespace(max_position_embeddings=positions)
    assert hugging_face._longest(SimpleNamespace(model_max_length=known), model) == longest


def test_splits_are_read_in_the_tokens_and_the_classes_of_the_model(model):
    """Truth goes with its characters, labels with the names of their classes."""
    text = Text("not badly", ((0, 3), (4, 9)))
    words = Batch(torch.tensor([[2, 3]]), torch.tensor([0]), None, torch.tensor([[False, True]]), text=(text,))
    result = model.reader(Splits(words, words, words, ("pos", "neg"), ("<unk>", "<pad>", "not", "badly")))
    assert result.classes == ("neg", "pos")
    assert result.test.label.tolist() == [1]
    assert [WORDS[i] for i in result.test.inputs[0]] == ["[CLS]", "not", "bad", "##ly", "[SEP]"]
    assert result.test.truth.tolist() == [[False, False, True, True, False]]
    assert result.vocabulary == WORDS
    other = model.reader(Splits(words, words, words, ("b", "a"), ("<unk>",)))
    assert (other.classes, other.test.label.tolist()) == (("b", "a"), [0])


def test_data_without_texts_are_refused(model):
    series = Batch(torch.zeros(1, 2, 3), torch.tensor([0]))
    with pytest.raises(UnsupportedError, match=r"the data hold inputs of shape \(1, 2, 3\)"):
        model.reader(Splits(series, series, series, ("a", "b")))


def test_a_folder_without_a_trained_head_or_without_a_model(folder, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="holds no text classifier that can be used"):
        text_classifier(str(tmp_path))
    config = transformers.BertConfig(**json.loads((folder / "config.json").read_text()))
    with torch.random.fork_rng():
        transformers.BertModel(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(CheckpointError, match=r"lacks the weights classifier.bias, classifier.weight"):
        text_classifier(str(tmp_path))


def test_an_id_without_a_network_fails_at_once_and_names_the_local_way(monkeypatch):
    monkeypatch.setattr(hub, "is_online", lambda: False)
    with pytest.raises(DataError, match=r"cannot be reached. Remedy: give the folder of a copy: hf:path/to/nothing"):
        text_classifier("absent/nothing")


def test_a_missing_package_names_the_extra(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(from_transformers, "import_module", missing)
    with pytest.raises(DependencyError, match=r"package 'transformers'.*pip install 'perdure\[text\]'"):
        text_classifier("some/model")
