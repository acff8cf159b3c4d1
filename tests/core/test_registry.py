from dataclasses import dataclass

import pytest

from perdure.core.errors import SettingError, UnknownNameError
from perdure.core.registry import DATASETS, METHODS, METRICS, MODELS, STUDIES, folder_name, name_of, settings_of

ROOMS = (METHODS, METRICS, DATASETS, STUDIES)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.package)
def test_every_file_holds_its_class_with_a_summary(room):
    for name in room.names():
        assert name_of_class(room.load(name)) == name
        assert room.entry(name).summary.endswith(".")


def name_of_class(cls):
    return name_of(object.__new__(cls))


def test_entries_are_read_without_an_import():
    assert MODELS.entry("recurrent").summary == "Classify a series with a recurrent network."


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'gradint'.*'gradient'"):
        METHODS.load("gradint")


def test_settings_are_typed_and_checked():
    assert METRICS.make("jaccard:absolute=false").absolute is False
    with pytest.raises(SettingError, match=r"no setting 'absolut'.*'absolute'"):
        METRICS.make("jaccard:absolut=false")
    with pytest.raises(SettingError, match="absolute='maybe'"):
        METRICS.make("jaccard:absolute=maybe")


@pytest.mark.parametrize("text", ["a=[1", "a", "a=1,b"])
def test_settings_that_cannot_be_read(text):
    with pytest.raises(SettingError, match="write name=value"):
        settings_of(text)


def test_settings_of_nothing_and_of_null():
    assert settings_of("") == {}
    assert settings_of("a=None,b=null") == {"a": None, "b": None}


def test_a_plugin_is_found_by_its_entry_point(monkeypatch):
    @dataclass(frozen=True)
    class Elsewhere:
        """Come from another package."""

    class Point:
        def load(self):
            return Elsewhere

    monkeypatch.setattr("perdure.core.registry._plugins", lambda package: {"elsewhere": Point()})
    assert METHODS.make("elsewhere") == Elsewhere()
    assert METHODS.entry("elsewhere").summary == "Come from another package."


def test_folder_names_stay_inside_their_folder():
    assert "/" not in folder_name("../../x:y=1")
