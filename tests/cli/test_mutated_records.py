"""Damaged and hostile records end in a page or in a named error, soon and in little memory."""

import json
import random
import resource
import shutil
import time
import warnings
from pathlib import Path

import pytest

from perdure.core.errors import PerdureError
from perdure.records.status import read_status
from perdure.report.pages.write import write_page

STORED = Path(__file__).parent / "version_0_1"
KINDS = ("audit", "reproduce")
SECONDS, KILOBYTES = 10, 2**20
ODD = (None, 5, -1e308, "x", [], {}, [[[]]], {"value": "\x1b[31m"}, True, "9" * 5000)


def walk(value, path=()):
    """List the paths of all values in plain data."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inside:
        yield (*path, name)
        yield from walk(item, (*path, name))


def change_value(record, draw):
    """Replace or delete a value; these records have no digest, so that readers get what was changed."""
    *above, last = draw.choice(list(walk(record)))
    holder = record
    for name in above:
        holder = holder[name]
    if draw.random() < 0.4:
        del holder[last]
    else:
        holder[last] = draw.choice(ODD)


def mutate(folder, kind, draw):
    way = draw.choice(("value", "value", "value", "cut", "flip", "remove", "foreign"))
    record = folder / f"{kind}.json"
    if way == "value":
        content = json.loads(record.read_text())
        change_value(content, draw)
        record.write_text(json.dumps(content))
        return
    file = draw.choice((record, folder / f"{kind}.npz", folder / "run.yaml"))
    data = bytearray(file.read_bytes())
    if way == "cut":
        del data[draw.randrange(len(data)) :]
    elif way == "flip":
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif way == "foreign":
        data = bytearray(draw.choice((b"", b"\xff\xfe", b"[" * 5000, b"null", b"PK\x05\x06" + bytes(18))))
    if way == "remove":
        file.unlink()
    else:
        file.write_bytes(bytes(data))


def failure(read, folder):
    """Read a folder and give the message of the named error; other errors get the name of the folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read(folder)
        except PerdureError as error:
            return str(error)
        except BaseException as error:
            error.add_note(str(folder))
            raise
    return ""


@pytest.mark.parametrize("count", [5, pytest.param(80, marks=(pytest.mark.slow, pytest.mark.timeout(1800)))])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_record_ends_in_a_page_or_a_named_error(kind, count, tmp_path):
    shutil.copytree(STORED / kind, tmp_path / "whole")
    write_page(tmp_path / "whole")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(count):
        folder = tmp_path / str(seed)
        shutil.copytree(STORED / kind, folder)
        mutate(folder, kind, random.Random(f"{kind} {seed}"))
        for read in (write_page, read_status):
            began = time.process_time()
            assert "\x1b" not in failure(read, folder), f"seed {seed}"
            assert time.process_time() - began < SECONDS, f"seed {seed}"
        shutil.rmtree(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < KILOBYTES
