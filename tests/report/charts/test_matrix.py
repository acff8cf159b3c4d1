import numpy as np
import pytest

from perdure.report.charts.heatmap import Limits
from perdure.report.charts.matrix import draw_agreement_matrix, find_agreement_limits, order_by_similarity

UNIT = Limits(1.0, False)


def matrix(values):
    return np.where(np.eye(len(values)) > 0, np.nan, np.asarray(values, dtype=float))


@pytest.mark.parametrize(("value", "digits"), [(0.931, ".93"), (-0.4, "-.40"), (0.999, "1"), (0.001, "0"), (-1, "-1")])
def test_a_cell_holds_its_digits_without_the_zero(value, digits):
    drawn = draw_agreement_matrix(matrix(np.full((2, 2), value)), Limits(1.0, True), ("a 0", "a 1"))
    assert [text for _, _, text, _ in drawn.cells] == [digits.replace("-", "\N{MINUS SIGN}")]


def test_digits_are_below_the_diagonal_which_holds_the_names():
    drawn = draw_agreement_matrix(matrix(np.full((3, 3), 0.5)), UNIT, ("seed 4", "seed 2", "seed 11"))
    assert [(column, row) for column, row, _, _ in drawn.cells] == [(0, 1), (0, 2), (1, 2)]
    assert drawn.names == ("4", "2", "11")


def test_strong_colours_have_the_ink_that_stands_out():
    weak, strong = (draw_agreement_matrix(matrix(np.full((2, 2), v)), UNIT, ("a", "b")).cells[0][3] for v in (0.1, 0.9))
    assert (weak, strong) == ("", "light dark")


def test_words_name_the_pairs_that_agree_least_and_most():
    values = matrix([[0, 0.1, 0.5], [0.1, 0, 0.9], [0.5, 0.9, 0]])
    words = draw_agreement_matrix(values, UNIT, ("a", "b", "c")).alt
    assert words == "Median 0.500; lowest 0.100 between a and b, highest 0.900 between b and c."


def test_a_pair_with_nothing_to_compare_is_marked():
    drawn = draw_agreement_matrix(np.full((2, 2), np.nan), UNIT, ("a", "b"))
    assert drawn.cells[0][2] == "?"
    assert drawn.alt == "No pair of runs has comparable samples."


def test_chance_is_no_reason_for_a_second_colour():
    assert not find_agreement_limits([np.array([[np.nan, -0.01]])]).signed
    assert find_agreement_limits([np.array([[np.nan, -0.5]])]).signed


def test_runs_that_agree_are_neighbours():
    family = np.array([0, 1, 0, 1, 0])
    order = order_by_similarity(matrix(np.where(family[:, None] == family, 0.9, 0.1)))
    assert family[order].tolist() in ([0, 0, 0, 1, 1], [1, 1, 0, 0, 0])
    assert sorted(order_by_similarity(np.full((3, 3), np.nan))) == [0, 1, 2]
