"""Plans within a budget of time."""

from importlib import import_module

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from perdure.audit.audit import audit
from perdure.audit.budget import Cost, choose_plan, parse_duration
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch
from perdure.core.errors import BudgetError, SettingError
from perdure.data._splits import Splits

BUDGET = import_module("perdure.audit.budget")  # perdure.audit is also the function

COSTS = st.dictionaries(st.sampled_from("abcde"), st.builds(Cost, st.floats(0, 5), st.floats(0.01, 2)), min_size=1).map(
    lambda costs: {**costs, "random": Cost(0.01, 0.001)}
)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("2m", 120), ("1.5h", 5400), (" 3 m ", 180)])
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-2m", "0s", "2 days", "2m30"])
def test_no_duration(text):
    with pytest.raises(SettingError, match="such as 90s, 2m or 1h"):
        parse_duration(text)


@given(COSTS, st.floats(1, 1000), st.integers(1, 128))
def test_a_plan_fits_into_its_budget_or_the_error_names_what_one_method_needs(costs, seconds, most):
    shared = Cost(0.5, 0.01)
    try:
        plan = choose_plan(shared, costs, seconds, 0.1, most)
    except BudgetError as error:
        needed = float(error.cause.rpartition("about ")[2].split()[0])
        assert needed >= int(seconds)
        assert choose_plan(shared, costs, needed + 1, 0.1, most).samples >= min(10, most)
        return
    kept = [name for name in costs if name not in plan.left_out]
    assert kept
    assert min(10, most) <= plan.samples <= most
    assert 0.1 + shared.at(plan.samples) + sum(costs[name].at(plan.samples) for name in kept) <= seconds
    if plan.left_out:  # only the dearest, and only where ten samples of all do not fit
        rest = max(costs[name].at(min(10, most)) for name in kept)
        assert all(costs[name].at(min(10, most)) >= rest for name in plan.left_out if name != "random")


def make_splits():
    x = torch.randn(60, 6, 2, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, (x.sum((1, 2)) > 0).long())
    return Splits(batch, batch, batch, ("low", "high"))


def make_model():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False))
    model[1].weight.data = torch.tensor([[-1.0], [1.0]]).expand(2, 12).clone()
    return model


def test_the_budget_chooses_samples_and_methods_and_is_kept_when_resumed(tmp_path, monkeypatch):
    costs = {"saliency": Cost(0, 0.5), "random": Cost(0, 0.1), "input_x_gradient": Cost(0, 3)}
    monkeypatch.setattr(BUDGET, "measure_costs", lambda *_: (Cost(0, 0), costs))
    settings = AuditSettings(("saliency", "input_x_gradient", "random"), budget=10.0)
    result = audit(make_model(), make_splits(), settings=settings, folder=tmp_path)
    (model,) = result.models
    assert [method.name for method in model.methods] == ["saliency", "random"]
    assert result.notes[0] == "The budget of 10 seconds allows 14 samples, without input_x_gradient."
    assert model.methods[0].passes == 2 * 14
    monkeypatch.setattr(BUDGET, "measure_costs", lambda *_: pytest.fail("measured again"))
    assert audit(make_model(), make_splits(), settings=settings, folder=tmp_path).to_dict() == result.to_dict()


def test_the_time_of_every_method_is_measured():
    settings = AuditSettings(("saliency", "random"), samples=20, budget=600.0)
    result = audit(make_model(), make_splits(), settings=settings)
    assert [method.name for method in result.models[0].methods] == ["saliency", "random"]
    assert result.notes[0] == "The budget of 600 seconds allows 20 samples."
    with pytest.raises(BudgetError, match=r"small for one method: saliency.* needs about \d+ seconds.*--budget \d+s"):
        audit(make_model(), make_splits(), settings=AuditSettings(("saliency", "random"), budget=1e-3))


def test_a_budget_without_time():
    with pytest.raises(SettingError, match="budget is 0 seconds"):
        AuditSettings(budget=0)
