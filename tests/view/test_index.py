import os

from perdure.records.parts import part_path
from perdure.view import index as index_module
from perdure.view.index import Index, Selection
from tests.view.folders import write_folder


def test_an_index_follows_new_changed_and_deleted_parts(tmp_path):
    write_folder(tmp_path / "run", rows=100)
    index = Index(tmp_path / "run")
    assert index.left == 2
    assert index.refresh()
    assert index.count() == 100
    assert not index.refresh()
    for kind in ("maps", "scores"):
        for method in range(2):
            part_path(tmp_path / f"run/{kind}/0/{method}", 1).unlink()
    part_path(tmp_path / "run/samples", 1).unlink()
    assert index.refresh()
    assert index.count() == 64
    os.utime(part_path(tmp_path / "run/maps/0/0", 0), ns=(1, 1))
    assert index.refresh()
    assert index.count() == 64
    index.close()


def test_a_large_folder_is_indexed_once_and_outside_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "KEPT", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_folder(tmp_path / "run", rows=100)
    before = sorted(path.name for path in (tmp_path / "run").rglob("*"))
    first = Index(tmp_path / "run")
    first.refresh()
    second = Index(tmp_path / "run")  # while the file is in use
    second.refresh()
    assert second.count() == 100
    first.close()
    second.close()
    kept = Index(tmp_path / "run")
    assert kept.left == 0
    assert kept.count(Selection("correct")) == 79
    assert [metric for metric, _ in kept.scores.values()] == ["insertion", "insertion"]
    kept.close()
    assert sorted(path.name for path in (tmp_path / "run").rglob("*")) == before


def test_a_damaged_index_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "KEPT", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_folder(tmp_path / "run", rows=10)
    Index(tmp_path / "run").close()
    (path,) = (tmp_path / "cache/perdure/view").iterdir()
    path.write_bytes(b"nothing")
    index = Index(tmp_path / "run")
    index.refresh()
    assert index.count() == 10
    index.close()
