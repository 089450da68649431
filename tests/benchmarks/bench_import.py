"""How dear `import qtw_lab` is, against `import pandas`: fresh processes, taken in turns, medians.

Run as a script; the promise is a ratio of at most 1.3.
"""

import json
import statistics
import subprocess
import sys

ROUNDS = 7
STATEMENTS = {
    "pandas": "import pandas",
    "qtw_lab": "import qtw_lab",
    "qtw_lab, first use": "import qtw_lab; qtw_lab.Bars, qtw_lab.Costs, qtw_lab.Strategy",
}
PROBE = """
import json, sys, time
before = set(sys.modules)
began = time.perf_counter()
{statement}
took = time.perf_counter() - began
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
except ImportError:
    peak = float("nan")
print(json.dumps([took, len(set(sys.modules) - before), peak]))
"""


def measured(statement: str) -> tuple[float, float, float]:
    """Seconds, modules loaded and peak megabytes of one fresh process."""
    code = PROBE.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout))


def main() -> None:
    """Measure and print."""
    samples = {name: [] for name in STATEMENTS}
    for round_number in range(ROUNDS + 1):
        for name, statement in STATEMENTS.items():
            sample = measured(statement)
            if round_number:  # the first round only warms the disk cache
                samples[name].append(sample)
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in samples.items()
    }
    for name, (seconds, modules, peak) in medians.items():
        ratio = seconds / medians["pandas"][0]
        speed = f"import {name:<20} {seconds * 1e3:8.1f} ms  ratio {ratio:5.2f}"
        print(f"{speed}  {modules:5.0f} modules  {peak:6.1f} MB peak")


if __name__ == "__main__":
    main()
