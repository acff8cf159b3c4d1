"""`python -m benchmarks [NAME ...]`: measure afresh, write results/NAME.json, print the rows."""

import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.harness import write

HELPERS = {"__init__", "__main__", "harness", "path_pairs", "path_task", "peers"}
NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in HELPERS)


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"no benchmark is called {unknown[0]!r}: choose from {', '.join(NAMES)}")
    for name in names or NAMES:
        start = time.perf_counter()
        rows = import_module(f"benchmarks.{name}").run()
        write(name, rows, time.perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1:])
