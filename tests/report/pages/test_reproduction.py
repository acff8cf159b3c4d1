import json

import pytest

from perdure.audit.reproduction import Reproduction
from perdure.report.pages.page import render
from perdure.report.pages.reproduction import build_reproduction_page
from perdure.report.pieces import Folds, Fractions, Numbers
from tests.report.conftest import HOSTILE
from tests.report.third import reproduction, undrawn

from .test_page import Elements

SECTIONS = [
    "Verdict",
    "Agreement of the runs",
    "Agreement of each pair of runs",
    "Cluster changes",
    "The most important types",
    "Sources of variance",
    "Remedies",
    "Runs",
    "How to read this page",
    "Provenance",
]


def page_of(record, arrays):
    return build_reproduction_page(Reproduction.from_dict(json.loads(json.dumps(record)), arrays))


def section(page, title):
    return next(item.pieces for item in page.sections if item.title == title)


@pytest.fixture(scope="module")
def page():
    return page_of(*reproduction())


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("perdure.report.pages.reproduction.draw_picture", undrawn)


@pytest.fixture(scope="module")
def html(page):
    return render(page)


def test_the_sections_of_a_page_are_in_order(page):
    assert page.lead == "Two trainings agree on the order of event types little more than chance."
    assert [item.title for item in page.sections] == SECTIONS


def test_methods_are_grouped_by_measure(page):
    (numbers,) = section(page, "Agreement of the runs")
    assert numbers.owner == "method"
    assert [[owner for owner, _ in group.rows] for group in numbers.groups] == [["attention", "gradient"]] * 5


def test_families_of_runs_are_side_by_side_in_every_matrix(page):
    (matrices,) = section(page, "Agreement of each pair of runs")
    assert [title for title, _ in matrices.rows][:2] == ["Spearman", "Kendall"]
    assert [title for title, _ in matrices.rows][-1] == "equal predictions"
    orders = {matrix.names for _, row in matrices.rows for matrix in row}
    (order,) = orders
    assert {int(name) % 2 for name in order[:2]} in ({0}, {1})  # even runs agree with even ones


def test_a_measure_where_less_is_better_is_marked(quick):
    record, arrays = reproduction(methods=("attention",))
    record["agreements"][0]["number"] |= {"name": "Jensen-Shannon", "higher_is_better": False}
    arrays["pairs/attention/Jensen-Shannon"] = arrays.pop("pairs/attention/Spearman")
    (matrices,) = section(page_of(record, arrays), "Agreement of each pair of runs")
    assert "Jensen-Shannon (less is better)" in [title for title, _ in matrices.rows]


def test_every_method_has_its_clusters_and_violins(page):
    folds, scan = section(page, "Cluster changes")
    assert [name for name, _ in folds.pieces] == ["attention", "gradient"]
    assert "attention: 3, the best silhouette." in scan.caption
    (folds,) = section(page, "The most important types")
    assert "care, fall, visit" in folds.pieces[0][1].alt


def test_one_method_has_no_section_on_variance(quick):
    record, arrays = reproduction(methods=("attention",))
    page = page_of(record | {"variance": [], "remedies": []}, arrays)
    assert not any(isinstance(piece, Fractions) for item in page.sections for piece in item.pieces)
    assert [item.title for item in page.sections] == [
        item for item in SECTIONS if item not in ("Sources of variance", "Remedies")
    ]


def test_methods_that_wrote_no_arrays_leave_no_empty_section(quick):
    record, _ = reproduction()
    page = page_of(record | {"clusters": {}}, {})
    assert [item.title for item in page.sections] == [*SECTIONS[:2], *SECTIONS[5:]]


def test_runs_are_listed_with_the_sign_they_have_in_the_matrices(quick):
    record, arrays = reproduction(runs=2, methods=("attention",))
    for run, name in zip(record["runs"], ("careful", "hasty"), strict=True):
        run["name"] = name
    (numbers,) = section(page_of(record, arrays), "Runs")
    assert isinstance(numbers, Numbers)
    assert [owner for owner, _ in numbers.groups[0].rows] == ["1 · careful", "2 · hasty"]


def test_a_page_is_small_points_to_nothing_outside_and_has_no_script(html):
    assert len(html) < 1_000_000
    assert "<script" not in html
    for _, attrs in Elements(html).elements:
        for name in ("src", "srcset", "href"):
            assert attrs.get(name, "data:").startswith("data:")


def test_every_image_has_a_description(html):
    images = Elements(html).list_attributes("img")
    assert len(images) > 10
    assert all(image["alt"] for image in images)


def test_hostile_names_make_no_element():
    plain = reproduction(runs=2, methods=("attention",), samples=20)
    record, arrays = reproduction(runs=2, methods=(HOSTILE,), samples=20, types=(HOSTILE,) * 3, name=HOSTILE)
    for row in record["variance"]:
        row["part"] = HOSTILE
    elements = Elements(render(page_of(record, arrays)))
    assert [tag for tag, _ in elements.elements] == [tag for tag, _ in Elements(render(page_of(*plain))).elements]
    assert not any(name.startswith("on") for _, attrs in elements.elements for name in attrs)


@pytest.mark.parametrize("runs", [2, 20])
def test_few_and_many_runs_are_shown(runs, quick):
    page = page_of(*reproduction(runs=runs, methods=("attention",), samples=20))
    (matrices,) = section(page, "Agreement of each pair of runs")
    assert [len(item.names) for item in matrices.rows[0][1]] == [runs]
    assert len(matrices.rows[0][1][0].cells) == runs * (runs - 1) // 2
    assert isinstance(section(page, "Cluster changes")[0], Folds)
