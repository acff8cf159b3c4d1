from dataclasses import dataclass
from importlib import resources

import pytest

from perdure.core.errors import SettingError, UnknownNameError
from perdure.core.registry import DATASETS, METHODS, METRICS, MODELS, STUDIES
from perdure.core.spec import name_of, parse_settings, slug

REGISTRIES = (METHODS, METRICS, DATASETS, STUDIES)


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.package)
def test_every_file_holds_its_class_with_a_summary(registry):
    for name in registry.names():
        assert name_of_class(registry.load(name)) == name
        assert registry.entry(name).summary.endswith(".")


@pytest.mark.parametrize("registry", [*REGISTRIES, MODELS], ids=lambda registry: registry.package)
def test_files_without_an_underscore_are_listed(registry):
    files = [path.name for path in (resources.files("perdure") / registry.package).iterdir()]
    assert registry.names() == sorted(f[:-3] for f in files if f.endswith(".py") and not f.startswith("_"))


def test_a_former_name_works_with_a_warning_that_gives_the_new_one():
    with pytest.warns(DeprecationWarning, match=r"metric 'roc' is now called 'auroc'"):
        assert METRICS.make("roc:absolute=false") == METRICS.make("auroc:absolute=false")


def test_renamed_metrics_draw_as_under_their_former_names():
    assert METRICS.seed_name("auroc") == "roc"
    assert METRICS.seed_name("insertion") == "insertion"


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


@pytest.mark.parametrize("layer", ["0", "10", "1.0", "1.10", "02.500", "conv.1", "3.conv"])
def test_a_layer_may_be_called_by_a_number(layer):
    assert METHODS.make(f"grad_cam:layer={layer}").layer == layer


def test_a_number_stays_a_number_where_one_belongs():
    assert METHODS.make("grad_cam", {"layer": 0}).layer == "0"
    assert METHODS.make("smooth_grad:samples=3,noise=0.10") == METHODS.make("smooth_grad", {"samples": 3, "noise": 0.1})
    with pytest.raises(SettingError, match=r"samples='2\.50'"):
        METHODS.make("smooth_grad:samples=2.50")


@pytest.mark.parametrize("text", ["a=[1", "a", "a=1,b"])
def test_settings_that_cannot_be_read(text):
    with pytest.raises(SettingError, match="write name=value"):
        parse_settings(text)


def test_settings_of_nothing_and_of_null():
    assert parse_settings("") == {}
    assert parse_settings("a=None,b=null") == {"a": None, "b": None}


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
    assert "/" not in slug("../../x:y=1")
