"""Public bug reports of neighbouring tools, recreated with perdure; docs/notes/public-bug-reports.md lists them."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

import perdure
from perdure.core.errors import (
    CompletenessWarning,
    IndependentOutputError,
    LabelError,
    SettingError,
    ShapeError,
    UnsupportedError,
)

X = torch.randn(8, 6, 2, generator=torch.Generator().manual_seed(0))
IMAGES = torch.rand(3, 3, 12, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def drawn_weights():
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(2)
        yield


def maps(model, x, method, target=0, **settings):
    generator = torch.Generator().manual_seed(0)
    return perdure.attribute(model, x, method, target=target, generator=generator, **settings).values


def change(model, x):
    with torch.no_grad():
        return (model(x) - model(torch.zeros_like(x)))[:, 0]


class Convolutions(nn.Module):
    def __init__(self, head=True):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 3, stride=2, padding=1)
        self.head = nn.Linear(5, 3) if head else None

    def forward(self, x):
        z = functional.adaptive_avg_pool2d(functional.relu(self.second(functional.relu(self.first(x)))), 1)
        return z if self.head is None else self.head(z.flatten(1))


class Corner(nn.Module):
    """Sums the lower right corner, rows 10 to 11 and columns 16 to 19."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.layer.weight)

    def forward(self, x):
        total = self.layer(x)[..., 10:, 16:].sum((1, 2, 3))
        return torch.stack([total, torch.zeros_like(total)], 1)


class Dense(nn.Module):
    def __init__(self, activation, residual=False):
        super().__init__()
        self.inner, self.outer = nn.Linear(12, 12, bias=not residual), nn.Linear(12, 2, bias=not residual)
        self.activation, self.residual = activation, residual

    def forward(self, x):
        x = x.flatten(1)
        z = self.activation(self.inner(x))
        return self.outer(z + x if self.residual else self.activation(z))


class Recurrence(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.drop = nn.LSTM(2, 4, 2, batch_first=True, dropout=0.5), nn.Dropout(0.5)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.drop(self.lstm(x)[0][:, -1]))


def test_grad_cam_of_a_wrapped_model_keeps_every_sample():
    """pytorch-grad-cam 322, FoXAI 91."""
    model = Convolutions()
    bare = maps(model, IMAGES, "grad_cam")
    assert bare.shape == IMAGES.shape
    torch.testing.assert_close(maps(nn.DataParallel(model), IMAGES, "grad_cam"), bare)


def test_maps_of_a_batch_are_those_of_its_samples():
    """pytorch-grad-cam 144."""
    model = Convolutions()
    alone = torch.cat([maps(model, image[None], "grad_cam") for image in IMAGES])
    torch.testing.assert_close(maps(model, IMAGES, "grad_cam"), alone)
    with pytest.raises(ShapeError, match=r"\(1, 5, 1, 1\) for one sample"):
        maps(Convolutions(head=False), IMAGES, "grad_cam")


def test_rows_and_columns_of_an_oblong_image_keep_their_places():
    """pytorch-cnn-visualizations 40."""
    image = torch.full((1, 1, 12, 20), 0.5)
    image[..., 10:, 16:] = 1
    values = maps(Corner(), image, "grad_cam")
    assert values.shape == image.shape
    assert (values > 0.6 * values.max()).nonzero()[:, 2:].tolist() == [[r, c] for r in (10, 11) for c in range(16, 20)]


def test_a_map_without_positive_evidence_is_finite():
    """torch-cam 50."""
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    nn.init.constant_(model[4].weight, -1.0)  # every unit is evidence against the class
    assert not maps(model, IMAGES, "grad_cam:layer=1").any()
    assert (maps(model, IMAGES, "grad_cam:layer=1,relu=false") <= 0).all()
    nn.init.constant_(model[0].bias, -100.0)  # every unit is dead
    with pytest.raises(IndependentOutputError):
        maps(model, IMAGES, "grad_cam")


def test_the_sign_of_a_map_counts_where_the_metric_is_set_so():
    """Quantus 110."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    truth = torch.zeros_like(X, dtype=torch.bool)
    truth[:, 2] = True
    attribution = replace(perdure.attribute(model, X, "gradient", target=0), truth=truth)
    negated = replace(attribution, values=-attribution.values)
    scores = [perdure.evaluate(item, "auroc").values for item in (attribution, negated)]
    torch.testing.assert_close(*scores)
    signed = [perdure.evaluate(item, "auroc:absolute=false").values for item in (attribution, negated)]
    torch.testing.assert_close(signed[0], 1 - signed[1])


@pytest.mark.parametrize("method", ["deep_lift", "deep_lift_shap"])
def test_deep_lift_of_a_recurrence_is_refused(method):
    """shap 3949, 2173 and 930."""
    with pytest.raises(UnsupportedError, match="no rule for recurrences"):
        maps(Recurrence(), X, method)


def test_deep_lift_that_misses_the_change_is_reported():
    """shap 2785."""
    with pytest.warns(CompletenessWarning, match="DeepLIFT misses the change of the target"):
        maps(Dense(functional.tanh), X, "deep_lift")
    with pytest.raises(UnsupportedError, match="used more than once"):
        maps(Dense(nn.ReLU()), X, "deep_lift")


@pytest.mark.parametrize("method", ["input_x_gradient", "integrated_gradients", "deep_lift", "shapley_sampling"])
def test_a_residual_connection_is_counted_once(method):
    """zennit 236."""
    model = Dense(nn.Identity(), residual=True)
    torch.testing.assert_close(maps(model, X, method).sum((1, 2)), change(model, X), atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "occlusion", "lime", "shapley_sampling"])
def test_a_model_in_training_mode_is_explained_without_dropout(method):
    """TransformerLens 1787, tf-explain 153, pytorch-grad-cam 12."""
    model = Recurrence().train()
    assert torch.equal(maps(model, X, method), maps(model, X, method))
    assert model.training
    if method in ("integrated_gradients", "occlusion"):
        assert not maps(model, torch.zeros_like(X), method).any()  # the baseline itself


@pytest.mark.parametrize("steps", [50, 100, 200])
def test_the_sum_of_integrated_gradients_does_not_depend_on_the_steps(steps):
    """PAIR saliency 23."""
    model = Dense(torch.tanh)
    total = maps(model, X, f"integrated_gradients:steps={steps}").sum((1, 2))
    torch.testing.assert_close(total, change(model, X), atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", ["integrated_gradients:tolerance=0.01", "smooth_grad", "gradient_shap", "lime"])
def test_maps_do_not_depend_on_the_size_of_the_batch(method):
    """inseq 113, alibi 441."""
    model = Dense(torch.tanh)
    torch.testing.assert_close(maps(model, X, method, batch_size=3), maps(model, X, method))
    torch.testing.assert_close(maps(model, X[:1], method), maps(model, X, method)[:1])


@pytest.mark.parametrize("target", [99999, -999, torch.ones(1, 3), torch.ones(1, 1, 10).long(), [1, 1, 1], 1.0])
def test_a_target_that_the_model_does_not_have_is_refused(target):
    """alibi 627."""
    with pytest.raises(LabelError):
        maps(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), X, "integrated_gradients", target)


@pytest.mark.parametrize("window", ["3", "5", "[3, 2]", "4,stride=3"])
def test_occlusion_reaches_the_last_steps_whatever_the_window(window):
    """xaitk-saliency, pull request 7."""
    total = nn.Linear(16, 2, bias=False)
    nn.init.ones_(total.weight)
    values = maps(nn.Sequential(nn.Flatten(), total), torch.ones(1, 8, 2), f"occlusion:window={window}")
    assert (values > 0).all()
    with pytest.raises(SettingError, match="no stride beyond its window"):
        maps(nn.Sequential(nn.Flatten(), total), torch.ones(1, 8, 2), "occlusion:window=3,stride=5")


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(10, 4), nn.Linear(4, 2)

    def forward(self, ids):
        return self.head(self.words(ids).mean(1))


def test_occlusion_of_token_ids_is_refused_and_that_of_embeddings_is_exact():
    """captum 1022: a zero in place of an id is the first word of the vocabulary, not the absence of a word."""
    ids = torch.tensor([[3, 0, 7, 1]])
    with pytest.raises(ShapeError, match=r"perdure\.TokenModel\(model, embedding='name of its nn\.Embedding'\)"):
        maps(Words(), ids, "occlusion")
    model = perdure.TokenModel(Words(), embedding="words")
    x = model.embed(ids).detach()
    drops = [model(x)[:, 0] - model(x * (torch.arange(4) != step)[:, None])[:, 0] for step in range(4)]
    torch.testing.assert_close(maps(model, x, "occlusion").mean(2), torch.stack(drops, 1).detach())


class VisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8))
        self.block, self.norm = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.LayerNorm(8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        z = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.block(torch.cat([self.token.expand(len(z), -1, -1), z], 1)))[:, 0])


def test_grad_cam_of_a_vision_transformer_names_the_layer_it_needs():
    """pytorch-grad-cam 257 and 355."""
    model = VisionTransformer()
    with pytest.raises(UnsupportedError, match="name a layer whose output is"):
        maps(model, IMAGES, "grad_cam:layer=norm")
    assert maps(model, IMAGES, "grad_cam").isfinite().all()


def test_features_and_steps_of_a_picture_are_those_of_the_map():
    """TSInterpret 44."""
    values = torch.zeros(1, 3, 2)
    values[0, 2, 1] = 1
    batch = perdure.Batch(X[:1, :3], torch.tensor([0]))
    html = perdure.show({"mine": values}, batch, features=("first", "second")).html
    assert (
        html == perdure.show({"mine": replace(maps_of(batch), values=values)}, batch, features=("first", "second")).html
    )
    assert ">mine<" in html
    assert perdure.show(values, batch).html


def maps_of(batch):
    return perdure.attribute(nn.Sequential(nn.Flatten(), nn.Linear(6, 2)), batch.inputs, "gradient", target=0)


@pytest.mark.parametrize("result", [{"mine": [1.0]}, [1.0], {}, 3])
def test_what_is_no_map_is_named(result):
    with pytest.raises(SettingError):
        perdure.show(result, perdure.Batch(X, torch.zeros(8).long()))


def test_a_text_beyond_the_positions_of_the_model_is_cut_with_a_warning(tmp_path, caplog):
    """transformers-interpret 95, inseq 260 and 221."""
    transformers = pytest.importorskip("transformers")
    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad")
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=8, **sizes)
    model = transformers.BertForSequenceClassification(config)
    tokenizer = transformers.BertTokenizerFast(vocab={word: place for place, word in enumerate(words)})
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    from perdure.models._hugging_face import text_classifier

    ids, mask, texts = text_classifier(str(tmp_path)).reader.tokenise(["good " * 20, "bad"])
    assert ids.shape == (2, 8)
    assert mask.sum(1).tolist() == [8, 3]
    assert texts[0].tokens[1:3] == ("good", "good")
    assert "1 texts are cut to the 8 tokens that the model reads" in caplog.text
