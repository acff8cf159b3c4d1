"""Ray on this machine, also with three nodes that are processes; minutes, most of them the start of Ray."""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import pytest

from perdure.core.errors import EngineError, EngineWarning
from perdure.engine import ray as ray_engine
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
    with pytest.warns(EngineWarning, match="died 1 times while they worked on part 5"):
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


@pytest.fixture
def cluster():
    """Three nodes with one core each, as processes of this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with ray_engine._keep_signals():  # the nodes of Ray let SIGTERM raise SystemExit(1), also in later tests
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [started.add_node(num_cpus=1) for _ in range(2)]
    started.wait_for_nodes()
    yield started, nodes
    started.shutdown()


class EndsNode:
    """Work that waits a little, so that all nodes take part."""

    def __init__(self, work):
        self.work = work

    def __call__(self, piece):
        time.sleep(0.3)
        return self.work(piece)


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.8])
def test_a_node_that_dies_changes_no_byte(tmp_path, cluster, fraction):
    started, nodes = cluster

    def end_node(done, total):
        if done == round(fraction * total):
            started.remove_node(nodes.pop(), allow_graceful=False)

    run(tmp_path / "local", 1)
    with pytest.warns(EngineWarning, match=r"workers died \d times .* others have done these parts|found no free core"):
        run(tmp_path / "ray", Ray(3, started.address), wrap=EndsNode, progress=end_node)
    assert len(nodes) == 1
    assert contents(tmp_path / "ray" / "maps") == contents(tmp_path / "local" / "maps")


@pytest.mark.slow
def test_more_workers_than_cores_end_and_are_counted(tmp_path, cluster):
    run(tmp_path / "local", 1)
    with pytest.warns(EngineWarning, match="5 of 8 workers found no free core"):
        run(tmp_path / "ray", Ray(8, cluster[0].address), wrap=EndsNode)
    assert contents(tmp_path / "ray" / "maps") == contents(tmp_path / "local" / "maps")


class TakesMemory:
    """Work in which one piece finds no memory, once or always."""

    def __init__(self, work, folder, always):
        self.work, self.folder, self.always = work, folder, always

    def __call__(self, piece):
        if piece == 5 and (once(self.folder, piece) or self.always):
            raise MemoryError("no memory for 40 GB")
        return self.work(piece)


@pytest.mark.slow
def test_a_worker_without_memory_is_replaced_and_named(tmp_path):
    pytest.importorskip("ray")
    run(tmp_path / "local", 1)
    with pytest.warns(EngineWarning, match="workers died 1 times while they worked on part 5"):
        run(tmp_path / "ray", Ray(2), wrap=partial(TakesMemory, folder=tmp_path, always=False))
    assert contents(tmp_path / "ray" / "maps") == contents(tmp_path / "local" / "maps")
    with pytest.raises(EngineError, match="actors died 3 times while they worked on part 5: no memory for 40 GB"):
        run(tmp_path / "always", Ray(2), wrap=partial(TakesMemory, folder=tmp_path, always=True))


@pytest.mark.slow
def test_no_core_is_named_in_time(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setattr(ray_engine, "START", 5)
    with ray_engine._keep_signals():
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        with pytest.raises(EngineError, match="no worker began within 5 seconds; the cluster has 0 cores"):
            run(tmp_path / "ray", Ray(2, started.address))
    finally:
        started.shutdown()


@pytest.mark.parametrize(
    ("answer", "cause"), [(None, "is silent for 0.2 seconds"), (b"HTTP/1.1 400 Bad", "other than Ray")]
)
def test_a_port_that_is_no_cluster_is_named(monkeypatch, answer, cause):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False))
    monkeypatch.setattr(ray_engine, "SILENT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer, args=(server, answer)).start()
        with pytest.raises(EngineError, match=f"Ray cannot be reached at .*{cause}"):
            run_pieces(print, [0], Ray(1, f"127.0.0.1:{server.getsockname()[1]}"))


def _answer(server, answer):
    connection, _ = server.accept()
    with connection, suppress(ConnectionError):
        connection.sendall(answer or b"")
        while connection.recv(100):  # until the other side leaves
            pass
