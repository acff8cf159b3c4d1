"""Memory is checked before it is taken and kept between passes, and threads are restored."""

import platform
import subprocess
import sys

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.core.resources import limited_memory, map_threads, single_thread
from perdure.models._presets import model_config

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
def test_passes_in_a_fresh_process_take_no_memory_of_the_system() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 1000  # a pass has 560 pages of activations


@pytest.mark.parametrize(
    "text",
    ["lstm:hidden_size=1000000000", "gru:hidden_size=1000000", "vgg16", "attention_imdb:dense_size=100000000"],
)
def test_a_model_beyond_the_memory_is_refused_before_it_is_taken(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perdure.core.resources.available_memory", lambda: 10**8)
    with (
        pytest.raises(SettingError, match=r"the weights of the model need .* GB of memory or more, but only 0.10 GB"),
        limited_memory(),
    ):
        model_config(text).build(3, 2, torch.Generator())


def test_a_model_within_the_memory_gets_the_same_weights() -> None:
    with limited_memory():
        limited = model_config("lstm").build(3, 2, torch.Generator().manual_seed(0))
    plain = model_config("lstm").build(3, 2, torch.Generator().manual_seed(0))
    assert all(torch.equal(item, other) for item, other in zip(limited.parameters(), plain.parameters(), strict=True))


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_torch_has_its_threads_back_even_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), single_thread():
        1 // (torch.get_num_threads() - 1)
    assert torch.get_num_threads() == 2


def test_pieces_come_in_order_and_have_one_thread_each(two_threads):
    result = list(map_threads(lambda piece: (piece, torch.get_num_threads()), range(20)))
    assert result == [(piece, 1) for piece in range(20)]
    assert torch.get_num_threads() == 2


def test_an_error_of_a_piece_arrives(two_threads):
    with pytest.raises(ZeroDivisionError):
        list(map_threads(lambda piece: 1 // piece, [1, 0]))
    assert torch.get_num_threads() == 2
