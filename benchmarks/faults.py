"""Kill clients and stores at random moments, fill the disk, cut the network: is anything torn or lost? (Linux)

    python benchmarks/faults.py                 # 300 faults, some ten minutes; writes its table into README.md here
    python benchmarks/faults.py --kills 33 --seed 2 --print

Clients are processes (benchmarks/fault_clients.py) that upload files large and small, over older versions too, and note
each upload that was acknowledged. After each fault a new client uploads, lists and downloads everything, and each file
is held against what it must be. The same faults on MLflow's own client and a plain pyftpdlib server stand beside it.
Exit code 1 if the store or its client broke their promise.
"""

import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click
import cut_proxy
import fault_clients
from rich.console import Console
from rich.progress import track
from sections import write_section

SERVER = Path(__file__).resolve().parents[1] / "server" / "ftpserver.py"
KINDS = {  # what happens to whom
    "client killed in upload": "dsgo",
    "store killed in upload": "dsgo",
    "store killed in download": "dsgo",
    "both killed in upload": "dsgo",
    "disk full": "dsgo",
    "connection closed": "dsgo",
    "connection reset": "dsgo",
    "connection silent": "dsgo",
    "MLflow's own client killed": "mlflow",
    "curl killed": "curl",
    "lftp killed": "lftp",
}
PLAIN = [kind for kind, client in KINDS.items() if client == "dsgo" and kind != "connection silent"]  # waits for good
PLAIN_SHARE = 5  # so many kills of ours for one of the plain pair
CHUNK = 6  # faults on one store, after which another begins empty
DISK = 160 * 2**20  # bytes of the small file system
SECONDS = 60  # that a client may take to end, or the next run to succeed
fork = multiprocessing.get_context("fork")  # MLflow's imports, once


@dataclass
class Count:
    """What came of some faults; all zero but the first four is what a store promises."""

    faults: int = 0
    in_transfer: int = 0  # faults that struck while a client was transferring
    acknowledged: int = 0
    files: int = 0  # files looked at
    torn: int = 0
    lost: int = 0
    temporary: int = 0  # names of temporary files in a listing
    failed: int = 0  # next runs that failed, clients that never ended
    reasons: list[str] = field(default_factory=list)

    def __iadd__(self, other: "Count") -> "Count":
        """Add another count."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    @property
    def is_broken(self) -> bool:
        """Tell whether a promise was broken."""
        return bool(self.torn or self.lost or self.temporary or self.failed)


class World:
    """A store on an empty folder, the client that uses it, and what is known to be acknowledged."""

    def __init__(self, kind: str, plain: bool, seed: str, home: Path, stack: ExitStack) -> None:
        """Start the store, and whatever else the kind of fault needs."""
        self.kind, self.home, self.stack = kind, home, stack
        self.client, self.plain = "mlflow" if plain else KINDS[kind], plain
        self.checker = self.client if self.client == "mlflow" and plain else "dsgo"
        self.chance, self.count = random.Random(seed), Count()
        self.disk = home / "disk"
        self.disk.mkdir()
        self.port, *self.passive = free_ports(64)
        self.acknowledged: dict[str, int] = {}
        self.known_torn: set[str] = set()
        self.known_lost: set[str] = set()
        self.host = cut_proxy.TARGET
        stack.callback(lambda: end(self.store))
        self.start_store()
        if kind.startswith("connection"):
            self.orders, orders = fork.Pipe()
            proxy = fork.Process(target=cut_proxy.serve, args=([self.port, *self.passive], orders))
            proxy.start()
            stack.callback(proxy.join)
            stack.callback(proxy.kill)
            if not self.orders.poll(20) or self.orders.recv() != "listening":
                raise RuntimeError("the proxy does not listen")
            self.host = cut_proxy.LISTEN

    @property
    def uri(self) -> str:
        """Where clients find the store: the workshop's user, as MLflow's own client has no other way."""
        return f"ftp://guest:12345@{self.host}:{self.port}/artifacts"

    def start_store(self) -> None:
        """Start the store and wait until it answers."""
        passive = f"{self.passive[0]}-{self.passive[-1]}"
        root = self.disk / "root"
        if self.plain:
            root.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "pyftpdlib", "-i", cut_proxy.TARGET, "-p", str(self.port), "-w"]
            command += ["-d", str(root), "-u", "guest", "-P", "12345", "-r", passive]
        else:
            command = [sys.executable, str(SERVER), "--port", str(self.port), "--root", str(root), "--min-free", "0"]
            command += ["--users", str(self.home / "users.json"), "--passive-ports", passive]
        if self.kind == "disk full":  # a file system of its own, which nobody else sees and which goes with the process
            script = f'mount -t tmpfs -o size={DISK} none "$0" && mkdir -p "$0/root" && exec "$@"'
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(self.disk), *command]
        environment = {name: value for name, value in os.environ.items() if name != "DSGO_FTP_PASSWORD"}
        with (self.home / "store.log").open("ab") as log:
            self.store = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        deadline = time.monotonic() + 30
        while not answers(self.port):
            if self.store.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.home / "store.log").read_text()[-2000:])
            time.sleep(0.02)

    def kill_store(self) -> None:
        """Kill -9."""
        self.store.kill()
        self.store.wait(20)

    def restart_store(self) -> None:
        """Start the killed store, after a while."""
        time.sleep(self.chance.uniform(0, 0.3))
        self.start_store()

    # ---- one fault

    def run(self, number: int) -> None:
        """Let a client work, do something bad to it or to the store, and look at what is left."""
        busy, stop = fork.Value("i", 0), fork.Event()
        work = fault_clients.download_on if self.kind.endswith("download") else fault_clients.upload_on
        seed = f"{self.chance.random()}"
        arguments = (self.client, self.uri, self.home, number * 100_000, seed, busy, stop)
        client = fork.Process(target=work, args=arguments)
        client.start()
        try:
            deadline = time.monotonic() + SECONDS
            while not busy.value and client.is_alive() and time.monotonic() < deadline:
                time.sleep(0.001)
            self.strike(client, busy)
            stop.set()
            client.join(SECONDS)
            if client.is_alive():
                self.count.failed += 1
                self.count.reasons.append(f"{self.kind}: the client did not end within {SECONDS} s")
        finally:
            kill_group(client)
        self.count.faults += 1
        self.look(number)

    def strike(self, client: Any, busy: Any) -> None:
        """Do the bad thing, at a random moment."""
        if self.kind.startswith("connection"):
            self.orders.send((self.kind.split()[1], self.chance.randint(0, 60_000_000)))
            self.count.in_transfer += self.orders.poll(SECONDS) and self.orders.recv() == "cut"
            return
        time.sleep(self.chance.uniform(0, 0.6))
        self.count.in_transfer += busy.value
        if self.kind == "disk full":
            ballast = Path(f"/proc/{self.store.pid}/root{self.disk}/ballast")
            left = self.chance.choice([0, 30_000, 5_000_000])
            with ballast.open("wb") as file:
                free = shutil.disk_usage(ballast.parent).free
                with suppress(OSError):  # an upload took it meanwhile: it is full as well
                    os.posix_fallocate(file.fileno(), 0, max(1, free - left))
            time.sleep(self.chance.uniform(0.1, 0.5))
            ballast.unlink()
            return
        victims: list[Callable[[], None]] = []
        if not self.kind.startswith("store"):
            victims.append(lambda: kill_group(client))
        if self.kind.startswith(("store", "both")):
            victims.append(self.kill_store)
        for kill in self.chance.sample(victims, len(victims)):
            kill()
        if self.store.returncode is not None:
            self.restart_store()

    def look(self, number: int) -> None:
        """Run the next client and hold what it finds against what was acknowledged."""
        for log, note in (("journal", self._note_upload), ("downloads", self._note_download)):
            path = self.home / log
            for line in path.read_text().splitlines() if path.exists() else []:
                note(*line.split())
            path.unlink(missing_ok=True)
        found = self.next_run(number)
        if isinstance(found, str):
            self.count.failed += 1
            self.count.reasons.append(f"{self.kind}: {found}")
            return
        files, temporary = found
        self.count.files += len(files)
        self.count.temporary += temporary
        torn = {name for name, version in files.items() if version is None}
        lost = {name for name, version in self.acknowledged.items() if (files.get(name, -1) or version) < version}
        self.count.torn += len(torn - self.known_torn)
        self.count.lost += len(lost - self.known_lost)
        self.known_torn, self.known_lost = torn, lost
        self.acknowledged[f"next/run{number}"] = number

    def _note_upload(self, name: str, version: str) -> None:
        self.acknowledged[name] = int(version)
        self.count.acknowledged += 1

    def _note_download(self, name: str, state: str) -> None:
        self.count.files += 1
        self.count.torn += state == "torn"

    def next_run(self, number: int) -> Any:
        """Return what the next client finds, or what went wrong."""
        here, there = fork.Pipe()
        runner = fork.Process(target=fault_clients.next_run, args=(self.checker, self.uri, self.home, number, there))
        runner.start()
        there.close()
        try:
            return here.recv() if here.poll(SECONDS) else f"the next run did not end within {SECONDS} s"
        except EOFError:
            return "the next run died"
        finally:
            runner.kill()
            runner.join()


def free_ports(number: int) -> list[int]:
    """Return consecutive ports that nobody listens on now."""
    for _ in range(100):
        first = random.SystemRandom().randrange(12_000, 30_000)
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + number):
                stack.enter_context(socket.create_server((cut_proxy.TARGET, port)))
            return list(range(first, first + number))
    raise RuntimeError("no free ports")


def answers(port: int) -> bool:
    """Tell whether a store answers there."""
    with suppress(OSError), socket.create_connection((cut_proxy.TARGET, port), timeout=5) as connection:
        return connection.recv(3) == b"220"
    return False


def kill_group(process: Any) -> None:
    """Kill a client with the programs that it runs, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a store, if it still runs."""
    process.kill()
    process.wait(20)


def run_chunk(kind: str, plain: bool, faults: int, seed: str) -> tuple[str, bool, Count]:
    """Do some faults of one kind on one store."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        world = World(kind, plain, seed, home, stack)
        if kind.endswith("download"):
            store = fault_clients.repository(world.checker, world.uri)
            for names, folder in ((fault_clients.SMALL, "many"), (fault_clients.BIG, "big")):
                fault_clients.write_files(names, 1, home / folder)
                store.log_artifacts(str(home / folder), folder)
                world.acknowledged |= dict.fromkeys(names, 1)
        for number in range(1, faults + 1):
            world.run(number)
        return kind, plain, world.count


def plan(kills: int, seed: int) -> list[tuple[str, bool, int, str]]:
    """Divide the faults among the kinds, and into chunks."""
    share, rest = divmod(kills, len(KINDS))
    wanted = [(kind, False, share + (place < rest)) for place, kind in enumerate(KINDS)]
    wanted += [(kind, True, -(-share // PLAIN_SHARE)) for kind in PLAIN]
    return [
        (kind, plain, min(CHUNK, faults - begin), f"{seed} {kind} {plain} {begin}")
        for kind, plain, faults in wanted
        for begin in range(0, faults, CHUNK)
    ]


def table(counts: dict[tuple[str, bool], Count]) -> str:
    """Return the figures, in Markdown."""
    lines = [
        "| fault | faults | in a transfer | acknowledged | files read | torn | lost | temporary | next run failed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for plain in (False, True):
        total = Count()
        for (kind, is_plain), count in counts.items():
            if plain == is_plain:
                lines.append(row(kind, count))
                total += count
        lines.append(row("**MLflow's own client, plain pyftpdlib**" if plain else "**this store, all**", total))
    return "\n".join(lines)


def row(name: str, count: Count) -> str:
    """Return one line of the table."""
    figures = (getattr(count, each.name) for each in fields(count) if each.name != "reasons")
    return f"| {name} | {' | '.join(f'{figure:,}' for figure in figures)} |"


@click.command()
@click.option("--kills", default=300, show_default=True, help="Faults in all, on this store and its clients.")
@click.option("--seed", default=1, show_default=True, help="Of all chance but the machine's timing.")
@click.option("--jobs", default=2, show_default=True, help="Stores at a time.")
@click.option("--print", "only_print", is_flag=True, help="Leave README.md as it is.")
def main(kills: int, seed: int, jobs: int, only_print: bool) -> None:
    """Do the faults, print the table and write it into README.md; exit code 1 if a promise was broken."""
    begun = time.monotonic()
    chunks = plan(kills, seed)
    counts = {(kind, plain): Count() for kind, plain, *_ in chunks}
    with ProcessPoolExecutor(jobs, mp_context=fork) as pool:
        futures = [pool.submit(run_chunk, *chunk) for chunk in chunks]
        console = Console(stderr=True)
        for future in track(
            as_completed(futures), "faults", len(futures), console=console, disable=not console.is_terminal
        ):
            kind, plain, count = future.result()
            counts[kind, plain] += count
    text = table(counts)
    for (_, plain), count in counts.items():
        for reason in count.reasons:
            click.echo(f"{'plain: ' if plain else ''}{reason}", err=True)
    click.echo(f"{text}\n\nseed {seed}, {time.monotonic() - begun:.0f} s")
    if not only_print:
        write_section("faults", text)
    raise SystemExit(any(count.is_broken for (_, plain), count in counts.items() if not plain))


if __name__ == "__main__":
    main()
