import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from perdure.core.errors import SettingError
from perdure.view.serve import open_socket
from tests.view.folders import write_folder


def test_a_port_in_use_is_named_or_passed_over():
    first, second = open_socket(), open_socket()
    with first, second:
        ports = [item.getsockname()[1] for item in (first, second)]
        assert ports[1] > ports[0]
        assert {item.getsockname()[0] for item in (first, second)} == {"127.0.0.1"}
        with pytest.raises(SettingError, match=rf"port {ports[0]} is in use.*--port"):
            open_socket(ports[0])


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_an_impossible_port_is_named(port):
    with pytest.raises(SettingError, match="there is no port"):
        open_socket(port)


@pytest.mark.slow
def test_the_command_serves_until_it_is_interrupted(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_folder(tmp_path / "run", rows=10)
    command = [sys.executable, "-m", "perdure", "view", str(tmp_path / "run"), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().split(": ")[1].split()[0]
        with urllib.request.urlopen(address) as answer:
            assert b"10 rows" in answer.read()
        foreign = urllib.request.Request(address, headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(foreign)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "perdure view: ended.\n", "")
