"""Ray with two workers on this machine; about a minute, most of it the start of Ray."""

import os
import signal
from functools import partial

import pytest

from perdure.core.errors import EngineError
from perdure.engine.pool import run_pieces
from perdure.engine.ray import Ray
from tests.engine.slow_explain import run
from tests.engine.test_kills import contents
from tests.engine.test_pool import once, write


class KillsItself:
    """Work in which one worker dies, once."""

    def __init__(self, work, folder):
        self.work, self.folder = work, folder

    def __call__(self, piece):
        if piece == 5 and once(self.folder, piece):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.work(piece)


@pytest.mark.slow
def test_a_killed_worker_changes_no_byte(tmp_path):
    pytest.importorskip("ray")
    run(tmp_path / "local", 1)
    run(tmp_path / "ray", Ray(2), wrap=partial(KillsItself, folder=tmp_path))
    assert (tmp_path / "tried-5").exists()
    assert contents(tmp_path / "ray" / "maps") == contents(tmp_path / "local" / "maps")


@pytest.mark.slow
def test_a_failure_is_raised_as_it_was(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(ValueError, match="piece 3") as caught:
        run_pieces(partial(write, tmp_path), [0, 3], Ray(1))
    assert caught.value.__notes__ == ["this happened in part 3; finished parts are kept"]


def test_no_cluster_responds():
    pytest.importorskip("ray")
    with pytest.raises(EngineError, match=r"Ray cannot be reached at 127.0.0.1:1: .*ray start --head"):
        run_pieces(print, [0], Ray(1, "127.0.0.1:1"))
