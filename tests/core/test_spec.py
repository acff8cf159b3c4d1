"""Names that keep their settings."""

from dataclasses import dataclass

import pytest

from perdure.core.registry import METHODS, METRICS
from perdure.core.spec import format_spec, strip_settings


@pytest.mark.parametrize(
    "text",
    [
        "insertion:points=4",
        "auroc:absolute=false",
        "auroc:granularity=position",
        "insertion:share=0.5,score=target",
        "sensitivity_n",
    ],
)
def test_a_name_is_written_as_on_the_command_line(text):
    made = METRICS.make(text)
    assert METRICS.make(format_spec(made)) == made
    assert strip_settings(format_spec(made)) == strip_settings(text)


def test_a_usual_setting_is_not_written():
    assert format_spec(METRICS.make("insertion:points=64")) == "insertion"
    assert format_spec(METHODS.make("occlusion:window=[1, 5]")) == "occlusion:window=[1, 5]"
    assert METHODS.make(format_spec(METHODS.make("occlusion:window=[1, 5]"))).window == (1, 5)


def test_what_has_no_settings_has_a_name():
    @dataclass(frozen=True)
    class MyMetric:
        needed: int

    class Bare: ...

    assert format_spec(MyMetric(3)) == "my_metric:needed=3"
    assert format_spec(Bare()) == "bare"
