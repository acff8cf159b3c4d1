"""Digests inside files: every single changed bit is found, also in the mark of the digest."""

import pytest

from perdure.records.seal import BLANK, is_intact, seal

DATA = seal(b'{"digest": "' + BLANK.encode() + b'", "value": 0.5}')


@pytest.mark.parametrize("place", range(len(DATA)))
def test_a_flipped_bit_is_found_wherever_it_is(place):
    for bit in range(8):
        changed = bytearray(DATA)
        changed[place] ^= 1 << bit
        assert is_intact(bytes(changed)) is False


def test_a_file_without_a_digest_is_neither_intact_nor_damaged():
    assert is_intact(b'{"value": 0.5}') is None
