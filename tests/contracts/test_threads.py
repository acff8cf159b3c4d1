"""One model that several threads explain, evaluate and copy at once: each gets what a single thread gets."""

import sys
import threading
import warnings

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.copy import copy_module
from perdure.core.registry import METRICS
from perdure.metrics._evaluate import evaluate
from perdure.training.loss import detect_kind
from tests.contracts.test_calls import metric_or_skip, truth_of
from tests.contracts.test_methods import CASES, PAIRS, _everything, make_case


@pytest.fixture(autouse=True)
def frequent_switches():
    """Let threads alternate every tenth of a millisecond, so that few calls show a race."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


def run_in_threads(tasks):
    """Call functions at the same time, and return their results in order; the first error is raised."""
    results, begin = [None] * len(tasks), threading.Barrier(len(tasks))

    def call(place, task):
        begin.wait()
        try:
            results[place] = task()
        except BaseException as error:
            results[place] = error

    threads = [threading.Thread(target=call, args=item) for item in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def state(model, case):
    return {
        **_everything(model, case),
        "cudnn": torch.backends.cudnn.enabled,
        "threads": torch.get_num_threads(),
        "warnings": len(warnings.filters),
        "gradients of inputs": case.x.grad is None and not case.x.requires_grad,
        "hooks": [
            len(hooks)
            for module in model.modules()
            for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        ],
    }


def model_of(case, mode):
    return case.make().double().train(mode == "training")


def task_of(name, case, model, calls):
    method = make_case(name, model, case)

    def task():
        arguments = {"target": case.label, "lengths": case.lengths}
        seeded = (torch.Generator().manual_seed(3) for _ in range(calls))
        return [attribute(model, case.x, method, **arguments, generator=random).values for random in seeded]

    return task


def check_in_threads(case, mode, names, calls):
    """Explain one model by several methods at once, one thread for each name."""
    model = model_of(case, mode)
    tasks = [task_of(name, case, model, calls) for name in names]
    expected = {name: task_of(name, case, model, 1)()[0] for name in set(names)}
    before = state(model, case)
    results = run_in_threads(tasks)
    torch.testing.assert_close(state(model, case), before, rtol=0, atol=0)
    wrong = [
        name for name, maps in zip(names, results, strict=True) for m in maps if not torch.equal(m, expected[name])
    ]
    assert wrong == []


@pytest.mark.parametrize(("case", "mode"), [("table", "training"), ("attends", "training"), ("rectified", "training"),
                                            ("image", "training"), ("padded", "evaluation")])  # fmt: skip
def test_all_methods_at_once_explain_one_model_as_one_after_the_other(case, mode):
    check_in_threads(CASES[case], mode, [name for name, other in PAIRS if other == case], calls=2)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["evaluation", "training"])
@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_ten_threads_with_forty_calls_get_the_seeded_map(name, case, mode):
    check_in_threads(CASES[case], mode, [name] * 10, calls=40)


def test_metrics_copies_and_random_draws_next_to_explanations():
    case, names = CASES["rectified"], METRICS.names()
    model = model_of(case, "training")
    explained = attribute(model, case.x, "input_x_gradient", target=case.label)
    metrics = [metric_or_skip(name, "rectified") for name in names if name != "vanishing"]

    def score(metric):
        truth = {"truth": truth_of(case)} if METRICS.load(metric.partition(":")[0]).needs_truth else {}
        return lambda: evaluate(explained, metric, draws=1, **truth).values

    def copy():
        made = [copy_module(model) for _ in range(20)]
        return torch.tensor([all(m.training for m in item.modules()) and not item[0]._forward_hooks for item in made])

    def kinds():
        return torch.tensor([detect_kind(model, Batch(case.x, case.label)) == "logits" for _ in range(5)])

    tasks = [
        copy,
        kinds,
        *map(score, metrics),
        lambda: torch.cat(task_of("kernel_shap", case, model, 3)()),
        lambda: torch.cat(task_of("grad_cam", case, model, 3)()),
    ]
    expected, before = [task() for task in tasks], state(model, case)
    results = run_in_threads(tasks)
    torch.testing.assert_close(state(model, case), before, rtol=0, atol=0)
    assert [torch.equal(first, other) for first, other in zip(results, expected, strict=True)] == [True] * len(tasks)
