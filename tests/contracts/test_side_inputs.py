"""Second inputs of each sample go with their samples through every method and every metric of the registry."""

import dataclasses

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.attribution import Attribution
from perdure.core.batch import Batch
from perdure.core.errors import ShapeError, UnsupportedError
from perdure.core.method import NeedsFit
from perdure.core.query import Query
from perdure.core.registry import METHODS, METRICS
from perdure.metrics._evaluate import evaluate
from perdure.models._adapted import Adapted
from perdure.models._token_model import TokenModel
from tests.cases import make_rectified, recurrent, stream
from tests.contracts.test_methods import LENGTHS, QUICK

LABEL = torch.tensor([0, 1, 2, 0])
IMAGES = torch.randn(4, 2, 6, 5, generator=stream(), dtype=torch.float64)
SERIES = torch.randn(4, 7, 4, generator=stream(1), dtype=torch.float64)
TRUTH = (SERIES > 0) & (torch.arange(7) < 4)[None, :, None]
GAIN = torch.rand(4, 3, generator=stream(2), dtype=torch.float64) * 4 + 0.5
METRIC_QUICK = {"sensitivity_n": "sensitivity_n:masks=20,points=3"}


class Gained(nn.Module):
    """Multiplies the logits of each sample by separate numbers."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x, gain, lengths=None):
        return gain * (self.inner(x) if lengths is None else self.inner(x, lengths=lengths))


def add_gain(inner, gain):
    return Adapted(Gained(inner), given={"gain": gain}).double().eval()


def case_of(name):
    on_images = name in ("guided_backprop", "guided_grad_cam", "grad_cam", "deep_lift", "deep_lift_shap")
    return (make_rectified(), IMAGES, None) if on_images else (recurrent(pooling="mean"), SERIES, LENGTHS[:4])


def explain(name, gain, batch_size=256, method=None, **case):
    inner, x, lengths = case_of(name)
    model = add_gain(inner, gain)
    made = METHODS.make(QUICK.get(name, name)) if method is None else method
    if isinstance(made, NeedsFit):
        other = torch.randn(4, *x.shape[1:], generator=stream(5), dtype=x.dtype)
        made = made.fit(model, Batch(other, LABEL))
    settings = {"target": LABEL, "lengths": lengths, "generator": stream(3), "batch_size": batch_size}
    return attribute(model, x, made, **{**settings, **case}).values


@pytest.mark.parametrize("name", [name for name in METHODS.names() if name not in ("attention", "attention_rollout")])
def test_a_method_explains_each_sample_with_its_own_second_input(name):
    if name in ("information_bottleneck", "input_iba"):
        inner, x, _ = case_of(name)
        method = METHODS.make(QUICK[name]).fit(add_gain(inner, GAIN), Batch(x.flip(0).contiguous(), LABEL))
        maps = [explain(name, GAIN, size, _Fitted(method)) for size in (256, 1, 3)]
        alone = [explain(name, GAIN[i : i + 1], method=_Fitted(method))[i] for i in range(4)]
    else:
        fewest = 2 if name.startswith("deep_lift") else 1  # DeepLIFT compares two rows in one call
        maps = [explain(name, GAIN, size) for size in (256, fewest, 3)]
        alone = [explain(name, GAIN[i : i + 1])[i] for i in range(4)]
    for result in maps:
        torch.testing.assert_close(result, torch.stack(alone))


@dataclasses.dataclass(frozen=True)
class _Fitted:
    """A method that has seen its data, and sees no others."""

    method: object

    def scores(self, query):
        return self.method.scores(query)


@pytest.mark.parametrize("name", METRICS.names())
def test_a_metric_measures_each_sample_with_its_own_second_input(name):
    def values(gain):
        made = attribute(add_gain(recurrent(), gain), SERIES, "input_x_gradient", target=LABEL)
        attribution = dataclasses.replace(made, truth=TRUTH)
        return evaluate(attribution, METRIC_QUICK.get(name, name), draws=2).values

    result = values(GAIN)
    torch.testing.assert_close(result, torch.stack([values(GAIN[i : i + 1])[i] for i in range(4)]))
    query = Query(add_gain(recurrent(), GAIN), SERIES, lambda outputs: outputs[:, 0])
    assert (
        evaluate(Attribution(SERIES, source=query, truth=TRUTH, method=METHODS.make("gradient")), name, draws=1)
        .values.isfinite()
        .all()
    )


def test_the_second_input_changes_the_map_so_that_the_contract_can_fail():
    assert not torch.allclose(explain("gradient", GAIN), explain("gradient", GAIN[:1]))


def test_rows_of_another_number_are_refused():
    for rows in (2, 3, 5, 8):
        with pytest.raises(ShapeError, match=rf"'gain' has {rows} rows for . samples?.*one row for each sample"):
            explain("gradient", torch.ones(rows, 3).double(), lengths=None)


class Graph(nn.Module):
    """Reads four nodes through one matrix for all samples."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x, edges):
        return self.head(x @ edges)


def test_what_is_the_same_for_all_samples_stays_whole_also_when_it_has_as_many_rows_as_there_are_samples():
    model, edges = Graph(), torch.randn(4, 4, generator=stream())
    expected = (edges @ model.head.weight[1]).expand(4, -1)
    for samples in (1, 2, 3, 4):
        values = attribute(
            Adapted(model, given={"edges": edges}), torch.ones(samples, 4), "gradient", target=1, batch_size=2
        ).values
        torch.testing.assert_close(values, expected[:samples])


def test_what_may_be_the_same_for_all_or_one_row_for_each_is_refused():
    class Either(nn.Module):
        def forward(self, x, weight):
            return torch.stack([x.sum(1) * weight.sum(), x.sum(1)], 1)

    with pytest.raises(UnsupportedError, match=r"'weight' has 3 rows for 3 samples.*first axis of 1"):
        attribute(
            Adapted(Either(), given={"weight": torch.tensor([1.0, 2.0, 3.0])}), torch.ones(3, 2), "gradient", target=0
        )


TEXTS = torch.tensor([[5, 6, 29, 1, 1], [7, 8, 9, 4, 29], [29, 1, 1, 1, 1], [5, 5, 29, 5, 1]])


UNREADABLE = (
    "attention",
    "attention_rollout",
    "deep_lift",
    "deep_lift_shap",
    "grad_cam",
    "guided_backprop",
    "guided_grad_cam",
)
"""Methods that cannot explain a recurrence, whatever it reads."""

OF_PREFIXES = ("fit", "winit")
"""Methods that compare predictions after each step, which a model that needs its last token does not have."""

WHOLE = {"temporal_integrated_gradients": "temporal_integrated_gradients:steps=4,future=present"}
"""Settings with which methods that evaluate the first steps of a series evaluate all of them, for a model that needs
its last token."""


class AtTheEnd(nn.Module):
    """Reads texts to a token that it finds as the largest id, as text encoders of CLIP do."""

    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(30, 4), nn.Linear(4, 3)
        self.recurrence = nn.GRU(4, 4, batch_first=True)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.7, generator=stream())

    def forward(self, ids):
        return self.read(self.words(ids), ids)

    def read(self, embeddings, ids):
        states = self.recurrence(embeddings)[0]
        return self.head(states[torch.arange(len(ids)), ids.argmax(1)])


class OfOneText(nn.Module):
    """The same for embeddings, all of which belong to one text."""

    def __init__(self, reader, ids):
        super().__init__()
        self.model, self.ids = reader, ids

    def forward(self, x):
        return self.model.read(x, self.ids.expand(len(x), -1))


@pytest.mark.parametrize("name", [name for name in METHODS.names() if name not in (*UNREADABLE, *OF_PREFIXES)])
def test_a_method_explains_texts_as_the_model_reads_their_ids(name):
    model = TokenModel(AtTheEnd().double().eval())
    x, method = model.embed(TEXTS).detach(), METHODS.make(WHOLE.get(name) or QUICK.get(name, name))
    method = _Fitted(method.fit(model, Batch(x.flip(0), LABEL)) if isinstance(method, NeedsFit) else method)

    def explain(model, batch_size=256):
        return attribute(model, x, method, target=LABEL, generator=stream(3), batch_size=batch_size).values

    alone = torch.stack([explain(OfOneText(model.model, ids[None]))[i] for i, ids in enumerate(TEXTS)])
    for batch_size in (256, 1, 3):
        torch.testing.assert_close(explain(model, batch_size), alone)


@pytest.mark.parametrize("name", METRICS.names())
def test_a_metric_measures_texts_as_the_model_reads_their_ids(name):
    model = TokenModel(AtTheEnd().double().eval())
    x = model.embed(TEXTS).detach()
    truth = torch.zeros_like(x).bool()
    truth[:, 0] = True

    def values(reader):
        made = attribute(reader, x, "input_x_gradient", target=LABEL)
        return evaluate(dataclasses.replace(made, truth=truth), METRIC_QUICK.get(name, name), draws=2).values

    alone = [values(OfOneText(model.model, ids[None]))[i] for i, ids in enumerate(TEXTS)]
    if name == "parameter_randomisation":  # which redraws the table of embeddings too, last of all
        assert values(model).isfinite().all()
        return
    torch.testing.assert_close(values(model), torch.stack(alone))


class Timed(nn.Module):
    """Reads the time of each step next to it."""

    def __init__(self):
        super().__init__()
        self.inner = recurrent(5, pooling="mean")

    def forward(self, x, times, lengths=None):
        both = torch.cat([x, times[..., None]], 2)
        return self.inner(both) if lengths is None else self.inner(both, lengths=lengths)


@pytest.mark.parametrize("name", [name for name in METHODS.names() if name not in UNREADABLE])
@pytest.mark.parametrize("samples", [4, 1])
def test_a_second_input_of_each_step_is_cut_with_its_series(name, samples):
    times = torch.rand(samples, 7, generator=stream(4), dtype=torch.float64) * 3

    def explain(times, batch_size=256):
        model, method = Adapted(Timed(), given={"times": times}).double().eval(), METHODS.make(QUICK.get(name, name))
        method = method.fit(model, Batch(SERIES.flip(0), LABEL)) if isinstance(method, NeedsFit) else method
        settings = {"lengths": LENGTHS[:4], "generator": stream(3), "batch_size": batch_size}
        return attribute(model, SERIES, method, target=LABEL, **settings).values

    values = explain(times)
    torch.testing.assert_close(explain(times, batch_size=3), values)
    if not isinstance(METHODS.make(name), NeedsFit):
        alone = [explain(times[i : i + 1] if samples > 1 else times)[i] for i in range(4)]
        torch.testing.assert_close(values, torch.stack(alone))


def test_a_function_that_holds_the_rows_of_all_samples_is_named():
    model = Gained(recurrent().double())
    with pytest.raises(
        UnsupportedError, match=r"takes the 4 samples together, but not the first one alone.*given=\{name: rows"
    ):
        attribute(lambda x: torch.cat([model.inner(x), GAIN], 1), SERIES, "gradient", target=1)
