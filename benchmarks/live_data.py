"""Measure source=live against the local server (tests/helpers/live_server.py), which waits 20 ms before each answer.

    python benchmarks/live_data.py

Four years of Germany with an empty cache, then the same a simulated day later; each in a process of its own. Seconds
are of reading alone, without the imports; memory is the process's largest resident set. Writes a section of README.md.
"""

import os
import subprocess
import sys
import tempfile
import urllib.request

from sections import write_section

from dsgo.base.places import ROOT

CODE = """
import resource, sys, time
from dsgo.data.live import read_live
began, worked = time.perf_counter(), time.process_time()
read_live("live", "DE", "", "", sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(time.perf_counter() - began, time.process_time() - worked, peak / 1e3)
"""
DAYS = {"four years, nothing kept": "2026-11-20T08:00Z", "a day later": "2026-11-21T08:00Z"}


def main() -> None:
    """Measure and write."""
    helper = [sys.executable, str(ROOT / "tests/helpers/live_server.py"), "--now", DAYS["four years, nothing kept"]]
    rows = [
        "| | calls | seconds | the client's own work | peak memory, MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    with (
        tempfile.TemporaryDirectory() as cache,
        subprocess.Popen([*helper, "--latency", "0.02"], stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stdout
            lines = [server.stdout.readline().removeprefix("export ").strip() for _ in range(5)]
            addresses = dict(line.split("=", 1) for line in lines)
            environment = os.environ | addresses | {"XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache}
            for name, now in DAYS.items():
                base = addresses["DSGO_SMARD_URL"]
                urllib.request.urlopen(urllib.request.Request(f"{base}/now?{now}", method="PUT"), timeout=10).close()
                command = [sys.executable, "-c", CODE, now]
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                seconds, work, megabytes = map(float, done.stdout.split())
                with urllib.request.urlopen(f"{base}/calls", timeout=10) as answer:
                    calls = int(answer.read())
                rows.append(f"| {name} | {calls} | {seconds:.1f} | {work:.1f} | {megabytes:,.0f} |")
                print(rows[-1], flush=True)
        finally:
            server.kill()
    write_section("live", "\n".join(rows))


if __name__ == "__main__":
    main()
