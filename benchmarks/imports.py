"""What `import perdure` and `perdure --help` cost."""

import subprocess
import sys

from benchmarks.harness import Row, best_ratio, interleave


def run() -> list[Row]:
    python = sys.executable
    commands = {
        "perdure": [python, "-c", "import perdure"],
        "perdure, used": [python, "-c", "import perdure; perdure.attribute; perdure.evaluate"],
        "torch": [python, "-c", "import torch"],
        "help": [python, "-m", "perdure", "--help"],
    }
    calls = {
        name: lambda command=command: subprocess.run(command, capture_output=True, check=True)
        for name, command in commands.items()
    }
    seconds = interleave(calls, 5)
    rows = []
    for name in ("perdure", "perdure, used"):
        ratio = best_ratio(seconds, name, "torch")
        ours, peer = min(seconds[name]), min(seconds["torch"])
        rows.append(Row("wall time of the import over import torch", name, ours, peer, ratio, "<= 1.1", ratio <= 1.1))
    ours = min(seconds["help"])
    rows.append(Row("perdure --help", "wall time", ours, None, ours, "< 0.5 s", ours < 0.5))
    return rows
