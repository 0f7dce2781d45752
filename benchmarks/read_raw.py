"""Measure reading the full-size raw pair: dsgo.data.opsd against pandas.read_csv of both files, whole.

    python ../shared/data/make_raw.py /tmp/full --full
    python benchmarks/read_raw.py /tmp/full

Each reading runs in a process of its own, in turns, three times; seconds are of the reading alone, without the imports
(which both need), the median of the three; memory is the process's largest resident set. Prints the table in README.md.
"""

import statistics
import subprocess
import sys
from pathlib import Path

READING = {
    "pandas.read_csv, whole files": "frames = [pandas.read_csv(path) for path in pair]",
    "dsgo.data.opsd.read_raw, DE 2013 to 2016": "frames = read_raw(pair, period('2013-01-01', '2016-12-31'), 'DE')",
}
CODE = """
import sys, time
from pathlib import Path
import pandas, psutil
from dsgo.data.opsd import find_pair, period, read_raw
pair = find_pair(Path(sys.argv[1]))
began = time.perf_counter()
{reading}
seconds = time.perf_counter() - began
if sys.platform == "win32":
    peak = psutil.Process().memory_info().peak_wset
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(seconds, peak / 1e6)
"""


def main() -> None:
    """Measure and print the table."""
    folder = sys.argv[1]
    size = sum(path.stat().st_size for path in Path(folder).glob("*.csv")) / 1e6
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in READING}
    for _ in range(3):
        for name, reading in READING.items():
            command = [sys.executable, "-c", CODE.replace("{reading}", reading), folder]
            seconds, megabytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            measured[name].append((float(seconds), float(megabytes)))
    print(f"| {size:,.0f} MB of CSV | seconds | peak memory, MB |\n| --- | --- | --- |")
    medians = []
    for name, runs in measured.items():
        seconds, megabytes = (statistics.median(column) for column in zip(*runs, strict=True))
        medians.append((seconds, megabytes))
        print(f"| {name} | {seconds:.2f} | {megabytes:,.0f} |")
    (before, much), (after, little) = medians
    print(f"| the second against the first | {before / after:.1f} times as fast | {little / much:.0%} |")


if __name__ == "__main__":
    main()
