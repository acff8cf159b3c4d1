import json

import pytest

from perdure.audit.path import PathReport
from perdure.report.charts.path_curves import SmallCharts
from perdure.report.pages.page import render
from perdure.report.pages.paths import build_paths_page
from perdure.report.pieces import Prose
from tests.report.conftest import HOSTILE
from tests.report.third import KINDS, paths, undrawn

from .test_page import Elements

SECTIONS = [
    "Barriers of the paths",
    "Loss along the path",
    "Explanations along the path",
    "Cluster changes along the path",
    "The most important types along the path",
    "How to read this page",
    "Provenance",
]


def page_of(record, arrays):
    return build_paths_page(PathReport.from_dict(json.loads(json.dumps(record)), arrays))


def section(page, title):
    return next(item.pieces for item in page.sections if item.title == title)


@pytest.fixture(scope="module")
def page():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("perdure.report.pages.paths.draw_picture", undrawn)
        return page_of(*paths(points=9))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("perdure.report.pages.paths.draw_picture", undrawn)


@pytest.fixture(scope="module")
def html():
    return render(page_of(*paths(kinds=("linear", "valley"), methods=("attention",), points=9)))


def test_the_sections_of_a_page_are_in_order(page):
    assert [item.title for item in page.sections] == SECTIONS


def test_every_kind_has_its_barrier_and_its_cost(page):
    numbers, costs, matched = section(page, SECTIONS[0])
    owners = [owner for owner, _ in numbers.groups[0].rows]
    assert [owner.removesuffix(", which is the null") for owner in owners] == list(KINDS)
    assert [owner for owner in owners if "null" in owner] == ["linear, which is the null"]
    assert costs.header[3] == "significant barrier"
    assert [row[0] for row in costs.rows] == list(KINDS)
    assert [row[3] for row in costs.rows] == ["yes, above the noise"] * 3 + ["no, within the noise"] * 2
    assert "from 21.3 to 14.2" in matched.paragraphs[0]


def test_ends_that_were_not_matched_are_not_described_as_matched(quick):
    record, arrays = paths(kinds=("linear",), methods=("attention",))
    pieces = section(page_of(record | {"aligned": None}, arrays), SECTIONS[0])
    assert not any(isinstance(piece, Prose) for piece in pieces)
    remark = section(page_of(record | {"aligned": None, "remark": "not aligned: no symmetries"}, arrays), SECTIONS[0])[
        -1
    ]
    assert remark.paragraphs == ("Not aligned: no symmetries.",)


def test_agreement_is_drawn_for_both_ends_and_the_neighbour_of_every_method(page):
    _, folds = section(page, SECTIONS[2])
    assert [name for name, _ in folds.pieces] == ["Spearman", "Kendall", "top-3 Jaccard", "ARI of the clusters"]
    charts = folds.pieces[0][1]
    assert isinstance(charts, SmallCharts)
    against = ("seed 0", "seed 1", "the previous point")
    assert [item.title for item in charts.charts] == [
        f"{m}, with {x}" for m in ("attention", "gradient") for x in against
    ]
    assert {line.name for item in charts.charts for line in item.lines} == set(KINDS)


def test_a_curve_begins_where_there_is_a_point_before(page):
    _, folds = section(page, SECTIONS[2])
    neighbour = folds.pieces[0][1].charts[2].lines[0].path
    assert neighbour.startswith(f"M{100 / 8:.1f} ")
    assert "nan" not in neighbour


def test_each_type_has_a_little_chart(page):
    (folds,) = section(page, SECTIONS[4])
    assert [item.title for item in folds.pieces[0][1].charts] == ["care", "fall", "visit"]


def test_a_path_without_explanations_still_shows_its_loss(quick):
    record, arrays = paths(kinds=("linear",), methods=("attention",))
    kept = {name: values for name, values in arrays.items() if name.split("/")[0] in ("t", "loss")}
    page = page_of(record | {"agreements": []}, kept)
    assert [item.title for item in page.sections] == [*SECTIONS[:2], *SECTIONS[5:]]


def test_a_page_is_small_and_has_no_script(html):
    assert len(html) < 1_000_000
    assert "<script" not in html
    assert all(image["alt"] for image in Elements(html).list_attributes("img"))


def test_hostile_names_make_no_element():
    plain = paths(kinds=("linear",), methods=("attention",), points=5)
    record, arrays = paths(kinds=("linear",), methods=(HOSTILE,), points=5, types=(HOSTILE,) * 3)
    record["ends"], record["kinds"][0]["ended"] = [HOSTILE, HOSTILE], HOSTILE
    elements = Elements(render(page_of(record, arrays)))
    assert [tag for tag, _ in elements.elements] == [tag for tag, _ in Elements(render(page_of(*plain))).elements]
    assert not any(name.startswith("on") for _, attrs in elements.elements for name in attrs)
