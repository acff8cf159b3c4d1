import numpy as np

from perdure.core.text import Text
from perdure.report.samples import samples
from perdure.report.words import mark_words, sum_words, words_of

TEXTS = (
    Text("not acted!", ((0, 0), (0, 3), (4, 7), (7, 9), (9, 10), (10, 10)), pieces=True),
    Text("bad", ((0, 0), (0, 3), (3, 3)), pieces=True),
)
MAPS = np.array([[8.0, 1.0, 2.0, 3.0, 4.0, 16.0], [8.0, 5.0, 16.0, np.nan, np.nan, np.nan]])


def test_pieces_add_up_to_their_word_and_marks_round_a_text_to_none():
    assert np.array_equal(sum_words(MAPS, TEXTS), [[1, 9], [5, np.nan]], equal_nan=True)
    truth = np.zeros((2, 6), bool)
    truth[0, 3] = truth[1, 0] = True
    assert mark_words(truth, TEXTS).tolist() == [[False, True], [False, False]]
    assert words_of(TEXTS[0]).tokens == ("not", "acted!")


def test_a_page_shows_words_whole():
    piece = samples(np.zeros((2, 6)), {"model": MAPS}, None, ("a", "b"), TEXTS)
    assert [token.text for token in piece.rows[0][1][0].tokens] == ["not", " ", "acted!"]
    assert [token.text for token in piece.rows[1][1][0].tokens] == ["bad"]
