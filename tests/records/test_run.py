from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.errors import RunFolderError
from perdure.records.run import config_digest, open_run, read_run

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True)
class Settings:
    epochs: int = 3
    window: tuple[int, ...] = (1, 2)


CONFIG = {"data": "boxes", "training": Settings(), "out": Path("maps")}


def test_a_new_run_can_be_read_again(tmp_path):
    run = open_run(tmp_path / "run", CONFIG)
    assert run.config == {"data": "boxes", "training": {"epochs": 3, "window": [1, 2]}, "out": "maps"}
    assert read_run(tmp_path / "run") == run
    assert set(run.environment) == {"python", "torch", "platform", "threads"}


def test_the_file_is_readable_without_perdure(tmp_path):
    open_run(tmp_path, CONFIG)
    stored = yaml.safe_load((tmp_path / "run.yaml").read_text())
    assert stored["digest"] == config_digest(CONFIG)
    assert stored["config"]["training"]["epochs"] == 3


def test_the_same_settings_resume_and_clear_what_a_kill_left(tmp_path):
    run = open_run(tmp_path, CONFIG)
    (tmp_path / ".part-00001.parquet.9.perdure-tmp").touch()
    (tmp_path / "part-00000.parquet").touch()
    assert open_run(tmp_path, CONFIG) == run
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000.parquet", "run.yaml", "times.json"]


def test_a_kill_before_the_first_file_does_not_make_the_folder_foreign(tmp_path):
    (tmp_path / ".run.yaml.9.perdure-tmp").touch()
    open_run(tmp_path, CONFIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.yaml", "times.json"]


def test_other_settings_are_named(tmp_path):
    open_run(tmp_path, CONFIG)
    other = {"data": "boxes", "training": replace(Settings(), epochs=5), "seeds": 2}
    with pytest.raises(RunFolderError) as error:
        open_run(tmp_path, other)
    assert "out is 'maps' there and absent here" in error.value.cause
    assert "seeds is absent there and 2 here" in error.value.cause
    assert "training.epochs is 3 there and 5 here" in error.value.cause
    assert "data" not in error.value.cause.replace(str(tmp_path), "")


def test_another_version_of_perdure_does_not_mix_its_results(tmp_path, monkeypatch):
    open_run(tmp_path, CONFIG)
    monkeypatch.setattr("perdure.records.run.metadata.version", lambda _: "99")
    with pytest.raises(RunFolderError, match=r"perdure is '.*' there and '99' here"):
        open_run(tmp_path, CONFIG)


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunFolderError, match=r"no run of perdure: thesis\.tex.*new or empty folder"):
        open_run(tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(RunFolderError, match="is a file"):
        open_run(tmp_path / "a", CONFIG)


@pytest.mark.parametrize("text", ["", "config: 1", "a: [", "- 1"])
def test_a_changed_run_file_is_named(tmp_path, text):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(RunFolderError, match=r"run\.yaml was not written by perdure"):
        open_run(tmp_path, CONFIG)


def test_reading_what_is_no_run(tmp_path):
    with pytest.raises(RunFolderError, match="is not a run folder"):
        read_run(tmp_path)


def test_a_full_disk_at_the_start(tmp_path, small_disk):
    with pytest.raises(RunFolderError, match="free space"):
        open_run(tmp_path / "run", CONFIG | {"note": "long" * 100})


def test_an_object_that_cannot_be_stored_is_refused(tmp_path):
    with pytest.raises(TypeError, match="a setting is object"):
        open_run(tmp_path, {"model": object()})


@settings(max_examples=40, deadline=None)
@given(config=st.dictionaries(st.text(), values, max_size=4))
def test_the_digest_ignores_order_and_nothing_else(config):
    assert config_digest(dict(reversed(config.items()))) == config_digest(config)
    assert config_digest(config | {"one more": 1}) != config_digest(config)
