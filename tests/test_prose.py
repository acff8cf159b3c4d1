"""The language of the field: no personified code, no private metaphors, no participles as names of functions.

`CLEAN` lists the paths that keep to it; it only grows. Words are matched in prose and in identifiers, which are split
first: `asked_types` and `AskedTypes` both contain "asked".
"""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CLEAN = (
    ".ci",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "benchmarks/__init__.py",
    "benchmarks/__main__.py",
    "benchmarks/agreement_statistics.py",
    "benchmarks/box_saliency.py",
    "benchmarks/captum_both_ways.py",
    "benchmarks/harness.py",
    "benchmarks/hierarchical_attention.py",
    "benchmarks/imports.py",
    "benchmarks/input_bottleneck.py",
    "benchmarks/input_cell_attention.py",
    "benchmarks/input_iba.py",
    "benchmarks/insertion_deletion.py",
    "benchmarks/integrated_gradients.py",
    "benchmarks/kills.py",
    "benchmarks/low_loss_path.py",
    "benchmarks/memory.py",
    "benchmarks/necessary_boxes.py",
    "benchmarks/occlusion.py",
    "benchmarks/overhead.py",
    "benchmarks/path_pairs.py",
    "benchmarks/path_task.py",
    "benchmarks/peers.py",
    "benchmarks/reproduce.py",
    "benchmarks/throughput.py",
    "docs/commands.md",
    "docs/conf.py",
    "docs/contributing.md",
    "docs/explanation",
    "docs/how-to",
    "docs/index.md",
    "docs/measured.py",
    "docs/notes/across-runs.md",
    "docs/notes/box-saliency.md",
    "docs/notes/engine.md",
    "docs/notes/events.md",
    "docs/notes/index.md",
    "docs/notes/input-cell-attention-reduction.md",
    "docs/notes/integrated-gradients-to-a-tolerance.md",
    "docs/notes/necessary-boxes.md",
    "docs/notes/public-bug-reports.md",
    "docs/notes/rooms.md",
    "docs/reference.py",
    "docs/tutorials",
    "examples",
    "src/perdure/audit/__init__.py",
    "src/perdure/audit/across_runs.py",
    "src/perdure/audit/audit.py",
    "src/perdure/audit/down_to_input.py",
    "src/perdure/audit/ensemble_arrays.py",
    "src/perdure/audit/explain.py",
    "src/perdure/audit/inputs.py",
    "src/perdure/audit/modality.py",
    "src/perdure/audit/over_time.py",
    "src/perdure/audit/path.py",
    "src/perdure/audit/reproduce.py",
    "src/perdure/audit/reproduction.py",
    "src/perdure/audit/result.py",
    "src/perdure/audit/samples.py",
    "src/perdure/audit/settings.py",
    "src/perdure/attribution/__init__.py",
    "src/perdure/attribution/_attribute.py",
    "src/perdure/attribution/_background.py",
    "src/perdure/attribution/_captum",
    "src/perdure/attribution/_category_columns.py",
    "src/perdure/attribution/_layer.py",
    "src/perdure/attribution/_valid_steps.py",
    "src/perdure/attribution/attention.py",
    "src/perdure/attribution/captum.py",
    "src/perdure/attribution/deep_lift.py",
    "src/perdure/attribution/deep_lift_shap.py",
    "src/perdure/attribution/extremal_perturbation.py",
    "src/perdure/attribution/grad_cam.py",
    "src/perdure/attribution/gradient.py",
    "src/perdure/attribution/gradient_shap.py",
    "src/perdure/attribution/guided_backprop.py",
    "src/perdure/attribution/guided_grad_cam.py",
    "src/perdure/attribution/iba/__init__.py",
    "src/perdure/attribution/iba/retention.py",
    "src/perdure/attribution/input_x_gradient.py",
    "src/perdure/attribution/integrated_gradients.py",
    "src/perdure/attribution/kernel_shap.py",
    "src/perdure/attribution/lime.py",
    "src/perdure/attribution/occlusion.py",
    "src/perdure/attribution/random.py",
    "src/perdure/attribution/saliency.py",
    "src/perdure/attribution/shapley_sampling.py",
    "src/perdure/attribution/smooth_grad.py",
    "src/perdure/cli",
    "src/perdure/core",
    "src/perdure/data",
    "src/perdure/engine",
    "src/perdure/interop",
    "src/perdure/metrics/__init__.py",
    "src/perdure/metrics/_along.py",
    "src/perdure/metrics/_evaluate.py",
    "src/perdure/metrics/_sites.py",
    "src/perdure/metrics/_summarise.py",
    "src/perdure/metrics/auprc.py",
    "src/perdure/metrics/auroc.py",
    "src/perdure/metrics/completeness.py",
    "src/perdure/metrics/degradation.py",
    "src/perdure/metrics/deletion.py",
    "src/perdure/metrics/effective_heat_ratio.py",
    "src/perdure/metrics/enrichment.py",
    "src/perdure/metrics/euclidean.py",
    "src/perdure/metrics/hit_rate.py",
    "src/perdure/metrics/insertion.py",
    "src/perdure/metrics/iou.py",
    "src/perdure/metrics/jaccard.py",
    "src/perdure/metrics/parameter_randomisation.py",
    "src/perdure/metrics/pointing.py",
    "src/perdure/metrics/vanishing.py",
    "src/perdure/metrics/weighted_jaccard.py",
    "src/perdure/models",
    "src/perdure/nn",
    "src/perdure/ops",
    "src/perdure/records",
    "src/perdure/report",
    "src/perdure/studies/__init__.py",
    "src/perdure/studies/_bottleneck.py",
    "src/perdure/studies/_cell.py",
    "src/perdure/studies/_conclusion.py",
    "src/perdure/studies/_figures.py",
    "src/perdure/studies/_paths.py",
    "src/perdure/studies/_retrained.py",
    "src/perdure/studies/_table.py",
    "src/perdure/studies/bottleneck_series.py",
    "src/perdure/studies/bottleneck_text.py",
    "src/perdure/studies/bottleneck_vision.py",
    "src/perdure/studies/box_saliency.py",
    "src/perdure/studies/fmri_saliency.py",
    "src/perdure/studies/mnist_saliency.py",
    "src/perdure/studies/necessary_boxes.py",
    "src/perdure/training",
    "tests/attribution/test_attention.py",
    "tests/attribution/test_attribute.py",
    "tests/attribution/test_captum.py",
    "tests/attribution/test_captum_methods.py",
    "tests/attribution/test_category_columns.py",
    "tests/attribution/test_extremal_perturbation.py",
    "tests/attribution/test_gradient.py",
    "tests/attribution/test_input_x_gradient.py",
    "tests/attribution/test_integrated_gradients.py",
    "tests/attribution/test_layer.py",
    "tests/attribution/test_occlusion.py",
    "tests/attribution/test_random.py",
    "tests/attribution/test_smooth_grad.py",
    "tests/conftest.py",
    "tests/contracts/test_metrics.py",
    "tests/contracts/test_outputs.py",
    "tests/contracts/test_public_reports.py",
    "tests/core/test_attribution.py",
    "tests/core/test_check.py",
    "tests/core/test_consistency.py",
    "tests/core/test_copy.py",
    "tests/core/test_digest.py",
    "tests/core/test_estimate.py",
    "tests/core/test_forward.py",
    "tests/core/test_outputs.py",
    "tests/core/test_query.py",
    "tests/core/test_random.py",
    "tests/core/test_registry.py",
    "tests/core/test_resources.py",
    "tests/core/test_spec.py",
    "tests/core/test_target.py",
    "tests/data",
    "tests/engine",
    "tests/interop",
    "tests/metrics/attributions.py",
    "tests/metrics/perturbed.py",
    "tests/metrics/test_along.py",
    "tests/metrics/test_completeness.py",
    "tests/metrics/test_degradation.py",
    "tests/metrics/test_effective_heat_ratio.py",
    "tests/metrics/test_evaluate.py",
    "tests/metrics/test_hit_rate.py",
    "tests/metrics/test_iou.py",
    "tests/metrics/test_parameter_randomisation.py",
    "tests/metrics/test_pointing.py",
    "tests/metrics/test_sensitivity_n.py",
    "tests/metrics/test_summarise.py",
    "tests/metrics/test_vanishing.py",
    "tests/metrics/test_with_truth.py",
    "tests/models",
    "tests/nn",
    "tests/ops",
    "tests/records",
    "tests/reference/agreement_loop.py",
    "tests/reference/input_cell_attention.py",
    "tests/reference/integrated_gradients.py",
    "tests/reference/occlusion.py",
    "tests/reference/perturbation_loop.py",
    "tests/reference/place_loop.py",
    "tests/reference/planted_events_rule.py",
    "tests/reference/recurrent_pooling.py",
    "tests/reference/shapes_loop.py",
    "tests/reference/valley_direction.py",
    "tests/audit",
    "tests/test_docs.py",
    "tests/test_examples.py",
    "tests/test_import.py",
    "tests/training",
    "docs/notes/input-iba.md",
    "src/perdure/attribution/iba/annealing.py",
    "src/perdure/attribution/iba/critic.py",
    "src/perdure/attribution/iba/generator.py",
    "src/perdure/attribution/iba/matching.py",
    "src/perdure/attribution/iba/noise.py",
    "src/perdure/attribution/iba/search.py",
    "src/perdure/attribution/input_iba.py",
    "src/perdure/audit/information.py",
    "tests/attribution/iba/test_annealing.py",
)
"""Files and folders without a banned word."""

EXEMPT = {
    "src/perdure/data/_read/images.py": {"'deviation'", "'deviations'"},
    "src/perdure/data/cifar10.py": {"'deviation'"},
    "src/perdure/data/image_folder.py": {"'deviation'"},
    "src/perdure/core/stored_array.py": {"'tell'"},
    "src/perdure/data/planted_text.py": {"'said'"},
    "tests/data/test_cifar10.py": {"'deviation'"},
    "tests/data/test_image_folder.py": {"'deviation'"},
    "tests/data/test_images.py": {"'deviation'", "'deviations'"},
}
"""Words with another meaning: the public setting `deviation`, a method of files, words of generated texts."""

WORDS = {
    r"ask(s|ed|ing)?": "compute, call, request, pass",
    r"tells?|telling|told": "return, distinguish, report",
    r"says?|saying|said": "return, report, state",
    r"knows": "has, is defined for",
    r"speaks?": "is evidence for",
    r"(go|goes|going|gone|went) on": "continue, resume",
    r"of (its|their|his|her|our) own": "own, separate",
    r"stands?(?! (for|out)\b)|stood": "is",
    r"beside": "next to, and, in addition to",
    r"whom|nobody|anyone": "rephrase without a person",
    r"doors?": "entry point, function",
    r"rooms?(?!\.md)": "package",
    r"houses?": "package, library",
    r"judg(e|es|ed|ing|ement)": "evaluate, metric",
    r"(?<!half )price|at stake": "information penalty beta, target drop",
    r"(?<!\")squeeze[ds]?(?![=(]| backward)": "optimise the mask",
    r"shares? (of|at|that|in|is|are)": "fraction",
    r"(?<!standard )deviations?": "standard deviation",
    r"turned (a)?round": "negated",
    r"signs (of|that|at)": "characters",
    r"(to|can|could) be had": "is available",
    r"from elsewhere|(come|comes|came) by": "rephrase",
    r"look(s|ed|ing)? at|looks? inside": "inspect, select, explain",
    r"bears?|dislikes?|refuses?|wants?|wishes": "do not personify: support, reject, require",
    r"gets? by|at hand|put down|taken up": "rephrase",
}
"""Banned words of prose and identifiers, with what to write instead."""

NAMES = {"found", "one", "some", "told", "asked", "share", "shares", "here", "others"}
"""Banned names of variables: write result, item, fraction, or the noun."""

NO_PARTICIPLE = {"embed", "feed", "need", "seed", "speed", "proceed", "exceed"}
IRREGULAR = {
    "drawn",
    "given",
    "held",
    "known",
    "laid",
    "left",
    "made",
    "met",
    "seen",
    "shown",
    "taken",
    "told",
    "written",
}

NO_NOUN = "of|for|to|in|at|on|by|whose|with|what|which|whom|how|where|when|why"
ENTRY = re.compile(rf"^ {{4,}}[a-z]\w*: ({NO_NOUN}) ", re.MULTILINE)
"""An entry of Args that does not begin with a noun; "whether" is usual for a bool."""

FORBIDDEN = re.compile(r"\b(" + "|".join(f"(?:{words})" for words in WORDS) + r")\b")
SUFFIXES = {".py", ".md", ".j2", ".js", ".toml", ".cff", ""}


def tracked() -> list[str]:
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [name for name in files.stdout.splitlines() if (ROOT / name).is_file()]


def is_clean(name: str) -> bool:
    return any(name == path or name.startswith(f"{path}/") for path in CLEAN)


FILES = [name for name in tracked() if is_clean(name) and Path(name).suffix in SUFFIXES]


def split_words(text: str) -> str:
    """Split identifiers into lower-case words, and join lines so that no phrase hides at the end of one."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", text).lower()
    return re.sub(r"\s+(# )?", " ", text)


def names_in(tree: ast.AST) -> set[str]:
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return found | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def participles_in(tree: ast.AST) -> set[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    methods = {
        node.name.strip("_") for node in functions if not any("property" in ast.unparse(d) for d in node.decorator_list)
    }
    return {
        name for name in methods if name in IRREGULAR or (re.fullmatch(r"[a-z]+ed", name) and name not in NO_PARTICIPLE)
    }


def complaints(text: str, is_python: bool) -> list[str]:
    listed = [f"'{match[0].strip()}'" for match in FORBIDDEN.finditer(split_words(text))]
    if is_python:
        tree = ast.parse(text)
        listed += [f"the variable '{name}'" for name in sorted(names_in(tree) & NAMES)]
        listed += [f"the function '{name}'" for name in sorted(participles_in(tree))]
        listed += [f"the entry '{match[0].strip()} ...'" for match in ENTRY.finditer(text)]
    return listed


@pytest.mark.parametrize("name", FILES)
def test_a_file_uses_the_words_of_the_field(name):
    listed = complaints((ROOT / name).read_text(encoding="utf-8"), name.endswith(".py"))
    assert [complaint for complaint in listed if complaint not in EXEMPT.get(name, ())] == []


def test_every_clean_path_exists():
    assert all((ROOT / path).exists() for path in CLEAN)


@pytest.mark.parametrize(
    "text",
    [
        "The model is asked.",
        "def asked_types(): ...",
        "class ToldTypes: ...",
        "a stream of\n    its own",
        "def drawn(): ...",
        "def embedded(): ...",
        "found = 1",
        'def f(seed):\n    """Do.\n\n    Args:\n        seed: of what is drawn.\n    """',
        "the share of sites",
    ],
)
def test_what_is_banned_is_found(text):
    assert complaints(text, text.startswith(("def", "class", "found")))


@pytest.mark.parametrize("text", ["x.squeeze(1)", "the standard deviation", "def embed(): ...", "stands for a class"])
def test_what_is_usual_is_not(text):
    assert not complaints(text, text.startswith("def"))
