import json
from itertools import permutations
from pathlib import Path

import pytest
import torch

from perdure.audit.error_rates import ErrorRates, describe_answer, describe_error_rates, load_error_rates, load_record
from perdure.core.random import stream
from perdure.models._embed import embed_batch
from perdure.stability.members import estimate_accuracy, has_learned
from perdure.studies._calibration_page import HALVES, write_rates
from perdure.studies._calibration_table import Count, find_rates, list_constants, list_rows, write_record
from perdure.studies._planted_model import PlantedModel
from perdure.studies._planted_runs import DEVELOPMENT_RUNS, HELD_OUT_RUNS, RUNS, find_truth
from perdure.studies._planted_tasks import DEVELOPMENT, HELD_OUT, TASKS, make_task, train_on_permuted_labels
from perdure.studies._table import run_study
from perdure.studies._verdict_cases import YES, collect_map_cases, collect_run_cases, decide_case
from perdure.studies.verdict_calibration import VerdictCalibration

DOCUMENT = Path(__file__).parents[2] / "docs/explanation/how-often-the-audit-is-wrong.md"


def average_over_orders(model, x, label):
    """Compute Shapley values from their definition: the mean addition of each element over all orders."""
    result = torch.zeros_like(x)
    orders = list(permutations(range(x.shape[1])))
    for order in orders:
        present = torch.zeros_like(x)
        before = model(present)[0, label]
        for element in order:
            present[0, element] = x[0, element]
            after = model(present)[0, label]
            result[0, element] += (after - before) / len(orders)
            before = after
    return result


def test_contributions_are_shapley_values():
    draw = stream(0)
    window = torch.tensor([[0, 1, 2], [1, 2, 3], [2, 3, 4]])
    model = PlantedModel(
        window,
        torch.randn(3, 2, 3, 1, generator=draw),
        torch.tensor([0.3, -0.4]),
        torch.randn(2, 2, generator=draw),
        activation="relu",
    )
    x = torch.randn(1, 5, generator=draw)
    with torch.no_grad():
        expected = average_over_orders(model, x, 1)
    assert torch.allclose(model.contributions(x, torch.tensor([1])), expected, atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_contributions_sum_to_the_logit_and_labels_follow_it(name):
    task = make_task(name, 0)
    batch = embed_batch(task.model, task.splits.test)
    logits = task.model(batch.inputs, batch.lengths).detach()
    label = logits.argmax(1)
    exact = task.model.contributions(batch.inputs, label, batch.lengths)
    assert torch.allclose(exact.flatten(1).sum(1), logits.gather(1, label[:, None])[:, 0], atol=1e-4)
    assert (label == batch.label).double().mean() > 0.9


def test_no_network_is_in_both_halves():
    assert not set(DEVELOPMENT) & set(HELD_OUT)
    assert not set(DEVELOPMENT.values()) & set(HELD_OUT.values())
    assert not set(DEVELOPMENT_RUNS) & set(HELD_OUT_RUNS)


@pytest.mark.parametrize("name", ["linear series", "template"])
def test_the_answers_of_maps_are_known(name):
    cases = list(collect_map_cases(make_task(name, 0), 8, 0))
    right = {case.name: case.right for case in cases if case.question == "down_to_input"}
    assert {right[method] for method in ("exact", "integrated_gradients:steps=32")} == {"yes"}
    assert {right[name] for name in ("negated", "shifted", "random")} == {"no"}
    assert right["half of the players"] == "partly"
    places = {case.name: case.right for case in cases if case.question == "over_time"}
    assert (places.get("exact") == "reaches back") == (name != "template")
    answers = {case.name: decide_case(case) for case in cases if case.question == "down_to_input"}
    assert (answers["exact"], answers["negated"]) == ("yes", "no")


def test_with_permuted_labels_nothing_is_learned():
    task = train_on_permuted_labels(make_task("keywords", 0), 0)
    batch = embed_batch(task.model, task.splits.test)
    assert (task.model(batch.inputs, batch.lengths).argmax(1) == batch.label).double().mean() < 0.7
    assert not has_learned(estimate_accuracy(task.model, task.splits.test, 0))


def test_runs_agree_as_much_as_is_planted():
    agreement = {name: find_truth(RUNS[name], stream(0, "runs", name))[0] for name in ("same", "half own", "own")}
    assert agreement["same"] > 0.98
    assert 0.3 < agreement["half own"] < 0.7
    assert abs(agreement["own"]) < 0.1
    cases = [case for name in agreement for case in collect_run_cases(name, 0)]
    assert [(case.right, decide_case(case)) for case in cases] == [
        (answer, answer) for answer in ("yes", "partly", "no")
    ]


def test_a_map_in_between_has_no_known_answer():
    cases = list(collect_map_cases(make_task("pulses", 0), 8, 0))
    right = {case.name: case for case in cases if case.question == "down_to_input" and "correlation" in case.why}
    for case in right.values():
        value = float(case.why.rpartition(" ")[2])
        assert (case.right == "yes") == (value >= YES - 0.005)


def test_the_study_in_its_small_size(tmp_path):
    study = VerdictCalibration(seeds=1, smoke=True, samples=4)
    rows = run_study(study, tmp_path)
    record = json.loads((tmp_path / "error_rates.json").read_text())
    assert set(record["questions"]) == {"over_time", "down_to_input", "across_runs"}
    counted = sum(
        sum(row.values())
        for question in record["questions"].values()
        for half in question.values()
        for row in half["counts"].values()
    )
    assert counted == sum(row.value for row in rows)
    assert "## Does the map show what the prediction needs" in (tmp_path / "conclusion.md").read_text()
    assert "How often the audit is wrong" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "right_answers.png").read_bytes().startswith(b"\x89PNG")
    again = (tmp_path / "table.csv").read_text()
    run_study(study, tmp_path)
    assert (tmp_path / "table.csv").read_text() == again


def test_counts_survive_the_way_through_rows_and_json():
    counts = [
        Count("held out", "down_to_input", "yes", "yes", 39, 8),
        Count("held out", "down_to_input", "yes", "no", 1, 8),
    ]
    rates = find_rates(list_rows(counts))["held out", "down_to_input"]
    assert rates == ErrorRates("down_to_input", {"yes": {"yes": 39, "no": 1}}, 8)
    half = json.loads(write_record(counts, {}))["questions"]["down_to_input"]["held out"]
    assert half == {"networks": 8, "counts": {"yes": {"yes": 39, "no": 1}}}


def test_the_packaged_error_rates_are_those_of_the_present_rules():
    """A changed threshold needs `perdure study verdict_calibration` again, whose JSON replaces that of the package."""
    record = load_record()
    assert record["constants"] == json.loads(json.dumps(list_constants()))
    assert not record["settings"]["smoke"]
    for name, halves in record["questions"].items():
        assert set(halves) == {"development", "held out"}, name


def test_the_audit_is_as_rarely_wrong_as_promised():
    rates = load_error_rates()["down_to_input"]
    assert rates.find_wrong("yes").value <= 0.05
    assert rates.find_wrong("no").value <= 0.05
    assert rates.abstained.value <= 0.25
    assert rates.total >= 80


def test_the_documentation_shows_the_packaged_error_rates():
    rates = {(half, name): item for half in HALVES for name, item in load_error_rates(half).items()}
    assert write_rates(rates).strip() in DOCUMENT.read_text(encoding="utf-8")


def test_sentences_count_right_and_wrong_answers():
    rates = ErrorRates("across_runs", {"yes": {"yes": 5}, "no": {"no": 3, "yes": 1}}, 3)
    assert describe_error_rates(rates) == (
        'Of 5 sets of training runs whose right answer is "yes", this audit called 5 "yes"; of 4 "no", 3 "no".'
    )
    assert describe_answer(rates, "yes").startswith(
        "Of 6 sets of training runs with a known answer that this audit called"
    )
    assert describe_answer(rates, "unclear") == ""
