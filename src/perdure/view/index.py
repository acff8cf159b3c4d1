"""The index of a folder: its rows in a DuckDB table that follows the parts as they appear."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from perdure.core.optional import require
from perdure.view.parts import Unit, find_units
from perdure.view.rows import UnitRows, make_rows

__all__ = ["Index", "Selection"]

VERSION = 1
"""Version of the tables; an index of another version is made again."""

KEPT = 2**26
"""Bytes of a folder from which on its index is kept in the cache of the user; fewer are read in about a second."""

HALF_A_SECOND = 0.5

TOGETHER = 64
"""Units that are added in one transaction, if they are read within half a second."""

MEMORY = "384MB"
"""Memory of the database; the process needs the rest for the libraries."""

FIXED: Mapping[str, str] = {
    "unit": "INTEGER",
    "sample_id": "VARCHAR",
    "model": "VARCHAR",
    "label": "BIGINT",
    "prediction": "BIGINT",
    "explained": "BIGINT",
    "confidence": "DOUBLE",
    "length": "BIGINT",
    "correct": "BOOLEAN",
    "methods_differ": "DOUBLE",
    "runs_differ": "DOUBLE",
}
"""Columns that every index has, with their types."""


@dataclass(frozen=True)
class Selection:
    """Rows of the table, as SQL with parameters.

    Args:
        where: Condition.
        values: Parameters of the condition.
        order: Column to sort by; None for the order of the samples.
        descending: Whether the largest come first.
    """

    where: str = "true"
    values: tuple[Any, ...] = ()
    order: str | None = None
    descending: bool = False


class Index:
    """The rows of a folder, in a database of this process.

    Args:
        folder: Folder to index; never written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._units: dict[int, Unit] = {}
        self.damage: tuple[str, ...] = ()
        self.left = 0
        units = find_units(folder)
        self._database = _open(_cache_path(folder) if sum(unit.size for unit in units) >= KEPT else None)
        self._scores: dict[str, tuple[str, str, str]] = {
            name: (column, metric, method)
            for name, column, metric, method in self._read("SELECT name, col, metric, method FROM score ORDER BY col")
        }
        self._units = {unit.number: unit for unit in units}
        self.left = len(self._find_changed(units))

    @property
    def scores(self) -> dict[str, tuple[str, str]]:
        """Metric and method of each column of scores."""
        with self._lock:
            return {column: (metric, method) for column, metric, method in self._scores.values()}

    def units(self, numbers: Iterable[int]) -> list[Unit]:
        """Return the parts of some numbers."""
        return [self._units[number] for number in sorted(set(numbers)) if number in self._units]

    def refresh(self, stop: threading.Event | None = None) -> bool:
        """Add new and changed parts, and remove those that are gone.

        Args:
            stop: Event that ends the work early; what is added stays.

        Returns:
            Whether anything had changed.
        """
        units = find_units(self.folder)
        self._units = {unit.number: unit for unit in units}
        changed = self._find_changed(units)
        gone = [number for (number,) in self._read("SELECT number FROM unit") if number not in self._units]
        if gone:
            self._replace(gone, [])
        damage = list(self.damage) if changed else []
        rows: list[tuple[Unit, UnitRows]] = []
        began = time.monotonic()
        for place, unit in enumerate(changed):
            if stop is not None and stop.is_set():
                return True
            rows.append((unit, make_rows(unit)))
            damage += rows[-1][1].damage
            if place == 0 or len(rows) == TOGETHER or unit is changed[-1] or time.monotonic() - began > HALF_A_SECOND:
                self._replace([unit.number for unit, _ in rows], rows)
                self.left, rows, began = len(changed) - place - 1, [], time.monotonic()
        if changed:
            self.damage = tuple(dict.fromkeys(damage))
        self.left = 0
        return bool(changed or gone)

    def count(self, selection: Selection = Selection()) -> int:
        """Count the selected rows."""
        ((rows,),) = self._read(f"SELECT count(*) FROM sample WHERE {selection.where}", selection.values)
        return int(rows)

    def page(self, selection: Selection, first: int, rows: int) -> list[dict[str, Any]]:
        """Read some of the selected rows.

        Args:
            selection: Rows and their order.
            first: Position of the first row.
            rows: Maximum number of rows.

        Returns:
            Values by column.
        """
        way = "DESC" if selection.descending else "ASC"
        own = "" if selection.order is None else f"{self._check(selection.order)} {way} NULLS LAST, "
        query = f"SELECT * FROM sample WHERE {selection.where} ORDER BY {own}unit, place LIMIT ? OFFSET ?"
        cursor = self._database.cursor()
        cursor.execute(query, [*selection.values, rows, first])
        names = [item[0] for item in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def list_values(self, column: str, most: int = 200) -> list[Any]:
        """List the different values of a column, at most some."""
        query = f"SELECT DISTINCT {self._check(column)} AS value FROM sample ORDER BY value LIMIT ?"
        return [value for (value,) in self._read(query, [most]) if value is not None]

    def has_values(self, column: str) -> bool:
        """Check whether a column has any value."""
        query = f"SELECT 1 FROM sample WHERE {self._check(column)} IS NOT NULL LIMIT 1"
        return bool(self._read(query))

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _check(self, column: str) -> str:
        """Return the name of a column, which is never text of a user."""
        if column not in FIXED and column not in self.scores:
            raise KeyError(column)
        return column

    def _find_changed(self, units: Sequence[Unit]) -> list[Unit]:
        known = dict(self._read("SELECT number, signature FROM unit"))
        return [unit for unit in units if known.get(unit.number) != unit.signature]

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._database.cursor().execute(query, list(values)).fetchall()
        return rows

    def _replace(self, numbers: Sequence[int], rows: Sequence[tuple[Unit, UnitRows]]) -> None:
        """Replace units in one transaction, so that a reader never misses one."""
        names = {name: pair for _, made in rows for name, pair in made.scores.items()}
        cursor = self._database.cursor()
        for name, (metric, method) in names.items():
            if name not in self._scores:
                column = f"score_{len(self._scores)}"
                cursor.execute(f"ALTER TABLE sample ADD COLUMN {column} DOUBLE")
                cursor.execute("INSERT INTO score VALUES (?, ?, ?, ?)", [name, column, metric, method])
                with self._lock:
                    self._scores[name] = (column, metric, method)
        cursor.begin()
        marks = ", ".join("?" * len(numbers))
        for table, column in (("sample", "unit"), ("unit", "number")):
            cursor.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", list(numbers))
        tables = [self._rename(made.table) for _, made in rows if made.table is not None]
        if tables:
            cursor.register("added", pa.concat_tables(tables, promote_options="default"))
            cursor.execute("INSERT INTO sample BY NAME SELECT * FROM added")
            cursor.unregister("added")
        for unit, _ in rows:
            cursor.execute("INSERT INTO unit VALUES (?, ?)", [unit.number, unit.signature])
        cursor.commit()

    def _rename(self, table: pa.Table) -> pa.Table:
        place = pa.array(range(len(table)), pa.int32())
        names = [name if name in FIXED else self._scores[name][0] for name in table.column_names]
        return table.rename_columns(names).append_column("place", place)


def _cache_path(folder: Path) -> Path | None:
    """Name the file of an index that is kept, outside the folder."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perdure" / "view"
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    return root / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]}.duckdb"


def _open(path: Path | None) -> Any:
    """Open an index; without a file, or where another viewer has it open, in memory."""
    duckdb = require("duckdb", extra="view", purpose="the view of a folder")
    settings = {"memory_limit": MEMORY, "threads": 2}
    if path is None:
        return _prepare(duckdb.connect(config=settings))
    for _ in range(2):
        try:
            return _prepare(duckdb.connect(str(path), config=settings))
        except duckdb.IOException:
            return _open(None)
        except (duckdb.Error, ValueError):  # of another version, or damaged
            path.unlink(missing_ok=True)
    return _open(None)


def _prepare(database: Any) -> Any:
    """Make the tables where they are missing."""
    database.execute("SET enable_external_access = false")
    columns = ", ".join(f"{name} {kind}" for name, kind in FIXED.items())
    database.execute("CREATE TABLE IF NOT EXISTS about (version INTEGER)")
    versions = database.execute("SELECT version FROM about").fetchall()
    if versions not in ([], [(VERSION,)]):
        database.close()
        raise ValueError("the index has another version")
    if not versions:
        database.execute("INSERT INTO about VALUES (?)", [VERSION])
    database.execute(f"CREATE TABLE IF NOT EXISTS sample ({columns}, place INTEGER)")
    database.execute("CREATE TABLE IF NOT EXISTS unit (number INTEGER, signature VARCHAR)")
    database.execute("CREATE TABLE IF NOT EXISTS score (name VARCHAR, col VARCHAR, metric VARCHAR, method VARCHAR)")
    return database
