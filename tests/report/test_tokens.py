import numpy as np
import pytest

from perdure.core.text import Text
from perdure.report.heatmap import Limits
from perdure.report.palette import DARK, LIGHT
from perdure.report.tokens import sentence

TEXT = Text(" Well, not <b>bad</b>!", ((1, 5), (7, 10), (11, 21), (21, 22)))


def test_the_tokens_put_together_are_the_text():
    found = sentence(TEXT, np.array([1.0, -2.0, 0.5, 0.0]), Limits(2.0, True))
    assert "".join(token.text for token in found.tokens) == TEXT.text
    assert [token.text for token in found.tokens if token.value] == list(TEXT.tokens)


def test_truth_marks_its_tokens_and_padding_is_not_looked_at():
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan, np.nan])
    found = sentence(TEXT, values, Limits(4.0, False), np.array([False, True, False, False, True, True]))
    assert [token.text for token in found.tokens if token.truth] == ["not"]


def test_tokens_beyond_the_values_have_no_colour():
    found = sentence(TEXT, np.array([1.0]), Limits(1.0, False))
    assert [token.text for token in found.tokens] == [" ", "Well", ", not <b>bad</b>!"]


@pytest.mark.parametrize("share", np.linspace(-1, 1, 9))
def test_ink_stands_out_from_its_ground(share):
    """At least 3 to 1 everywhere, as the accessibility guidelines ask of large text."""
    (token,) = sentence(Text("a", ((0, 1),)), np.array([share]), Limits(1.0, True)).tokens
    for (ground, ink), palette in ((token.light, LIGHT), (token.dark, DARK)):
        assert ink in (palette.ink, palette.paper)
        assert contrast(ground, ink) > 3


def contrast(one, other):
    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
