"""One process at a time writes into a run folder."""

import subprocess
import sys
import time

import pytest

from perdure.core.errors import RunFolderError
from perdure.records import lock
from perdure.records.lock import one_writer
from perdure.records.place import place
from perdure.records.run import hold_run, read_run
from perdure.records.status import read_status

HOLD = """
import sys, time
from pathlib import Path
from perdure.records.lock import one_writer
with one_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["local", "store"])
def folder(request, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "SETTLE", 0.0)
    monkeypatch.setattr(lock, "BEAT", 0.05)
    return tmp_path / "a" if request.param == "local" else place(f"memory://{tmp_path.name}")


def test_a_second_writer_is_refused_with_the_holder_and_readers_are_not(folder):
    with hold_run(folder, {"data": "boxes"}), pytest.raises(RunFolderError) as error, one_writer(folder):
        pass
    assert "is in use: process " in error.value.cause
    assert ", since 20" in error.value.cause
    with hold_run(folder, {"data": "boxes"}):
        assert read_run(folder).config == {"data": "boxes"}
        assert read_status(folder).failures == {}
    assert not (folder / ".perdure-lock").exists()


def test_a_killed_holder_has_no_lock(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RunFolderError, match=f"process {process.pid} on "), one_writer(tmp_path):
            pass
        process.kill()
    with one_writer(tmp_path):
        assert (tmp_path / ".perdure-lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_is_not_renewed_has_no_holder(folder, monkeypatch):
    path = place(f"memory://{folder.name}-lease") / ".perdure-lock"
    other = {"pid": 1, "host": "far away", "since": "2026-01-01", "token": "other", "renewed": time.time() - 60}
    lock._renew(path, other)
    path.write_text(path.read_text().replace('"renewed": 1', '"renewed": 0'))
    with one_writer(path.parent):
        pass
    lock._renew(path, other)
    with pytest.raises(RunFolderError, match="process 1 on far away, since 2026"), one_writer(path.parent):
        pass


def test_the_lease_of_a_dead_process_of_this_machine_is_taken(folder, monkeypatch):
    path = place(f"memory://{folder.name}-dead") / ".perdure-lock"
    lock._renew(path, {**lock._describe(), "token": "former"})  # the number of this process
    with one_writer(path.parent):
        pass


def test_a_lease_is_renewed(folder):
    path = place(f"memory://{folder.name}-renewed") / ".perdure-lock"
    with one_writer(path.parent):
        first = lock._read(path)["renewed"]
        time.sleep(0.2)
        assert lock._read(path)["renewed"] > first


def test_a_foreign_folder_gets_no_lock(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunFolderError, match="no run of perdure"), hold_run(tmp_path, {}):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
