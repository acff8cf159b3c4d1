"""A pipeline of a tiny BERT with drawn weights: ours classifies and explains as the pipeline does."""

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.errors import UnsupportedError
from perdure.core.target import Logit
from perdure.interop.pipeline import from_pipeline
from perdure.models._hugging_face import text_classifier

transformers = pytest.importorskip("transformers")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "good", "bad", "##ly", "act", "##ed")
TEXTS = ["the film was badly acted", "good film"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=12, **sizes)
    with torch.random.fork_rng():
        model = transformers.BertForSequenceClassification(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5, generator=torch.Generator().manual_seed(3))
    tokenizer = transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(WORDS)})
    return transformers.pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")


def test_the_model_predicts_what_the_pipeline_predicts(pipeline):
    model = from_pipeline(pipeline)
    ids, mask, _ = model.reader.tokenise(TEXTS)
    with torch.no_grad():
        result = model(ids, lengths=mask.sum(1)).softmax(1)
    expected = [{item["label"]: item["score"] for item in scores} for scores in pipeline(TEXTS, top_k=None)]
    for row, scores in zip(result, expected, strict=True):
        assert row.tolist() == pytest.approx([scores[name] for name in model.reader.classes], abs=1e-5)


def test_predictions_of_a_pipeline_are_explained_in_full(pipeline):
    model = from_pipeline(pipeline)
    ids, mask, texts = model.reader.tokenise(TEXTS)
    x, lengths, target = model.embed(ids).detach(), mask.sum(1), Logit(torch.tensor([1, 1]))
    result = attribute(model, x, "integrated_gradients:steps=200", target=target, lengths=lengths).values
    with torch.no_grad():
        change = target(model(x, lengths=lengths) - model(torch.zeros_like(x), lengths=lengths))
    torch.testing.assert_close(result.sum((1, 2)), change, atol=1e-6, rtol=0)  # rounding of single precision
    assert len(texts[0].tokens) == int(lengths[0])
    assert not result[1, int(lengths[1]) :].any()


@pytest.mark.parametrize("other", [object(), text_classifier])
def test_what_is_no_pipeline_of_texts_is_named(other):
    with pytest.raises(UnsupportedError, match="not a text classifier"):
        from_pipeline(other)
