"""Memory that a pass frees is there for the next one."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from perdure.core.query import Query
from perdure.core.target import Logit

torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.Flatten(), torch.nn.Linear(16 * 900, 2))
x = torch.zeros(40, 3, 32, 32)
query = Query(model, x, Logit(torch.zeros(40, dtype=torch.long)))
for _ in range(5):
    query.value(x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    query.value(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other habits")
def test_passes_in_a_fresh_process_do_not_ask_the_system_for_memory() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1000  # a pass has 560 pages of activations
