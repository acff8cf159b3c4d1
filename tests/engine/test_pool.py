import errno
import os
import pickle
import signal
from functools import partial
from pathlib import Path

import pytest
import torch

from perdure.core.errors import EngineError, RunFolderError, UnsupportedError
from perdure.core.resources import limit_rows, row_bound
from perdure.engine import pool
from perdure.engine.pool import InProcess, Processes, run_pieces


def write(folder: Path, piece: int) -> None:
    if piece == 3:
        raise ValueError("piece 3")
    (folder / str(piece)).write_text(str(piece * piece))


def later(folder: Path, piece: int):
    return partial(write, folder, piece)


def threads(folder: Path, piece: int) -> None:
    (folder / str(piece)).write_text(str(torch.get_num_threads()))


def once(folder: Path, piece: int) -> bool:
    """Return whether this is the first time that a piece is tried, in any process."""
    marks = folder / f"tried-{piece}"
    first = not marks.exists()
    marks.touch()
    return first


def die_once(folder: Path, piece: int):
    if piece == 1 and once(folder, piece):
        os.kill(os.getpid(), signal.SIGKILL)
    return partial(threads, folder, piece)


def die(folder: Path, piece: int) -> None:
    if piece == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    write(folder, piece)


def stumble(folder: Path, wrapped: bool, piece: int) -> None:
    if once(folder, piece):
        try:
            raise OSError(errno.ESTALE, "a network that hiccups")
        except OSError as error:
            if not wrapped:
                raise
            raise RunFolderError("cannot write", "again") from error
    write(folder, piece)


def full(folder: Path, piece: int) -> None:
    with (folder / "tried").open("a") as file:
        file.write(".")
    raise OSError(errno.ENOSPC, "no space")


def done(folder):
    return {p.name: p.read_text() for p in folder.iterdir() if not p.name.startswith("tried")}


@pytest.mark.parametrize(("workers", "work"), [(1, write), (InProcess(), later)])
def test_every_piece_is_done_once_and_reported(tmp_path, workers, work):
    seen = []
    run_pieces(partial(work, tmp_path), [0, 1, 2], workers, lambda done, total: seen.append((done, total)))
    assert done(tmp_path) == {"0": "0", "1": "1", "2": "4"}
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("workers", "work"), [(1, write), (1, later), (Processes(1), write)])
def test_a_failure_is_raised_with_its_piece_and_finished_pieces_stay(tmp_path, workers, work):
    with pytest.raises(ValueError, match="piece 3") as caught:
        run_pieces(partial(work, tmp_path), [0, 3], workers)
    assert done(tmp_path) == {"0": "0"}
    assert caught.value.__notes__ == ["this happened in part 3; finished parts are kept"]


def test_every_piece_has_one_thread(tmp_path):
    """Sums over several threads depend on how they are shared out."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    run_pieces(partial(threads, tmp_path), [0, 1])
    assert set(done(tmp_path).values()) == {"1"}
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_may_pass_is_tried_again(tmp_path, monkeypatch, wrapped):
    monkeypatch.setattr(pool, "WAITS", (0, 0))
    run_pieces(partial(stumble, tmp_path, wrapped), [0, 1])
    assert done(tmp_path) == {"0": "0", "1": "1"}


def test_a_full_disk_does_not_pass(tmp_path):
    with pytest.raises(OSError, match="no space"):
        run_pieces(partial(full, tmp_path), [0, 1])
    assert (tmp_path / "tried").read_text() == "."


def test_pieces_of_a_killed_worker_are_done_again(tmp_path):
    """All that it had been handed, also what it had not begun; each is done once and reported, with one thread."""
    seen = []
    run_pieces(partial(die_once, tmp_path), range(3), Processes(1), lambda done, _: seen.append(done))
    assert done(tmp_path) == {"0": "1", "1": "1", "2": "1"}
    assert seen == [0, 1, 2, 3]


def test_a_piece_that_kills_its_workers_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "DEATHS", 1)
    with pytest.raises(EngineError, match=r"died 1 times while they worked on part .*1.*finished parts are kept"):
        run_pieces(partial(die, tmp_path), [1, 0], Processes(1))


def test_work_that_cannot_be_sent_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="use one worker"):
        run_pieces(lambda _: None, [0, 1], 2)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(lambda _: None)


def bound(folder: Path, piece: int) -> None:
    (folder / str(piece)).write_text(str(row_bound()))


def test_workers_keep_the_bound_on_rows(tmp_path):
    with limit_rows(7):
        run_pieces(partial(bound, tmp_path), range(2), Processes(2))
    assert {path.read_text() for path in tmp_path.iterdir()} == {"7"}
    assert row_bound() is None
