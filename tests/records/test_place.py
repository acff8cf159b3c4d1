from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from perdure.core.errors import DependencyError, RunFolderError
from perdure.records.attributions import read_attributions
from perdure.records.files import atomic, write_text
from perdure.records.parts import finished_parts, part_path, read_parts, write_part
from perdure.records.place import is_local, place
from perdure.records.run import open_run, read_run
from perdure.records.status import read_status

TABLE = pa.table({"name": ["a"], "v": pa.array([[0.5, -1.0]], pa.list_(pa.float32()))})


@pytest.fixture
def store(request):
    return f"memory://{request.node.name}/run"


def test_paths_and_urls():
    assert place("a/b") == place(Path("a/b")) == Path("a/b")
    assert place("file:///tmp/with%20space") == Path("/tmp/with space")
    assert not is_local(place("memory://a") / "b")
    assert str(place("memory://a/b") / "c") == "memory://a/b/c"


def test_a_run_in_a_store_is_opened_and_resumed(store):
    run = open_run(store, {"data": "boxes"})
    assert open_run(store, {"data": "boxes"}) == read_run(store) == run
    with pytest.raises(RunFolderError, match="data is 'boxes' there and 'else' here"):
        open_run(store, {"data": "else"})


@pytest.mark.parametrize("where", ["memory", "file"])
def test_parts_have_the_same_bytes_everywhere(store, where, tmp_path):
    folder = place(store if where == "memory" else (tmp_path / "run").as_uri())
    assert finished_parts(folder) == set()
    for index in (1, 0):
        write_part(folder, index, TABLE)
    write_part(tmp_path / "local", 0, TABLE)
    assert part_path(folder, 0).read_bytes() == part_path(tmp_path / "local", 0).read_bytes()
    assert finished_parts(folder) == {0, 1}
    assert read_parts(folder).equals(pa.concat_tables([TABLE, TABLE]))


def test_a_damaged_part_of_a_store_counts_as_not_finished(store):
    write_part(place(store), 0, TABLE)
    part_path(place(store), 1).write_bytes(b"PAR1")
    with pytest.warns(UserWarning, match="part-00001.parquet is damaged"):
        assert finished_parts(place(store)) == {0}


def test_foreign_files_of_a_store_are_left_alone(store):
    (place(store) / "thesis.tex").write_text("x")
    with pytest.raises(RunFolderError, match=r"no run of perdure: thesis\.tex"):
        open_run(store, {})


def test_a_store_that_takes_nothing_is_named(store, monkeypatch):
    """Stores have separate errors, which are no OSError."""

    class NoCredentialsError(Exception):
        pass

    def reject(*_):
        raise NoCredentialsError("unable to locate credentials")

    folder = place(store)
    monkeypatch.setattr(type(folder), "write_bytes", reject)
    cause = r"cannot write memory://.*/a\.txt: the store raises NoCredentialsError: unable to locate credentials"
    with pytest.raises(RunFolderError, match=cause):
        write_text(folder / "a.txt", "x")


def test_a_half_written_file_never_reaches_a_store(store):
    with pytest.raises(ZeroDivisionError), atomic(place(store) / "a"):
        1 / 0  # noqa: B018
    assert not (place(store) / "a").exists()


def test_unknown_stores_are_named():
    with pytest.raises(RunFolderError, match="zz://a is no URL of a known store"):
        place("zz://a")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "upath", None)
    with pytest.raises(DependencyError, match=r"perdure\[remote\]"):
        place("s3://bucket/run")


@pytest.mark.parametrize("name", ["s3://", "s3:///", "memory://", "file://", "://a", "a\0b"])
def test_a_name_without_a_folder_is_named(name):
    with pytest.raises(RunFolderError, match=r"names no folder of a store|cannot be the name of a folder"):
        place(name)


class NoCredentialsError(Exception):
    """What stores raise is rarely an OSError."""


class Locked(fsspec.AbstractFileSystem):
    protocol = "locked"

    def info(self, path, **kwargs):
        raise NoCredentialsError("Unable to locate credentials")

    ls = exists = info


@pytest.mark.filterwarnings("ignore:UPath .locked. filesystem not explicitly implemented")
@pytest.mark.parametrize("call", [read_run, read_status, read_attributions, lambda path: open_run(path, {})])
def test_a_store_without_credentials_is_named(call):
    fsspec.register_implementation("locked", Locked, clobber=True)
    with pytest.raises(RunFolderError, match=r"locked://bucket/run: the store raises NoCredentialsError.*credentials"):
        call("locked://bucket/run")
