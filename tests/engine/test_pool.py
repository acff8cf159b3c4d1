from functools import partial
from pathlib import Path

import pytest

from perdure.engine.pool import run_pieces


def write(folder: Path, piece: int) -> None:
    if piece == 3:
        raise ValueError("piece 3")
    (folder / str(piece)).write_text(str(piece * piece))


@pytest.mark.parametrize("workers", [1, 2])
def test_every_piece_is_done_once_and_reported(tmp_path, workers):
    seen = []
    run_pieces(partial(write, tmp_path), [0, 1, 2], workers, lambda done, total: seen.append((done, total)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "1", "2"]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_is_raised_and_finished_pieces_stay(tmp_path, workers):
    with pytest.raises(ValueError, match="piece 3"):
        run_pieces(partial(write, tmp_path), [0, 3], workers)
    assert (tmp_path / "0").read_text() == "0"
