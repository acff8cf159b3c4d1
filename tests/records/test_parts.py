import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perdure.core.errors import PartError, RunFolderError
from perdure.records.files import clear_unfinished
from perdure.records.parts import finished_parts, part_path, part_paths, read_parts, write_part

KILLED = """
import os, sys, time
from pathlib import Path
from tests.records.test_parts import table
from perdure.records.parts import write_part

sync = os.fsync
for index in range(5):
    if index == 3:
        os.fsync = lambda _: (print("in the middle", flush=True), time.sleep(60))
    write_part(Path(sys.argv[1]), index, table(index))
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def table(index, rows=130):
    values = [[index + 0.1 * i, -1.0] for i in range(rows)]
    return pa.table({"name": [f"{i:03d}" for i in range(rows)], "v": pa.array(values, pa.list_(pa.float32()))})


def test_parts_come_back_in_order(tmp_path):
    for index in (2, 0, 10):
        write_part(tmp_path, index, table(index))
    assert read_parts(tmp_path).equals(pa.concat_tables([table(0), table(2), table(10)]))
    assert finished_parts(tmp_path) == {0, 2, 10}


def test_the_layout_of_a_part(tmp_path):
    wide = pa.array([[1.0] * 1024] * 130, pa.list_(pa.float32()))
    file = pq.ParquetFile(write_part(tmp_path, 7, table(0).set_column(1, "v", wide)))
    names, floats = (file.metadata.row_group(0).column(i) for i in range(2))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [64, 64, 2]
    assert names.compression == floats.compression == "ZSTD"
    assert "BYTE_STREAM_SPLIT" in floats.encodings
    assert "RLE_DICTIONARY" in names.encodings


def test_a_kill_in_the_middle_keeps_finished_parts_and_the_next_run_completes_them(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(killed)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"in the middle\n"
        process.kill()
    left = [name for name in names(killed) if name.endswith(".perdure-tmp")]
    assert len(left) == 1
    clear_unfinished(killed)
    assert finished_parts(killed) == {0, 1, 2}
    for index in set(range(5)) - finished_parts(killed):
        write_part(killed, index, table(index))
    for index in range(5):
        write_part(whole, index, table(index))
        assert part_path(killed, index).read_bytes() == part_path(whole, index).read_bytes()
    assert names(killed) == names(whole)


@pytest.mark.parametrize("kept", [0, 3, 200, -1])
def test_a_truncated_part_is_named_and_counts_as_not_finished(tmp_path, kept):
    for index in range(2):
        write_part(tmp_path, index, table(index))
    path = part_path(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(PartError, match=r"part-00001\.parquet is truncated.*delete this file"):
        read_parts(tmp_path)
    with pytest.warns(UserWarning, match=r"part-00001\.parquet is damaged"):
        assert finished_parts(tmp_path) == {0}


def test_damaged_values_behind_a_whole_footer_are_found_when_read(tmp_path):
    path = write_part(tmp_path, 0, table(0))
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)
    with pytest.raises(PartError, match="damaged"):
        read_parts(tmp_path)


def test_a_full_disk_keeps_the_finished_parts(tmp_path, request):
    write_part(tmp_path, 0, table(0))
    request.getfixturevalue("small_disk")
    with pytest.raises(RunFolderError, match=r"part-00001\.parquet.*finished files are kept"):
        write_part(tmp_path, 1, table(1))
    assert names(tmp_path) == ["part-00000.parquet"]
    assert finished_parts(tmp_path) == {0}


def test_a_folder_without_parts(tmp_path):
    assert finished_parts(tmp_path / "absent") == set()
    (tmp_path / "part-x.parquet").touch()
    assert part_paths(tmp_path) == {}
    with pytest.raises(PartError, match="holds no parts"):
        read_parts(tmp_path)


def test_parts_with_other_columns(tmp_path):
    write_part(tmp_path, 0, table(0))
    write_part(tmp_path, 1, pa.table({"other": [1]}))
    with pytest.raises(PartError, match="do not have the same columns"):
        read_parts(tmp_path)
