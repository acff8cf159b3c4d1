import pytest

from perdure.core.errors import RunFolderError
from perdure.records.files import atomic, clear_unfinished, write_bytes, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_file_holds_what_was_written_and_nothing_else_is_left(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "naïve")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "naïve".encode()
    assert names(tmp_path / "new") == ["a.txt"]


def test_the_file_appears_only_when_it_is_complete(tmp_path):
    with atomic(tmp_path / "a") as file:
        file.write(b"half")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"half"


def test_a_full_disk_keeps_the_old_file_and_names_the_path(tmp_path, request):
    write_bytes(tmp_path / "a", b"old")
    request.getfixturevalue("small_disk")
    with pytest.raises(RunFolderError, match=r"cannot write .*/a: File too large.*same command again"):
        write_bytes(tmp_path / "a", b"new" * 1000)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_failing_rename_leaves_no_temporary_file(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(RunFolderError, match="directory"):
        write_bytes(tmp_path / "a", b"")
    assert names(tmp_path) == ["a"]


def test_an_error_of_the_writer_passes_unchanged(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "a"):
        1 / 0  # noqa: B018
    assert names(tmp_path) == []


def test_clearing_removes_temporary_files_only(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / ".a.parquet.12.perdure-tmp").touch()
    write_bytes(tmp_path / "parts" / "a.parquet", b"")
    clear_unfinished(tmp_path)
    assert names(tmp_path / "parts") == ["a.parquet"]
