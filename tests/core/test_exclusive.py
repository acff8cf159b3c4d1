"""The lock of the process, and the flag of cuDNN while recurrent modules run."""

import os
import threading

import pytest
import torch
from torch import nn

from perdure.core.exclusive import exclusive, without_cudnn


class Notes(nn.Module):
    """Notes the flag of cuDNN in its call, and does something in it."""

    def __init__(self, then=lambda: None):
        super().__init__()
        self.flags, self.then = [], then

    def forward(self, x):
        self.flags.append(torch.backends.cudnn.enabled)
        self.then()
        return x


def is_enabled():
    return torch.backends.cudnn.enabled


def test_cudnn_is_off_in_the_call_and_on_elsewhere():
    inner, outer = Notes(), Notes()
    outer.then = lambda: inner(0)
    with without_cudnn([inner, outer]):
        assert is_enabled()
        outer(0)
        assert is_enabled()
    outer(0)
    assert (outer.flags, inner.flags) == ([False, True], [False, True])


def test_a_flag_that_was_off_stays_off():
    with torch.backends.cudnn.flags(enabled=False):
        with without_cudnn([module := Notes()]):
            module(0)
        assert not is_enabled()


def test_cudnn_is_on_after_a_call_that_fails():
    def fail():
        raise KeyError

    with without_cudnn([module := Notes(fail)]), pytest.raises(KeyError):
        module(0)
    assert is_enabled()


@pytest.mark.parametrize("outlasts", [True, False])
def test_a_call_of_another_thread_may_begin_before_the_block_or_outlast_it(outlasts):
    """Its hooks are then run only at its end, or only at its begin."""
    inside, go = threading.Event(), threading.Event()
    module = Notes(lambda: (inside.set(), go.wait(5)))
    other = threading.Thread(target=module, args=(0,))
    if not outlasts:
        other.start()
        inside.wait(5)
    with without_cudnn([module]):
        if outlasts:
            other.start()
            inside.wait(5)
            assert not is_enabled()
        else:
            go.set()
            other.join()
            assert is_enabled()
    assert is_enabled()
    go.set()
    other.join()
    assert is_enabled()
    assert not module._forward_hooks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_wait_for_a_thread_of_its_parent():
    holds, go = threading.Event(), threading.Event()

    def hold():
        with exclusive():
            holds.set()
            go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait(5)
    child = os.fork()
    if child == 0:
        threading.Timer(5, os._exit, (1,)).start()
        with exclusive():
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    go.set()
    thread.join()
