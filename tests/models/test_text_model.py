"""Tiny text classifiers of many families: each gives a text the logits that it has alone, whatever is padded."""

import copy

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.errors import PaddingWarning, UnsupportedError
from perdure.interop.pipeline import from_pipeline
from perdure.models._hugging_face import TextClassifier, reader_of, text_classifier
from tests.cases import stream

transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

MARKS = ("<pad>", "<unk>", "<cls>", "<sep>", "</s>")
WORDS = (*MARKS, "the", "film", "was", "good", "bad", "##ly", "act", "##ed", "not")
PADDED_BY_ONE = ("<unk>", "<pad>", *WORDS[2:])
TEXTS = ("the film was badly acted", "good", "not good")

ENCODER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
DECODER = {**ENCODER, "num_key_value_heads": 2, "pad_token_id": 0}
GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40}
SEQUENCES = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24}
BART = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "pad_token_id": 0, "eos_token_id": 4, **SEQUENCES}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "pad_token_id": 0, "eos_token_id": 4}
DEBERTA = {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "pooler_hidden_size": 16}

AROUND, LAST, BARE, TYPED = "<cls> $A <sep>", "$A </s>", None, "$A:0 <sep>:0 <cls>:2"
FAMILIES = {
    "bert": ("Bert", ENCODER, AROUND, {}),
    "distilbert": ("DistilBert", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}, AROUND, {}),
    "albert": ("Albert", {**ENCODER, "embedding_size": 8}, AROUND, {}),
    "deberta": ("DebertaV2", DEBERTA, AROUND, {}),
    "roberta, padding at 1": ("Roberta", {**ENCODER, "pad_token_id": 1}, AROUND, {"words": PADDED_BY_ONE}),
    "longformer": ("Longformer", {**ENCODER, "attention_window": 4, "max_position_embeddings": 66}, AROUND, {}),
    "xlnet": ("XLNet", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24}, AROUND, {"padding_side": "left"}),
    "xlnet with types": (
        "XLNet",
        {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24},
        TYPED,
        {"padding_side": "left", "pad_token_type_id": 3},
    ),
    "gpt2": ("GPT2", {**GPT, "pad_token_id": 0}, BARE, {}),
    "gpt2 without padding": ("GPT2", {**GPT, "pad_token_id": None}, BARE, {"pad_token": None}),
    "gpt2, padding ends texts": ("GPT2", {**GPT, "pad_token_id": 4}, LAST, {"pad_token": "</s>"}),
    "gpt2, padding at the left": ("GPT2", {**GPT, "pad_token_id": 0}, BARE, {"padding_side": "left"}),
    "llama": ("Llama", DECODER, BARE, {"padding_side": "left"}),
    "mistral": ("Mistral", {**DECODER, "sliding_window": 4}, BARE, {"padding_side": "left"}),
    "t5": ("T5", {**T5, "decoder_start_token_id": 0}, LAST, {}),
    "bart": ("Bart", BART, LAST, {}),
}


def tokenizer_of(template, words=WORDS, **settings):
    table = {word: number for number, word in enumerate(words)}
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(table, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    if template is not None:
        marks = [(mark, table[mark]) for mark in MARKS]
        made.post_processor = tokenizers.processors.TemplateProcessing(template, None, marks)
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if template == TYPED else [])]
    named = {"unk_token": "<unk>", "pad_token": "<pad>", "model_input_names": names, **settings}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **named)


def model_of(family, sizes):
    config = getattr(transformers, f"{family}Config")(**{"vocab_size": len(WORDS), "num_labels": 3, **sizes})
    with torch.random.fork_rng():
        model = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3, generator=stream(len(weight)))
    return model


def family_of(name):
    family, sizes, template, settings = FAMILIES[name]
    return model_of(family, sizes), tokenizer_of(template, **settings)


def alone(model, tokenizer):
    with torch.no_grad():
        return torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in TEXTS])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_text_has_the_logits_and_the_gradient_that_it_has_alone(name, tmp_path):
    model, tokenizer = family_of(name)
    expected = alone(model, tokenizer)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    pipeline = transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)
    for made in (text_classifier(str(tmp_path)), from_pipeline(pipeline)):
        ids, mask, _ = made.reader.tokenise(TEXTS)
        lengths = mask.sum(1)
        with torch.no_grad():
            x = made.embed(ids)
            torch.testing.assert_close(made(ids, lengths=lengths), expected, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(made(x.flip(0), lengths=lengths.flip(0)), expected.flip(0), atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(made(x[1:2, : lengths[1]]), expected[1:2], atol=1e-5, rtol=1e-4)
    values = attribute(made, x, "gradient", target=1, lengths=lengths, batch_size=2).values
    table = made.model.get_input_embeddings().weight
    for row, text in enumerate(TEXTS):  # in which no token comes twice
        logits = made.model(**tokenizer(text, return_tensors="pt")).logits
        (slope,) = torch.autograd.grad(logits[0, 1], table)
        valid = ids[row, : lengths[row]]
        counted = [place for place, number in enumerate(valid.tolist()) if number != model.config.pad_token_id]
        torch.testing.assert_close(values[row, counted], slope[valid[counted]], atol=1e-4, rtol=1e-3)


def test_a_model_whose_padding_changes_its_outputs_is_named():
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 24}
    model, tokenizer = model_of("FNet", sizes), tokenizer_of(AROUND)
    made = TextClassifier(model, reader_of(tokenizer, model, "fnet")).eval()
    ids, mask, _ = made.reader.tokenise(TEXTS)
    with pytest.warns(PaddingWarning, match="FNet.* other outputs for a text with padding than for the text alone"):
        attribute(made, made.embed(ids).detach(), "gradient", target=1, lengths=mask.sum(1))


def test_embeddings_of_no_token_are_taken_where_no_mark_ends_a_text_and_refused_otherwise():
    for name in ("bert", "roberta, padding at 1", "gpt2", "llama"):
        model, tokenizer = family_of(name)
        made = TextClassifier(model, reader_of(tokenizer, model, name)).eval()
        ids, mask, _ = made.reader.tokenise(TEXTS)
        points = made.embed(ids).detach() * 0.5
        expected = made(points, lengths=mask.sum(1), token_ids=ids)
        torch.testing.assert_close(made(points, lengths=mask.sum(1)), expected)
    for name in ("bart", "gpt2, padding ends texts"):
        model, tokenizer = family_of(name)
        made = TextClassifier(model, reader_of(tokenizer, model, name)).eval()
        points = made.embed(made.reader.tokenise(TEXTS)[0]).detach() * 0.5
        with pytest.raises(UnsupportedError, match=r"up to a mark that it finds by its id.*model.embed\(ids\)"):
            made(points)


def test_a_copy_reads_its_own_embeddings():
    model, tokenizer = family_of("bert")
    made = TextClassifier(model, reader_of(tokenizer, model, "bert")).eval()
    copied, ids = copy.deepcopy(made), made.reader.tokenise(TEXTS)[0]
    with torch.no_grad():
        copied.model.get_input_embeddings().weight.mul_(2)
    torch.testing.assert_close(copied(copied.embed(ids)), copied(ids))
